//! Every choice with its default and its range.
//!
//! Outside: how they are kept (`document.rs`) and who changes them (`live.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use paddock_conversation::ModelId;
use paddock_models::LoadChoice;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::SettingsError;

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
    /// Counts the changes since the window was opened.
    pub revision: u32,
    /// The model that answers.
    pub chosen: ModelId,
    /// How models are loaded, by id; one that is not named is loaded as [`Settings::load_choice`] says.
    pub per_model: BTreeMap<String, LoadChoice>,
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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            revision: 0,
            chosen: ModelId::demo(),
            per_model: BTreeMap::new(),
            temperature: 0.0,
            max_answer_tokens: None,
            system_prompt: String::new(),
            theme: Theme::System,
            send_with_enter: true,
            keep_originals: true,
            keep_alive_minutes: None,
            hub_endpoint: None,
            download_bytes_per_second: None,
        }
    }
}

impl Settings {
    /// How a model is loaded. One for which nothing was chosen has the device and threads of the chosen model, and is
    /// loaded as it is stored.
    #[must_use]
    pub fn load_choice(&self, id: &ModelId) -> LoadChoice {
        let named = |id: &ModelId| self.per_model.get(&id.to_string()).cloned();
        named(id).unwrap_or_else(|| {
            let chosen = named(&self.chosen).unwrap_or_default();
            LoadChoice {
                device: chosen.device,
                threads: chosen.threads,
                ..LoadChoice::default()
            }
        })
    }

    /// How long an engine that nobody asks is kept; none: for ever.
    #[must_use]
    pub fn keep_alive(&self) -> Option<Duration> {
        let minutes = self.keep_alive_minutes?;
        Some(Duration::from_secs(u64::from(minutes) * 60))
    }

    /// # Errors
    /// A number is out of its range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let out = |name, range| Err(SettingsError::OutOfRange { name, range });
        if !(0.0..=2.0).contains(&self.temperature) {
            return out("temperature", "between 0 and 2");
        }
        for choice in self.per_model.values() {
            if choice.context_tokens.is_some_and(|tokens| tokens < 256) {
                return out("context length", "at least 256 tokens, or automatic");
            }
            if choice
                .threads
                .is_some_and(|threads| !(1..=1024).contains(&threads))
            {
                return out("threads", "between 1 and 1024, or automatic");
            }
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
        if self.max_answer_tokens == Some(0) {
            return out("longest answer", "at least 1 token, or automatic");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paddock_models::Quant;

    use super::*;

    #[test]
    fn a_model_that_was_never_used_has_the_device_and_threads_of_the_chosen_one() {
        let mut settings = Settings::default();
        settings.per_model.insert(
            ModelId::demo().to_string(),
            LoadChoice {
                context_tokens: Some(2048),
                threads: Some(2),
                quant: Quant::Q4K,
                ..LoadChoice::default()
            },
        );
        let big = ModelId::local("/models/big");
        assert_eq!(
            settings.load_choice(&big),
            LoadChoice {
                threads: Some(2),
                ..LoadChoice::default()
            }
        );
        assert_eq!(settings.load_choice(&ModelId::demo()).quant, Quant::Q4K);
    }
}
