//! One change of one setting, as the page asks for it.
//!
//! Outside: whether the result is within its range.

use paddock_conversation::ModelId;
use paddock_models::LoadChoice;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Settings, Theme};

/// What is changed, and to what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(
    tag = "setting",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SettingsChange {
    Chosen {
        value: ModelId,
    },
    /// How one model is loaded.
    LoadChoice {
        model: ModelId,
        value: LoadChoice,
    },
    Temperature {
        #[specta(type = u32)]
        value: f32,
    },
    MaxAnswerTokens {
        value: Option<u32>,
    },
    SystemPrompt {
        value: String,
    },
    Theme {
        value: Theme,
    },
    SendWithEnter {
        value: bool,
    },
    KeepOriginals {
        value: bool,
    },
    KeepAliveMinutes {
        value: Option<u32>,
    },
    HubEndpoint {
        value: Option<String>,
    },
    DownloadBytesPerSecond {
        #[specta(type = Option<u32>)]
        value: Option<u64>,
    },
}

impl SettingsChange {
    /// The setting in words. Two changes of one setting have the same name; how each model is loaded is a setting of its
    /// own, see [`Self::model`].
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Chosen { .. } => "model",
            Self::LoadChoice { .. } => "way of loading",
            Self::Temperature { .. } => "temperature",
            Self::MaxAnswerTokens { .. } => "longest answer",
            Self::SystemPrompt { .. } => "system prompt",
            Self::Theme { .. } => "theme",
            Self::SendWithEnter { .. } => "Enter key",
            Self::KeepOriginals { .. } => "keeping of files",
            Self::KeepAliveMinutes { .. } => "keep-alive",
            Self::HubEndpoint { .. } => "address of the Hub",
            Self::DownloadBytesPerSecond { .. } => "download limit",
        }
    }

    pub(crate) fn model(&self) -> Option<&ModelId> {
        match self {
            Self::LoadChoice { model, .. } => Some(model),
            _ => None,
        }
    }

    pub(crate) fn apply(self, settings: &mut Settings) {
        match self {
            Self::Chosen { value } => settings.choose(value),
            Self::LoadChoice { model, value } => {
                settings.per_model.insert(model.to_string(), value);
            }
            Self::Temperature { value } => settings.temperature = value,
            Self::MaxAnswerTokens { value } => settings.max_answer_tokens = value,
            Self::SystemPrompt { value } => settings.system_prompt = value,
            Self::Theme { value } => settings.theme = value,
            Self::SendWithEnter { value } => settings.send_with_enter = value,
            Self::KeepOriginals { value } => settings.keep_originals = value,
            Self::KeepAliveMinutes { value } => settings.keep_alive_minutes = value,
            Self::HubEndpoint { value } => settings.hub_endpoint = value,
            Self::DownloadBytesPerSecond { value } => settings.download_bytes_per_second = value,
        }
    }
}

impl Settings {
    /// Another model answers. What it is loaded with is settled now: later changes for other models do not touch it.
    fn choose(&mut self, id: ModelId) {
        let choice = self.load_choice(&id);
        self.per_model.insert(id.to_string(), choice);
        self.chosen = id;
    }
}
