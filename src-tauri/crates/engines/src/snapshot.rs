//! The engine's state as everybody sees it: one enum, always published whole.
//!
//! Outside: who changes it (the supervisor, alone).

use paddock_conversation::{Failure, ModelLabel};
use serde::{Deserialize, Serialize};
use specta::Type;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum EngineState {
    /// No model, no process.
    Empty,
    Loading {
        #[specta(type = u32)]
        bytes_read: u64,
        #[specta(type = u32)]
        bytes_total: u64,
        /// `starting`, `checking`, `weights` or `restarting`.
        stage: String,
    },
    Ready {
        device: String,
        dtype: String,
        quant: String,
        context_tokens: u32,
        /// Resident memory of the engine process after the load.
        #[specta(type = u32)]
        resident_bytes: u64,
        #[specta(type = u32)]
        load_ms: f64,
    },
    /// It did not load, or it ended. The next question tries again.
    Failed { failure: Failure },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct EngineSnapshot {
    /// Grows with every change; a page keeps the highest it has seen.
    pub revision: u32,
    pub model: Option<ModelLabel>,
    pub state: EngineState,
}
