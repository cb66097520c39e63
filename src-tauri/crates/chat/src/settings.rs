//! What the user chose, with defaults, and how it is read back whatever version wrote it.
//!
//! Outside: what the choices resolve to (a device, a context length); that is decided at use and never written back.

use std::collections::BTreeMap;
use std::time::Duration;

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

/// How one model is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ModelChoices {
    pub device: DevicePreference,
    pub context_tokens: Option<u32>,
    pub quant: String,
    pub threads: Option<u32>,
}

/// `device`, `context_tokens`, `quant` and `threads` are those of the chosen model.
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
    /// Minutes without a question after which the model's memory is given back; none: never while the window is open.
    pub keep_alive_minutes: Option<u32>,
    /// Where models are downloaded from: the address of a mirror of the Hub; none: `HF_ENDPOINT`, else the Hub itself.
    pub hub_endpoint: Option<String>,
    /// Most bytes a second of all downloads together; none: no limit.
    #[specta(type = Option<u32>)]
    pub download_bytes_per_second: Option<u64>,
    /// What was chosen for the other models when they were used last, by id.
    pub remembered: BTreeMap<String, ModelChoices>,
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
            keep_alive_minutes: None,
            hub_endpoint: None,
            download_bytes_per_second: None,
            remembered: BTreeMap::new(),
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

    /// With another model chosen: this one's choices are remembered, that one's are back.
    #[must_use]
    pub fn with_model(mut self, id: ModelId) -> Self {
        if id == self.model_id {
            return self;
        }
        let choices = ModelChoices {
            device: self.device.clone(),
            context_tokens: self.context_tokens,
            quant: self.quant.clone(),
            threads: self.threads,
        };
        let other = self.for_model(&id);
        self.remembered.insert(self.model_id.to_string(), choices);
        self.remembered.remove(&id.to_string());
        Self {
            model_id: id,
            remembered: self.remembered,
            ..other
        }
    }

    /// As they are for this model, whichever is chosen. One that was never used has the device and threads of the chosen
    /// one, and is loaded as it is stored.
    #[must_use]
    pub fn for_model(&self, id: &ModelId) -> Self {
        let mut settings = self.clone();
        if *id != self.model_id {
            match self.remembered.get(&id.to_string()) {
                Some(choices) => {
                    settings.device = choices.device.clone();
                    settings.context_tokens = choices.context_tokens;
                    settings.quant.clone_from(&choices.quant);
                    settings.threads = choices.threads;
                }
                None => {
                    settings.context_tokens = None;
                    settings.quant = "none".into();
                }
            }
        }
        settings
    }

    /// How long an engine that nobody asks is kept; none: for ever.
    #[must_use]
    pub fn keep_alive(&self) -> Option<Duration> {
        let minutes = self.keep_alive_minutes?;
        Some(Duration::from_secs(u64::from(minutes) * 60))
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
        if self
            .keep_alive_minutes
            .is_some_and(|minutes| !(1..=10_080).contains(&minutes))
        {
            return out("keep-alive", "between 1 minute and 7 days, or for ever");
        }
        if self
            .download_bytes_per_second
            .is_some_and(|bytes| bytes < 1024)
        {
            return out("download limit", "at least 1,024 bytes a second, or none");
        }
        if let Some(endpoint) = &self.hub_endpoint {
            paddock_hub::check_endpoint(endpoint)?;
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
    fn every_model_has_its_own_choices() {
        let big = ModelId::local("/models/big");
        let settings = Settings {
            context_tokens: Some(2048),
            threads: Some(2),
            ..Settings::default()
        };
        let mut settings = settings.with_model(big.clone());
        assert_eq!((settings.context_tokens, settings.threads), (None, Some(2)));
        settings.quant = "q4k".into();
        assert_eq!(
            settings.for_model(&ModelId::demo()).context_tokens,
            Some(2048)
        );
        let settings = settings.with_model(ModelId::demo());
        assert_eq!(
            (settings.context_tokens, settings.quant.as_str()),
            (Some(2048), "none")
        );
        assert_eq!(settings.for_model(&big).quant, "q4k");
        assert_eq!(settings.with_model(big).quant, "q4k");
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
