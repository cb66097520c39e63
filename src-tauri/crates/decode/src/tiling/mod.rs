//! What a model will see of a picture, computed before anything is sent: grid, sizes, tokens and the very pixels.
//!
//! Outside: the arithmetic that turns pixels into numbers for the network (scaling, mean, deviation); it keeps their order.
//!
//! Each family's rules are a pure function of the model's own configuration files, written after the family's processor
//! in Hugging Face transformers and compared with it on hundreds of sizes (`tests/fixtures/tiling`).

mod gemma3;
mod idefics3;
mod llama4;
mod plan;
mod qwen_vl;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ImageSize, MediaError, Resampling};
pub use gemma3::{Gemma3, PanAndScan};
pub use idefics3::Idefics3;
pub use llama4::Llama4;
pub use plan::{Grid, TilePlan};
pub use qwen_vl::QwenVl;

/// The rules by which one model cuts pictures, read from its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "camelCase")]
pub enum Tiling {
    /// Llama 4: Scout, Maverick and the demo model.
    Llama4(Llama4),
    /// Idefics3, SmolVLM and SmolVLM2.
    Idefics3(Idefics3),
    /// Qwen2-VL, Qwen2.5-VL and Qwen3-VL.
    QwenVl(QwenVl),
    /// Gemma 3.
    Gemma3(Gemma3),
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
            "idefics3" | "smolvlm" => Idefics3::from_files(&files).map(Self::Idefics3),
            "qwen2_vl" | "qwen2_5_vl" => QwenVl::from_files(&files, false).map(Self::QwenVl),
            "qwen3_vl" | "qwen3_vl_moe" => QwenVl::from_files(&files, true).map(Self::QwenVl),
            // The text-only sizes of Gemma 3 say "gemma3_text".
            "gemma3" => Gemma3::from_files(&files).map(Self::Gemma3),
            _ => None,
        }
    }

    /// Whether the model takes a picture of `upright` pixels at all; ask before sending.
    ///
    /// # Errors
    /// [`MediaError::TooNarrow`] for pictures that are far longer than wide, which Qwen-VL refuses.
    pub fn check(&self, upright: ImageSize) -> Result<(), MediaError> {
        let long = upright.width_px.max(upright.height_px);
        let short = upright.width_px.min(upright.height_px).max(1);
        match self {
            Self::QwenVl(_) if long > short.saturating_mul(qwen_vl::MAX_RATIO) => {
                Err(MediaError::TooNarrow {
                    width_px: upright.width_px,
                    height_px: upright.height_px,
                    max_ratio: qwen_vl::MAX_RATIO,
                })
            }
            _ => Ok(()),
        }
    }

    /// What the model will see of a picture of `upright` pixels, each side from 1 to 65,535.
    #[must_use]
    pub fn plan(&self, upright: ImageSize) -> TilePlan {
        let upright = ImageSize::new(
            upright.width_px.clamp(1, 65_535),
            upright.height_px.clamp(1, 65_535),
        );
        match self {
            Self::Llama4(rules) => rules.plan(upright),
            Self::Idefics3(rules) => rules.plan(upright),
            Self::QwenVl(rules) => rules.plan(upright),
            Self::Gemma3(rules) => rules.plan(upright),
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

    /// The filter that `resample` names in Pillow's numbers, or the family's own.
    pub fn resampling(&self, default: Resampling) -> Resampling {
        match self.preprocessor.get("resample").and_then(Value::as_u64) {
            Some(1) => Resampling::Lanczos,
            Some(2) => Resampling::Bilinear,
            Some(3) => Resampling::Bicubic,
            _ => default,
        }
    }

    /// A number from `config.json`.
    pub fn config_u32(&self, pointer: &str) -> Option<u32> {
        positive(self.config, pointer)
    }
}

/// Pixels of the largest canvas that is drawn: rules that lead to more are not believed. Scout's is 1.8 million.
const MOST_PIXELS: u64 = 1 << 27;

/// Whether `count` tiles of these sides are a canvas that can be drawn.
fn drawable(width_px: u32, height_px: u32, count: u32) -> bool {
    u64::from(width_px)
        .checked_mul(height_px.into())
        .and_then(|pixels| pixels.checked_mul(count.into()))
        .is_some_and(|pixels| pixels <= MOST_PIXELS)
}

/// The number at `pointer` if it is a whole one from 1 to 65,536: nothing larger makes sense as a count or size here.
fn positive(value: &Value, pointer: &str) -> Option<u32> {
    let number = value.pointer(pointer)?.as_f64()?;
    // The cast is exact: checked to be whole and in range just here.
    (number.fract() == 0.0 && (1.0..=65_536.0).contains(&number)).then_some(number as u32)
}
