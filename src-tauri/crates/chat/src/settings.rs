//! What the user chose, with defaults, and how it is read back whatever version wrote it.
//!
//! Outside: what the choices resolve to (a device, a context length); that is decided at use and never written back.

use paddock_conversation::ModelId;
use paddock_devices::DevicePreference;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use specta::Type;

use crate::ChatError;

/// The name of the settings document in the store.
pub(crate) const DOCUMENT: &str = "settings";
/// Raised when a field changes its meaning; new fields alone need no new version.
pub(crate) const VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    System,
    Light,
    Dark,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub model_id: ModelId,
    pub device: DevicePreference,
    /// Tokens of prompt and answer together; none: automatic.
    pub context_tokens: Option<u32>,
    /// `none`, `q8_0`, `q6k`, `q5k` or `q4k`.
    pub quant: String,
    /// None: one for each physical core.
    pub threads: Option<u32>,
    /// 0 (always the likeliest word) to 2.
    #[specta(type = u32)]
    pub temperature: f32,
    /// None: as many as the context leaves.
    pub max_answer_tokens: Option<u32>,
    pub system_prompt: String,
    pub theme: Theme,
    pub send_with_enter: bool,
    /// Keep the files as they came, beside the upright copy that is shown and sent.
    pub keep_originals: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model_id: ModelId::demo(),
            device: DevicePreference::Auto,
            context_tokens: None,
            quant: "none".into(),
            threads: None,
            temperature: 0.0,
            max_answer_tokens: None,
            system_prompt: String::new(),
            theme: Theme::System,
            send_with_enter: true,
            keep_originals: true,
        }
    }
}

impl Settings {
    /// Reads a kept document. A field that is missing or not understood has its default; the others keep their
    /// values.
    #[must_use]
    pub fn from_document(document: &Value) -> Self {
        let mut settings = Self::default();
        let Some(fields) = document.as_object() else {
            return settings;
        };
        for (name, value) in fields {
            let Ok(mut whole) = serde_json::to_value(&settings) else {
                continue;
            };
            whole[name] = value.clone();
            if let Ok(read) = serde_json::from_value::<Self>(whole)
                && read.check().is_ok()
            {
                settings = read;
            }
        }
        settings
    }

    /// # Errors
    /// A number is out of its range.
    pub fn check(&self) -> Result<(), ChatError> {
        let out = |name, range| Err(ChatError::SettingOutOfRange { name, range });
        if !(0.0..=2.0).contains(&self.temperature) {
            return out("temperature", "between 0 and 2");
        }
        if self.context_tokens.is_some_and(|tokens| tokens < 256) {
            return out("context length", "at least 256 tokens, or automatic");
        }
        if self
            .threads
            .is_some_and(|threads| !(1..=1024).contains(&threads))
        {
            return out("threads", "between 1 and 1024, or automatic");
        }
        if self.max_answer_tokens == Some(0) {
            return out("longest answer", "at least 1 token, or automatic");
        }
        if !["none", "q8_0", "q6k", "q5k", "q4k"].contains(&self.quant.as_str()) {
            return out("quantisation", "one of none, q8_0, q6k, q5k, q4k");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_another_version_keeps_what_is_understood() {
        let document = serde_json::json!({
            "theme": "dark", "temperature": "hot", "contextTokens": 4096, "gone": 1, "threads": 0
        });
        let settings = Settings::from_document(&document);
        assert_eq!(
            settings,
            Settings {
                theme: Theme::Dark,
                context_tokens: Some(4096),
                ..Settings::default()
            }
        );
    }

    #[test]
    fn settings_come_back_as_they_were_kept() {
        let settings = Settings {
            temperature: 0.5,
            system_prompt: "Be brief.".into(),
            ..Settings::default()
        };
        assert_eq!(
            Settings::from_document(&serde_json::to_value(&settings).unwrap()),
            settings
        );
    }
}
