//! What a model will see of a picture, computed before anything is sent: grid, sizes, tokens and the very pixels.
//!
//! Outside: the arithmetic that turns pixels into numbers for the network (scaling, mean, deviation); it keeps their order.
//!
//! Each family's rules are a pure function of the model's own configuration files, written after the family's processor
//! in Hugging Face transformers and compared with it on hundreds of sizes (`tests/fixtures/tiling`).

mod llama4;
mod plan;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ImageSize;
pub use llama4::Llama4;
pub use plan::{Grid, Resampling, TilePlan};

/// The rules by which one model cuts pictures, read from its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "camelCase")]
pub enum Tiling {
    /// Llama 4: Scout, Maverick and the demo model.
    Llama4(Llama4),
}

impl Tiling {
    /// Reads the rules from a model's `config.json`, `preprocessor_config.json` and `processor_config.json`.
    ///
    /// `None` if the model takes no pictures, or is of a family whose rules are not known here.
    #[must_use]
    pub fn from_files(
        config: &Value,
        preprocessor: Option<&Value>,
        processor: Option<&Value>,
    ) -> Option<Self> {
        let files = Files {
            config,
            // transformers 5 keeps the picture's settings inside processor_config.json
            preprocessor: preprocessor
                .or_else(|| processor?.get("image_processor"))
                .unwrap_or(&Value::Null),
            processor: processor.unwrap_or(&Value::Null),
        };
        match config.get("model_type")?.as_str()? {
            "llama4" => Llama4::from_files(&files).map(Self::Llama4),
            _ => None,
        }
    }

    /// What the model will see of a picture of `upright` pixels.
    #[must_use]
    pub fn plan(&self, upright: ImageSize) -> TilePlan {
        match self {
            Self::Llama4(rules) => rules.plan(upright),
        }
    }
}

/// A model's configuration files; one that is missing is `Null`.
pub(crate) struct Files<'a> {
    pub config: &'a Value,
    pub preprocessor: &'a Value,
    pub processor: &'a Value,
}

impl Files<'_> {
    /// A number from the preprocessor's settings.
    pub fn preprocessor_u32(&self, pointer: &str) -> Option<u32> {
        positive(self.preprocessor, pointer)
    }

    /// A number from `config.json`.
    pub fn config_u32(&self, pointer: &str) -> Option<u32> {
        positive(self.config, pointer)
    }
}

/// The number at `pointer` if it is a whole one from 1 to 65,536: nothing larger makes sense as a count or size here.
fn positive(value: &Value, pointer: &str) -> Option<u32> {
    let number = value.pointer(pointer)?.as_f64()?;
    // The cast is exact: checked to be whole and in range just here.
    (number.fract() == 0.0 && (1.0..=65_536.0).contains(&number)).then_some(number as u32)
}
