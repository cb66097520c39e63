//! A plan for one picture, and its pixels drawn by it.
//!
//! Outside: how a family arrives at its plan.

use image::{GenericImage, Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::ImageSize;

/// Tiles in rows and columns, both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct Grid {
    /// Tiles from top to bottom.
    pub rows: u32,
    /// Tiles from left to right.
    pub columns: u32,
}

/// How pixels are weighed when a picture is scaled; all of them antialiased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub enum Resampling {
    /// Triangle filter.
    Bilinear,
    /// Cubic filter with a = -0.5.
    Bicubic,
    /// Lanczos filter with three lobes.
    Lanczos,
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
    /// Tokens that carry pixels.
    pub tokens: u32,
    /// All tokens the picture adds to the prompt: `tokens` with the marks before, between and after the tiles.
    pub prompt_tokens: u32,
    /// Whether `tokens` is what the engine will use, and not an estimate.
    pub exact: bool,
    /// Sizes the picture passes through before `seen`, in order; families that scale twice have one.
    pub(crate) via: Vec<ImageSize>,
    /// Size of the small whole picture, if there is one.
    pub(crate) global: Option<ImageSize>,
    /// How it is scaled.
    pub(crate) resampling: Resampling,
}

impl TilePlan {
    /// The exact pixels the model will see, `canvas` in size, the padding black.
    ///
    /// `upright` has to be the picture the plan was made for.
    #[must_use]
    pub fn render(&self, upright: &RgbImage) -> RgbImage {
        let seen = resize(upright, self.seen, self.resampling);
        if self.seen == self.canvas {
            return seen;
        }
        let mut canvas =
            RgbImage::from_pixel(self.canvas.width_px, self.canvas.height_px, Rgb([0, 0, 0]));
        // Never fails: no family scales a picture beyond its canvas.
        let _ = canvas.copy_from(&seen, 0, 0);
        canvas
    }

    /// The exact pixels of the small whole picture, if the model gets one.
    #[must_use]
    pub fn render_global(&self, upright: &RgbImage) -> Option<RgbImage> {
        self.global
            .map(|size| resize(upright, size, self.resampling))
    }
}

fn resize(image: &RgbImage, to: ImageSize, resampling: Resampling) -> RgbImage {
    let filter = match resampling {
        Resampling::Bilinear => image::imageops::Triangle,
        Resampling::Bicubic => image::imageops::CatmullRom,
        Resampling::Lanczos => image::imageops::Lanczos3,
    };
    image::imageops::resize(image, to.width_px, to.height_px, filter)
}
