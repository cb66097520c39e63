//! Pictures: takes any file a person has, turns it into upright sRGB pixels, and says what a model will see of it.
//! Bytes in, pixels out: no file, no clock, no process.
//!
//! Outside: where pictures are kept (`store`), what is asked about them (`chat`), and running a model.

mod bands;
mod colour;
mod decode;
mod error;
mod format;
mod formats;
mod frames;
mod guard;
mod header;
#[cfg(any(feature = "avif", feature = "heic"))]
mod isobmff;
mod jpeg;
mod limits;
mod look;
mod note;
mod orientation;
mod output;
mod probe;
mod resample;
pub mod tiling;

pub use decode::{Upright, decode_frame, decode_upright, prepare};
pub use error::MediaError;
pub use format::Format;
pub use header::Probe;
pub use image::RgbImage;
pub use limits::Limits;
pub use look::{Look, LookReport, Size, look};
pub use note::Note;
pub use orientation::Orientation;
pub use output::{encode_jpeg, encode_png, thumbnail};
pub use paddock_conversation::ImageSize;
pub use probe::{probe, probe_frame};
pub use resample::Resampling;
pub use tiling::{Grid, TilePlan, Tiling};

/// For `tests/fuzz` only.
#[cfg(all(fuzzing, any(feature = "avif", feature = "heic")))]
pub use isobmff::fuzz as fuzz_isobmff;
