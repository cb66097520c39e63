//! Changes to a picture before it is asked about: turned by quarters, and cut to a part.
//!
//! Outside: keeping a history. A changed picture is a new picture; the old one stays, so undo is going back to it.

use paddock_conversation::{Attachment, Failure, ImageId};
use paddock_decode::{Limits, RgbImage, decode_upright, encode_png};
use paddock_store::{Rendition, Store};
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::chat::{Chat, now_ms};
use crate::{AttachOutcome, ChatError, pictures};

/// What is to be done to a picture: first turned, then cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct PictureEdit {
    /// Clockwise; any number, only the rest of a division by 4 counts.
    pub quarter_turns: u8,
    /// The part to keep; none keeps all.
    pub region: Option<Region>,
}

/// A part of a picture, in shares of its width and height (0 to 1), after turning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Region {
    /// First pixel and length on one side of `pixels`; at least one pixel, never beyond the end.
    fn span(start: f64, length: f64, pixels: u32) -> Option<(u32, u32)> {
        let known = start.is_finite() && length.is_finite() && length > 0.0 && pixels > 0;
        if !known || start >= 1.0 || start + length <= 0.0 {
            return None;
        }
        let at = |share: f64| (share.clamp(0.0, 1.0) * f64::from(pixels)).round() as u32;
        let first = at(start).min(pixels - 1);
        Some((first, at(start + length).max(first + 1) - first))
    }
}

impl Chat {
    /// Makes a changed copy of a picture. A part is cut from the original file if that was kept, so that it has all the
    /// detail there is. What cannot be done is an outcome, not an error.
    pub async fn edit_picture(&self, id: ImageId, edit: PictureEdit) -> AttachOutcome {
        let _turn = self.decoder().await;
        let named = id.clone();
        let edited = self
            .blocking(move |chat| changed(chat.store(), &id, edit))
            .await;
        match edited {
            Ok(attachment) => AttachOutcome::Attached { attachment },
            Err(error) => self.refused(named, &error).await,
        }
    }
}

/// Blocks.
fn changed(store: &Store, id: &ImageId, edit: PictureEdit) -> Result<Attachment, ChatError> {
    let before = store.attachment(id)?;
    let rendition = if store.blobs().contains(id, Rendition::Original) {
        Rendition::Original
    } else {
        Rendition::Upright
    };
    let bytes = store.blobs().read(id, rendition)?;
    let upright = decode_upright(&bytes, &Limits::DEFAULT)
        .map_err(|error| ChatError::Refused(error.failure()))?
        .image;
    let image = apply(&upright, edit).ok_or_else(|| {
        ChatError::Refused(Failure::new(
            "emptyRegion",
            "The chosen part lies outside the picture.",
            "Draw the rectangle inside the picture.",
        ))
    })?;
    drop(upright);
    let png = encode_png(&image).map_err(|error| ChatError::Refused(error.failure()))?;
    let name = match edit.region {
        Some(_) if !before.name.starts_with("Part of ") => format!("Part of {}", before.name),
        _ => before.name,
    };
    // The original of the original is still there.
    pictures::take_in(
        store,
        &name,
        &png,
        image.as_raw().len() as u64 > pictures::MAX_KEPT_BYTES,
        now_ms(),
    )
}

fn apply(upright: &RgbImage, edit: PictureEdit) -> Option<RgbImage> {
    use image::imageops::{crop_imm, rotate90, rotate180, rotate270};
    let turned = match edit.quarter_turns % 4 {
        1 => Some(rotate90(upright)),
        2 => Some(rotate180(upright)),
        3 => Some(rotate270(upright)),
        _ => None,
    };
    let turned = turned.as_ref().unwrap_or(upright);
    let Some(region) = edit.region else {
        return Some(turned.clone());
    };
    let (left, width) = Region::span(region.left, region.width, turned.width())?;
    let (top, height) = Region::span(region.top, region.height, turned.height())?;
    Some(crop_imm(turned, left, top, width, height).to_image())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> RgbImage {
        RgbImage::from_fn(4, 2, |x, y| image::Rgb([x as u8, y as u8, 0]))
    }

    fn edit(quarter_turns: u8, region: Option<(f64, f64, f64, f64)>) -> Option<RgbImage> {
        let region = region.map(|(left, top, width, height)| Region {
            left,
            top,
            width,
            height,
        });
        apply(
            &numbered(),
            PictureEdit {
                quarter_turns,
                region,
            },
        )
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        let turned = edit(1, None).unwrap();
        assert_eq!(turned.dimensions(), (2, 4));
        // The lower left corner comes to the upper left.
        assert_eq!(turned.get_pixel(0, 0).0, [0, 1, 0]);
        assert_eq!(edit(4, None).unwrap(), numbered());
    }

    #[test]
    fn a_part_is_cut_after_turning_and_held_inside() {
        let part = edit(0, Some((0.5, 0.0, 0.5, 0.5))).unwrap();
        assert_eq!(part.dimensions(), (2, 1));
        assert_eq!(part.get_pixel(0, 0).0, [2, 0, 0]);
        let part = edit(1, Some((0.5, 0.5, 5.0, 5.0))).unwrap();
        assert_eq!(part.dimensions(), (1, 2));
        assert_eq!(
            edit(0, Some((0.99, 0.99, 0.001, 0.001)))
                .unwrap()
                .dimensions(),
            (1, 1)
        );
        for nothing in [
            (1.5, 0.0, 0.1, 0.1),
            (0.0, 0.0, 0.0, 0.5),
            (f64::NAN, 0.0, 1.0, 1.0),
            (-2.0, 0.0, 1.0, 1.0),
        ] {
            assert_eq!(edit(0, Some(nothing)), None, "{nothing:?}");
        }
    }
}
