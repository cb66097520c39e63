//! Images of a request: read from `data:` URLs, and what the engine really made of them.
//!
//! Outside: tiling and resizing, which mistral.rs does (with our patches), and intake of files, which the app
//! does before it sends anything.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use paddock_checkpoint::ImageTokens;
use paddock_protocol::chat::{ErrorCode, ImageUse};

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

/// Counts every image in the prompt as the model got it, in order. Images are told apart by their end token or
/// their last tile; without either, all feature tokens are given to a single image.
pub fn count(marks: &ImageTokens, prompt: &[u32]) -> Vec<ImageUse> {
    let mut images = Vec::new();
    let (mut tokens, mut columns, mut rows, mut row_tiles) = (0u32, 0u32, 0u32, 1u32);
    // Whether the last tile was announced, and whether it has begun.
    let (mut announced, mut last) = (false, false);
    for &token in prompt {
        if token == marks.feature {
            tokens += 1;
            last = announced;
            continue;
        }
        if last {
            images.push(used(marks, tokens, rows, columns));
            (tokens, announced, last) = (0, false, false);
        }
        if Some(token) == marks.last_tile {
            announced = true;
        } else if Some(token) == marks.tile_x {
            row_tiles += 1;
        } else if Some(token) == marks.tile_y {
            rows += 1;
            columns = columns.max(row_tiles);
            row_tiles = 1;
        } else if Some(token) == marks.end && tokens > 0 {
            images.push(used(marks, tokens, rows, columns));
            (tokens, columns, rows, row_tiles) = (0, 0, 0, 1);
        }
    }
    if tokens > 0 {
        images.push(used(marks, tokens, rows, columns));
    }
    images
}

fn used(marks: &ImageTokens, tokens: u32, rows: u32, columns: u32) -> ImageUse {
    // One tile is written without separators.
    let tiled = marks.tile_x.is_some();
    let (rows, columns) = if tiled {
        (rows.max(1), columns.max(1))
    } else {
        (0, 0)
    };
    ImageUse {
        width_px: columns.saturating_mul(marks.tile_px),
        height_px: rows.saturating_mul(marks.tile_px),
        rows,
        columns,
        tokens,
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
        let used = count(&LLAMA, &prompt);
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
        let tokens: Vec<u32> = count(&smolvlm, &prompt)
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
