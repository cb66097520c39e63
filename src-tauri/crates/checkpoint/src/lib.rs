//! Checkpoints: safetensors and GGUF headers, `config.json`, tokenizers, and what is missing, broken or not supported.
//!
//! Used by the app and by the engine, so that what the list says of a model is what loading it says.
//!
//! Outside: running a model (the engine), fitting it into memory and finding it on this computer (the models crate),
//! cutting pictures (the decode crate).

pub mod config;
mod error;
mod family;
pub mod gguf;
pub mod image_tokens;
mod inspect;
pub mod json;
pub mod layout;
pub mod names;
pub mod place;
mod quant;
mod read;
pub mod safetensors;
mod shape;
mod source;
mod stamp;
mod summary;
pub mod tensors;

pub use error::CheckpointError;
pub use family::{Family, Support};
pub use image_tokens::ImageTokens;
pub use inspect::{inspect, inspect_headers, inspect_source};
pub use quant::{Quant, QuantError};
pub use read::gguf_file::text_only;
pub use read::text_files::Depth;
pub use read::weights::missing_shard;
pub use shape::{Shape, VisionShape};
pub use source::{FileEntry, LocalFiles, ReadRange, SourceError};
pub use stamp::{Stamp, stamp};
pub use summary::{Checkpoint, Form, Settings, USUAL_CONTEXT_TOKENS, Vision};
pub use tensors::{StoredType, WeightClass, WeightGroup};
