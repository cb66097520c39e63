//! Images of a request: read from `data:` URLs, and what the engine really made of them.
//!
//! Outside: tiling and resizing, which mistral.rs does (with our patches), and intake of files, which the app
//! does before it sends anything.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use paddock_protocol::chat::{ErrorCode, ImageUse};
use serde_json::Value;

use crate::prompt::Refusal;

/// The app sends upright pictures of at most this size; anything larger is not from the app.
const MAX_EDGE_PX: u32 = 16_384;
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// # Errors
/// `image_url_not_allowed` for anything but a PNG or JPEG `data:` URL, `image_unreadable` if it does not decode.
pub fn decode(url: &str) -> Result<DynamicImage, Refusal> {
    let not_allowed = || {
        Refusal::new(
            ErrorCode::ImageUrlNotAllowed,
            "Images must be data: URLs with PNG or JPEG in base64; file and web addresses are not opened.",
        )
    };
    let rest = url.strip_prefix("data:").ok_or_else(not_allowed)?;
    let (kind, data) = rest.split_once(";base64,").ok_or_else(not_allowed)?;
    let format = match kind {
        "image/png" => ImageFormat::Png,
        "image/jpeg" | "image/jpg" => ImageFormat::Jpeg,
        _ => return Err(not_allowed()),
    };
    let unreadable = |why: String| {
        Refusal::new(
            ErrorCode::ImageUnreadable,
            format!("An image could not be read: {why}."),
        )
    };
    let bytes = STANDARD
        .decode(data)
        .map_err(|_| unreadable("its base64 is broken".into()))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EDGE_PX);
    limits.max_image_height = Some(MAX_EDGE_PX);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    reader
        .decode()
        .map_err(|error| unreadable(error.to_string()))
}

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
    /// `id` looks a token's id up by its text.
    pub fn from_config(config: &Value, id: impl Fn(&str) -> Option<u32>) -> Option<Self> {
        let number = |key: &str| {
            config
                .get(key)
                .and_then(Value::as_u64)
                .and_then(|number| u32::try_from(number).ok())
        };
        let feature = number("image_token_index").or_else(|| number("image_token_id"))?;
        let tile_px = config
            .pointer("/vision_config/image_size")
            .and_then(Value::as_u64)
            .and_then(|edge| u32::try_from(edge).ok())
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

    /// Counts every image in the prompt as the model got it, in order. Images are told apart by their end token or
    /// their last tile; without either, all feature tokens are given to a single image.
    pub fn count(&self, prompt: &[u32]) -> Vec<ImageUse> {
        let mut images = Vec::new();
        let (mut tokens, mut columns, mut rows, mut row_tiles) = (0u32, 0u32, 0u32, 1u32);
        // Whether the last tile was announced, and whether it has begun.
        let (mut announced, mut last) = (false, false);
        for &token in prompt {
            if token == self.feature {
                tokens += 1;
                last = announced;
                continue;
            }
            if last {
                images.push(self.used(tokens, rows, columns));
                (tokens, announced, last) = (0, false, false);
            }
            if Some(token) == self.last_tile {
                announced = true;
            } else if Some(token) == self.tile_x {
                row_tiles += 1;
            } else if Some(token) == self.tile_y {
                rows += 1;
                columns = columns.max(row_tiles);
                row_tiles = 1;
            } else if Some(token) == self.end && tokens > 0 {
                images.push(self.used(tokens, rows, columns));
                (tokens, columns, rows, row_tiles) = (0, 0, 0, 1);
            }
        }
        if tokens > 0 {
            images.push(self.used(tokens, rows, columns));
        }
        images
    }

    fn used(&self, tokens: u32, rows: u32, columns: u32) -> ImageUse {
        // One tile is written without separators.
        let tiled = self.tile_x.is_some();
        let (rows, columns) = if tiled {
            (rows.max(1), columns.max(1))
        } else {
            (0, 0)
        };
        ImageUse {
            width_px: columns * self.tile_px,
            height_px: rows * self.tile_px,
            rows,
            columns,
            tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA: ImageTokens = ImageTokens {
        feature: 1,
        end: Some(2),
        last_tile: None,
        tile_x: Some(3),
        tile_y: Some(4),
        tile_px: 336,
    };

    #[test]
    fn tiles_are_counted_as_they_stand_in_the_prompt() {
        // two rows of two tiles with two tokens a tile, the global tile; then a picture of one tile
        let prompt = [
            9, 1, 1, 3, 1, 1, 4, 1, 1, 3, 1, 1, 4, 8, 1, 1, 2, 7, 1, 1, 2, 5,
        ];
        let used = LLAMA.count(&prompt);
        assert_eq!(used.len(), 2);
        assert_eq!((used[0].rows, used[0].columns, used[0].tokens), (2, 2, 10));
        assert_eq!((used[0].width_px, used[0].height_px), (672, 672));
        assert_eq!((used[1].rows, used[1].columns, used[1].tokens), (1, 1, 2));
    }

    #[test]
    fn a_picture_ends_with_its_last_tile_where_no_token_closes_it() {
        let smolvlm = ImageTokens {
            feature: 1,
            last_tile: Some(2),
            ..ImageTokens::default()
        };
        // Two tiles and the last one, then a picture of one tile right after it, then the answer.
        let prompt = [9, 3, 1, 1, 3, 1, 1, 4, 3, 2, 1, 1, 3, 3, 2, 1, 1, 3, 5, 6];
        let tokens: Vec<u32> = smolvlm
            .count(&prompt)
            .iter()
            .map(|used| used.tokens)
            .collect();
        assert_eq!(tokens, [6, 2]);
    }

    #[test]
    fn only_pictures_in_the_request_itself_are_opened() {
        for url in [
            "https://example.org/a.png",
            "file:///etc/passwd",
            "/etc/passwd",
            "data:text/html;base64,AA==",
            "data:image/png,AA",
        ] {
            assert_eq!(
                decode(url).unwrap_err().code,
                ErrorCode::ImageUrlNotAllowed,
                "{url}"
            );
        }
        for url in [
            "data:image/png;base64,!!",
            "data:image/png;base64,AAAA",
            "data:image/jpeg;base64,",
        ] {
            assert_eq!(
                decode(url).unwrap_err().code,
                ErrorCode::ImageUnreadable,
                "{url}"
            );
        }
    }
}
