//! The tokens by which a family writes pictures into the prompt.
//!
//! Outside: counting them in a prompt (the engine), and how many a picture takes (the decode crate).

use serde_json::Value;

use crate::json;

/// How a family writes images into the prompt, read from its `config.json` and tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageTokens {
    /// The placeholder that an image feature replaces.
    pub feature: u32,
    /// The token that closes an image; none if the family has no such token.
    pub end: Option<u32>,
    /// The token that announces an image's last tile: the image ends with that tile (SmolVLM, Idefics3).
    pub last_tile: Option<u32>,
    /// Between tiles of a row, and at the end of a row (Llama 4).
    pub tile_x: Option<u32>,
    pub tile_y: Option<u32>,
    /// Edge of a tile; 0 if the family has no tiles of one size.
    pub tile_px: u32,
}

impl ImageTokens {
    /// `None` for a model without pictures. `id` looks a token's id up by its text.
    #[must_use]
    pub fn from_config(config: &Value, id: impl Fn(&str) -> Option<u32>) -> Option<Self> {
        let whole =
            |value: &Value| json::whole(value).and_then(|number| u32::try_from(number).ok());
        let number = |key: &str| whole(config.get(key)?);
        let feature = number("image_token_index").or_else(|| number("image_token_id"))?;
        let tile_px = config
            .pointer("/vision_config/image_size")
            .and_then(whole)
            .unwrap_or(0);
        let family = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Some(match family {
            "llama4" => Self {
                feature,
                end: number("eoi_token_index").or_else(|| id("<|image_end|>")),
                tile_x: id("<|tile_x_separator|>"),
                tile_y: id("<|tile_y_separator|>"),
                tile_px,
                ..Self::default()
            },
            "gemma3" => Self {
                feature,
                end: number("eoi_token_index").or_else(|| id("<end_of_image>")),
                ..Self::default()
            },
            "idefics3" | "smolvlm" => Self {
                feature,
                last_tile: id("<global-img>"),
                ..Self::default()
            },
            _ => Self {
                feature,
                end: number("vision_end_token_id").or_else(|| id("<|vision_end|>")),
                ..Self::default()
            },
        })
    }
}
