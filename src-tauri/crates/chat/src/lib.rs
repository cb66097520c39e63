//! What a user can do: attach pictures, ask, stop, ask again, find old conversations, choose models and settings.
//!
//! Outside: windows, file dialogs and the command line's arguments (the shell). Nothing here knows Tauri.

mod active;
mod ask;
mod bench;
mod chat;
mod error;
mod fitting;
mod hub;
mod keeping;
mod learning;
mod listing;
mod load_spec;
mod loading;
mod pictures;
mod plan;
mod prompt;
mod sight;
mod stream;
mod turn;
mod types;

pub use ask::{AskConfig, AskImage, AskOutcome, AskRequest, ask};
pub use bench::{BenchReport, PictureBench, bench};
pub use chat::{Chat, ChatConfig};
pub use error::ChatError;
pub use hub::{HubTokenState, HubWish, default_hub_endpoint, hub_checkpoint};
pub use learning::{FitRecord, Learned};
pub use listing::known_models;
pub use paddock_models::{
    CatalogueLine, CatalogueStatus, FitQuestion, FitTarget, LicenceFacts, catalogue_lines,
};
pub use paddock_pictures::{AttachOutcome, Picture, PictureEdit, PictureForm, Region};
pub use types::{
    EventSink, GenerationEvent, ImagePlan, Phase, PromptPlan, SendRequest, TurnOutcome,
};
