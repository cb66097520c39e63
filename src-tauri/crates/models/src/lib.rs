//! Models as files: what a checkpoint is, whether it will run and fit here, where to get it, and where it already lies.
//!
//! Outside: running a model (`inference` and the engine), what the computer has (`devices`), settings and the window.

pub mod catalogue;
mod checkpoint;
mod config;
mod discover;
mod entry;
mod error;
mod family;
pub mod fit;
mod gguf;
mod json;
pub mod layout;
mod place;
mod quant;
mod safetensors;
mod shape;
mod source;
mod tensors;

pub use checkpoint::{Checkpoint, Depth, Form, Vision, inspect, inspect_headers, inspect_source};
pub use discover::{Discovery, FoundModel, ModelPlaces, discover, found_entry};
pub use entry::{ModelEntry, ModelSource, Sight};
pub use error::CheckpointError;
pub use family::{Family, Support};
pub use paddock_conversation::ModelId;
pub use place::{Stamp, model_path, stamp};
pub use quant::Quant;
pub use shape::{Shape, VisionShape};
pub use source::{FileEntry, LocalFiles, ReadRange, SourceError};
pub use tensors::{StoredType, WeightClass, WeightGroup};
