//! Pictures: takes any file a person has, turns it into upright sRGB pixels, and says what a model will see of it.
//!
//! Outside: where pictures are kept (`store`), what is asked about them (`chat`), and running a model.

mod decode;
mod error;
mod format;
mod limits;
mod note;
mod orientation;
mod output;
mod probe;
mod size;
pub mod tiling;

pub use decode::{Upright, decode_upright};
pub use error::MediaError;
pub use format::Format;
pub use image::RgbImage;
pub use limits::Limits;
pub use note::Note;
pub use orientation::Orientation;
pub use output::{encode_jpeg, encode_png, thumbnail};
pub use probe::{Probe, probe};
pub use size::ImageSize;
pub use tiling::{Grid, TilePlan, Tiling};
