//! The models on this computer and in the catalogue: where they lie, which there are, what an id means, and whether one fits.
//!
//! Outside: reading their files (the checkpoint crate), running one (the engines), what the computer has (`devices`), settings
//! and the window.

pub mod catalogue;
mod discover;
mod entry;
mod error;
pub mod fit;
mod list;
mod models;
mod places;
mod questions;
mod reading;
mod resolve;
mod text;

pub use discover::{Discovery, FoundModel, discover};
pub use entry::{ModelEntry, ModelSource, Sight};
pub use error::ModelsError;
pub use list::{ModelFolders, ModelList, found_line};
pub use models::{FitSubject, Forgotten, Models, runnable};
pub use paddock_checkpoint::place::model_path;
pub use paddock_checkpoint::{
    Checkpoint, CheckpointError, Depth, Family, FileEntry, Form, LocalFiles, Quant, ReadRange,
    Shape, SourceError, Stamp, StoredType, Support, Vision, VisionShape, WeightClass, WeightGroup,
    inspect, inspect_headers, inspect_source, layout, stamp,
};
pub use paddock_conversation::ModelId;
pub use places::ModelPlaces;
pub use questions::{
    CatalogueLine, CatalogueStatus, FitQuestion, FitTarget, LicenceFacts, answer, catalogue_lines,
};
pub use reading::Readings;
pub use resolve::{LoadChoice, ResolvedModel};
