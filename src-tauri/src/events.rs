//! What the shell tells the page unasked: the engine's state, downloads, and files dragged over the window.
//!
//! Outside: the progress of an answer, which has a channel of its own.

use paddock_chat::AttachOutcome;
use paddock_conversation::{Failure, MessageId, ModelId};
use paddock_engines::EngineSnapshot;
use paddock_hub::Download;
use paddock_models::Sight;
use serde::{Deserialize, Serialize};
use specta::Type;
use tauri_specta::Event;

/// The whole state after every change; the page keeps the one with the highest revision.
#[derive(Debug, Clone, Serialize, Deserialize, Type, Event)]
#[tauri_specta(event_name = "engine")]
pub struct EngineChanged(pub EngineSnapshot);

/// Why the chosen model is not loaded: it is gone, or its files cannot be read.
#[derive(Debug, Clone, Serialize, Deserialize, Type, Event)]
#[tauri_specta(event_name = "model-missing")]
pub struct ModelMissing(pub Failure);

/// The answers that are on the screen and could not be written down yet; one that is not in the next list is kept.
#[derive(Debug, Clone, Serialize, Deserialize, Type, Event)]
#[tauri_specta(event_name = "answers-unkept")]
pub struct AnswersUnkept(pub Vec<MessageId>);

/// What the test of a model's sight came to.
#[derive(Debug, Clone, Serialize, Deserialize, Type, Event)]
#[tauri_specta(event_name = "sight")]
pub struct SightTested {
    pub model: ModelId,
    pub sight: Sight,
}

/// The whole list of downloads after every change, about four times a second while bytes come.
#[derive(Debug, Clone, Serialize, Deserialize, Type, Event)]
#[tauri_specta(event_name = "downloads")]
pub struct DownloadsChanged(pub Vec<Download>);

/// Files over the window. Paths stay in Rust: a page must not be able to name files.
#[derive(Debug, Clone, Serialize, Deserialize, Type, Event)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[tauri_specta(event_name = "drop")]
pub enum DropEvent {
    /// `others` counts what does not look like a picture by its name.
    Entered {
        images: u32,
        others: u32,
    },
    Left,
    Reading {
        files: u32,
    },
    Dropped {
        outcomes: Vec<AttachOutcome>,
    },
}
