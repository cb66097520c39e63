//! A plan for one picture, and its pixels drawn by it.
//!
//! Outside: how a family arrives at its plan.

use image::{GenericImage, RgbImage};
use serde::{Deserialize, Serialize};

use crate::ImageSize;
use crate::resample::{Resampling, resize};

/// Tiles in rows and columns, both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct Grid {
    /// Tiles from top to bottom.
    pub rows: u32,
    /// Tiles from left to right.
    pub columns: u32,
}

/// What a model sees of one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct TilePlan {
    /// Tiles the canvas is cut into.
    pub grid: Grid,
    /// Whether the model gets the whole picture once more, as one small tile.
    pub global_tile: bool,
    /// Size the picture is scaled to.
    pub seen: ImageSize,
    /// Size with the padding at the right and bottom; equal to `seen` where nothing is padded.
    pub canvas: ImageSize,
    /// Tokens that carry pixels, as the engine will count them.
    pub tokens: u32,
    /// All tokens the picture adds to the prompt: `tokens` with the marks before, between and after the tiles.
    pub prompt_tokens: u32,
    /// Sizes the picture passes through before `seen`, in order; families that scale twice have one.
    pub(crate) via: Vec<ImageSize>,
    /// Size of the small whole picture, if there is one.
    pub(crate) global: Option<ImageSize>,
    /// The small whole picture is made from the scaled one, not from the original.
    pub(crate) global_from_seen: bool,
    /// The picture is cut before it is scaled, not after.
    pub(crate) cut_first: bool,
    /// How it is scaled.
    pub(crate) resampling: Resampling,
}

impl TilePlan {
    /// The exact pixels the model will see, `canvas` in size, the padding black.
    ///
    /// `upright` has to be the picture the plan was made for.
    #[must_use]
    pub fn render(&self, upright: &RgbImage) -> RgbImage {
        if self.cut_first {
            return self.render_crops(upright);
        }
        let seen = self.scaled(upright);
        if self.seen == self.canvas {
            return seen;
        }
        let mut canvas = RgbImage::new(self.canvas.width_px, self.canvas.height_px);
        put(&mut canvas, &seen, 0, 0);
        canvas
    }

    /// The exact pixels of the small whole picture, if the model gets one.
    #[must_use]
    pub fn render_global(&self, upright: &RgbImage) -> Option<RgbImage> {
        let size = self.global?;
        Some(if self.global_from_seen {
            resize(&self.scaled(upright), size, self.resampling)
        } else {
            resize(upright, size, self.resampling)
        })
    }

    fn scaled(&self, upright: &RgbImage) -> RgbImage {
        let mut sizes = self.via.iter().chain([&self.seen]);
        let first = sizes
            .next()
            .map(|size| resize(upright, *size, self.resampling));
        let first = first.unwrap_or_else(|| upright.clone());
        sizes.fold(first, |image, size| resize(&image, *size, self.resampling))
    }

    fn render_crops(&self, upright: &RgbImage) -> RgbImage {
        let Grid { rows, columns } = self.grid;
        let tile = ImageSize::new(self.canvas.width_px / columns, self.canvas.height_px / rows);
        let (width, height) = (
            upright.width().div_ceil(columns),
            upright.height().div_ceil(rows),
        );
        let mut canvas = RgbImage::new(self.canvas.width_px, self.canvas.height_px);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            // The last crop may be narrower than the others.
            let crop =
                image::imageops::crop_imm(upright, column * width, row * height, width, height)
                    .to_image();
            let crop = resize(&crop, tile, self.resampling);
            put(
                &mut canvas,
                &crop,
                column * tile.width_px,
                row * tile.height_px,
            );
        }
        canvas
    }
}

fn put(canvas: &mut RgbImage, image: &RgbImage, x: u32, y: u32) {
    // Never fails: no family scales a picture beyond its canvas.
    let fits = canvas.copy_from(image, x, y);
    debug_assert!(fits.is_ok());
}
