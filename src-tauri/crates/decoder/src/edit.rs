//! Changes to a picture before it is asked about: turned by quarters, and cut to a part.
//!
//! Outside: keeping the result, and a history.

use image::RgbImage;
use serde::{Deserialize, Serialize};
use specta::Type;

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

impl PictureEdit {
    /// `upright`, changed; none if the part lies outside of it.
    #[must_use]
    pub fn apply(self, upright: RgbImage) -> Option<RgbImage> {
        use image::imageops::{crop_imm, rotate90, rotate180, rotate270};
        let turned = match self.quarter_turns % 4 {
            1 => rotate90(&upright),
            2 => rotate180(&upright),
            3 => rotate270(&upright),
            _ => upright,
        };
        let Some(region) = self.region else {
            return Some(turned);
        };
        let (left, width) = Region::span(region.left, region.width, turned.width())?;
        let (top, height) = Region::span(region.top, region.height, turned.height())?;
        Some(crop_imm(&turned, left, top, width, height).to_image())
    }
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
        let edit = PictureEdit {
            quarter_turns,
            region,
        };
        edit.apply(numbered())
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
