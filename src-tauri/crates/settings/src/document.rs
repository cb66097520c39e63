//! The settings as they lie in the store, whatever version wrote them.
//!
//! Outside: the store itself. What another version of Paddock wrote and this one does not know is kept as it is, so that
//! going back to that version finds it again.

use paddock_conversation::ModelId;
use paddock_models::LoadChoice;
use serde_json::{Map, Value, json};

use crate::Settings;

/// The name of the document in the store.
pub(crate) const NAME: &str = "settings";
/// Raised when a field changes its meaning; new fields alone need no new version.
pub(crate) const VERSION: u32 = 2;

/// Fields of [`LoadChoice`], which version 1 kept beside the others for the chosen model, and under `remembered` for the
/// rest.
const FLAT: [&str; 4] = ["device", "contextTokens", "quant", "threads"];

/// A kept document, read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    pub settings: Settings,
    /// Fields that this version does not know.
    unknown: Map<String, Value>,
    version: u32,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            unknown: Map::new(),
            version: VERSION,
        }
    }
}

impl Document {
    /// A field that is missing or not understood has its default; the others keep their values.
    pub fn read(version: u32, document: &Value) -> Self {
        let mut read = Self {
            version: version.max(VERSION),
            ..Self::default()
        };
        let Some(fields) = document.as_object() else {
            return read;
        };
        let mut fields = fields.clone();
        if version < 2 {
            upgrade(&mut fields);
        }
        for (name, value) in fields {
            let Ok(mut whole) = serde_json::to_value(&read.settings) else {
                continue;
            };
            if name == "revision" {
                continue;
            }
            if whole.get(&name).is_none() {
                read.unknown.insert(name, value);
                continue;
            }
            if name == "perModel" {
                read.settings.per_model = understood(&value);
                continue;
            }
            whole[&name] = value;
            if let Ok(settings) = serde_json::from_value::<Settings>(whole)
                && settings.check().is_ok()
            {
                read.settings = settings;
            }
        }
        read
    }

    /// For the store, with the version that it is to be marked with.
    pub fn write(&self) -> (u32, Value) {
        let mut fields = self.unknown.clone();
        if let Ok(Value::Object(known)) = serde_json::to_value(&self.settings) {
            fields.extend(known);
        }
        fields.remove("revision");
        (self.version, Value::Object(fields))
    }
}

/// The choices that are understood and within their ranges.
fn understood(value: &Value) -> std::collections::BTreeMap<String, LoadChoice> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(id, choice)| {
            let choice = serde_json::from_value(choice.clone()).ok()?;
            let mut alone = Settings::default();
            alone.per_model.insert(id.clone(), choice);
            alone.check().ok()?;
            alone.per_model.pop_first()
        })
        .collect()
}

/// Version 1 to 2: `modelId` becomes `chosen`, what lay flat becomes an entry of `perModel`.
fn upgrade(fields: &mut Map<String, Value>) {
    let chosen = fields
        .remove("modelId")
        .unwrap_or_else(|| json!(ModelId::demo()));
    let mut per_model = match fields.remove("remembered") {
        Some(Value::Object(remembered)) => remembered,
        _ => Map::new(),
    };
    let Ok(Value::Object(mut choice)) = serde_json::to_value(LoadChoice::default()) else {
        return;
    };
    for name in FLAT {
        if let Some(value) = fields.remove(name) {
            let mut with = choice.clone();
            with.insert(name.into(), value);
            // One field that is out of range does not take the others along.
            let whole = json!({ "one": with });
            if !understood(&whole).is_empty() {
                choice = with;
            }
        }
    }
    if let Some(id) = chosen.as_str() {
        per_model.insert(id.to_owned(), Value::Object(choice));
    }
    fields.insert("chosen".into(), chosen);
    fields.insert("perModel".into(), Value::Object(per_model));
}

#[cfg(test)]
mod tests {
    use paddock_models::Quant;

    use super::*;
    use crate::Theme;

    #[test]
    fn what_version_1_kept_is_found_again() {
        let big = ModelId::local("/models/big");
        let document = json!({
            "modelId": big.to_string(), "device": { "kind": "auto" }, "contextTokens": 4096, "quant": "q4k", "threads": 0,
            "theme": "dark", "temperature": "hot", "gone": 1,
            "remembered": { "demo": { "device": { "kind": "auto" }, "contextTokens": null, "quant": "q8_0", "threads": 2 } }
        });
        let read = Document::read(1, &document).settings;
        assert_eq!((read.theme, read.temperature), (Theme::Dark, 0.0));
        assert_eq!(read.chosen, big);
        let choice = read.load_choice(&big);
        assert_eq!(
            (choice.context_tokens, choice.quant, choice.threads),
            (Some(4096), Quant::Q4K, None)
        );
        let demo = read.load_choice(&ModelId::demo());
        assert_eq!((demo.quant, demo.threads), (Quant::Q8_0, Some(2)));
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let newer =
            json!({ "voice": { "speed": 2 }, "theme": "light", "chosen": "demo", "perModel": {} });
        let mut document = Document::read(7, &newer);
        document.settings.theme = Theme::Dark;
        let (version, written) = document.write();
        assert_eq!(version, 7);
        assert_eq!(written["voice"], json!({ "speed": 2 }));
        assert_eq!(written["theme"], json!("dark"));
        assert_eq!(Document::read(version, &written), document);
    }

    #[test]
    fn one_bad_choice_does_not_take_the_others_along() {
        let document = json!({ "perModel": {
            "local:/a": { "device": { "kind": "auto" }, "contextTokens": 3, "quant": "none", "threads": null },
            "local:/b": { "device": { "kind": "auto" }, "contextTokens": 300, "quant": "none", "threads": null },
            "local:/c": 12
        }});
        let read = Document::read(2, &document).settings;
        assert_eq!(read.per_model.keys().collect::<Vec<_>>(), ["local:/b"]);
    }

    #[test]
    fn nothing_that_is_kept_breaks_reading() {
        for broken in [
            json!(null),
            json!([]),
            json!({ "perModel": [] }),
            json!({ "modelId": 3 }),
        ] {
            for version in [0, 1, 2, 9] {
                Document::read(version, &broken);
            }
        }
    }
}
