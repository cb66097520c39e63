//! The user's pictures: taken in, shown in every form, changed, handed to an engine.
//!
//! Outside: decoding (the decode crate, in the process of the decoder crate), where files lie (the store), and what is
//! asked about a picture (the chat crate).

mod error;
mod file;
mod intake;
mod pictures;
mod renditions;

pub use error::PicturesError;
pub use file::{file_name, read_file};
pub use intake::AttachOutcome;
pub use paddock_decoder::{
    DecoderConfig, DecoderError, Decoders, Job, Output, PictureEdit, Region, Taken,
};
pub use pictures::Pictures;
pub use renditions::{Picture, PictureForm, for_one_question};
