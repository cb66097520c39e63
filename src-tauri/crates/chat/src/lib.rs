//! What a user can do: attach pictures, ask, stop, ask again, find old conversations, choose models and settings.
//!
//! Outside: windows, file dialogs and the command line's arguments (the shell). Nothing here knows Tauri.

mod active;
mod ask;
mod bench;
mod chat;
mod edit;
mod error;
mod fitting;
mod hub;
mod learning;
mod listing;
mod loading;
mod model;
mod pictures;
mod placement;
mod plan;
mod prompt;
mod settings;
mod sight;
mod stream;
mod turn;
mod types;

pub use ask::{AskConfig, AskImage, AskOutcome, AskRequest, ask};
pub use bench::{BenchReport, PictureBench, bench};
pub use chat::{Chat, ChatConfig};
pub use edit::{PictureEdit, Region};
pub use error::ChatError;
pub use fitting::{
    CatalogueLine, CatalogueStatus, FitQuestion, FitTarget, LicenceFacts, catalogue_lines,
};
pub use hub::{HubTokenState, HubWish, default_hub_endpoint, hub_checkpoint};
pub use learning::{FitRecord, Learned};
pub use listing::known_models;
pub use settings::{Settings, Theme};
pub use types::{
    AttachOutcome, EventSink, GenerationEvent, ImagePlan, Phase, Picture, PictureForm, PromptPlan,
    SendRequest, TurnOutcome,
};
