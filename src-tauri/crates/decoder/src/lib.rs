//! The decoder process: strangers' pictures are decoded in it and never in the window, so that one which breaks, stalls or
//! exhausts a decoder is one refused picture.
//!
//! Both sides are here. [`Decoders`] is the window's and the command line's: it starts processes, hands them jobs, and
//! kills and replaces those that hang or die. [`worker`] is the other one: the `paddock` program starts it when its first
//! argument is [`WORKER`].
//!
//! Outside: what is decoded and how (the decode crate), and where pictures are kept (the pictures crate).

mod confine;
mod edit;
mod error;
mod job;
mod pool;
mod process;
mod wire;
pub mod worker;

pub use edit::{PictureEdit, Region};
pub use error::DecoderError;
pub use job::{Job, KEPT_PIXELS, Output, Taken};
pub use pool::{DecoderConfig, Decoders, Turn};

/// The hidden subcommand by which a program becomes a decoder.
pub const WORKER: &str = "decode-worker";
