//! Idefics3 and SmolVLM: the picture enlarged to a fixed longer side, cut into squares, plus the whole as one more square.
//!
//! Outside: video.
//!
//! Source: `image_processing_idefics3*.py`, `image_processing_smolvlm*.py` and `processing_idefics3.py` of transformers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Files, Grid, TilePlan, drawable, positive};
use crate::{ImageSize, Resampling};

/// No picture is scaled beyond this, whatever the configuration says (`MAX_IMAGE_SIZE` in transformers).
const LARGEST_EDGE_PX: u32 = 4096;

/// Idefics3's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Idefics3 {
    /// Side of a square in pixels: 364 or 512 in the released models.
    pub tile_px: u32,
    /// Longer side, in pixels, that every picture is scaled to.
    pub longest_edge_px: u32,
    /// Whether pictures are cut into squares at all.
    pub splitting: bool,
    /// Tokens of one square: 169, 81 or 64 in the released models.
    pub tokens_per_tile: u32,
    /// How pictures are scaled.
    pub resampling: Resampling,
}

impl Idefics3 {
    pub(super) fn from_files(files: &Files<'_>) -> Option<Self> {
        let tile_px = files
            .preprocessor_u32("/max_image_size/longest_edge")
            .or_else(|| files.config_u32("/vision_config/image_size"))
            .filter(|side| *side <= LARGEST_EDGE_PX && drawable(*side, *side, 1))?;
        let patch_px = files.config_u32("/vision_config/patch_size").unwrap_or(14);
        let scale = files.config_u32("/scale_factor").unwrap_or(2);
        let patches = files
            .config_u32("/vision_config/image_size")
            .unwrap_or(tile_px)
            / patch_px;
        let switched = |name: &str| files.preprocessor.get(name).and_then(Value::as_bool);
        Some(Self {
            resampling: files.resampling(Resampling::Lanczos),
            tile_px,
            longest_edge_px: files
                .preprocessor_u32("/size/longest_edge")
                .unwrap_or(tile_px.saturating_mul(4))
                .min(LARGEST_EDGE_PX),
            splitting: switched("do_image_splitting").unwrap_or(true),
            tokens_per_tile: positive(files.processor, "/image_seq_len").unwrap_or_else(|| {
                // Both squares are of numbers up to 65,536.
                let tokens = u64::from(patches).pow(2) / u64::from(scale).pow(2);
                u32::try_from(tokens).unwrap_or(u32::MAX).max(1)
            }),
        })
    }

    pub(super) fn plan(&self, upright: ImageSize) -> TilePlan {
        let first = self.rescaled(upright);
        let tile = ImageSize::new(self.tile_px, self.tile_px);
        let seen = if self.splitting {
            self.squared(first)
        } else {
            tile
        };
        let grid = Grid {
            rows: seen.height_px / self.tile_px,
            columns: seen.width_px / self.tile_px,
        };
        let tiles = grid.rows * grid.columns;
        let split = tiles > 1;
        let squares = tiles + u32::from(split);
        let tokens = squares.saturating_mul(self.tokens_per_tile);
        // Each square has a mark and its place before it; each row ends in a line break, two after the last one, which
        // are one token in these models' vocabularies; and the last square has a mark behind it.
        let marks = 2 * squares + 1 + if split { grid.rows } else { 0 };
        TilePlan {
            grid,
            global_tile: split,
            seen,
            canvas: seen,
            tokens,
            prompt_tokens: tokens.saturating_add(marks),
            via: vec![first],
            global: split.then_some(tile),
            global_from_seen: true,
            cut_first: false,
            resampling: self.resampling,
        }
    }

    /// `get_resize_output_image_size`: the longer side becomes the wanted one, the shorter one follows, made even.
    fn rescaled(&self, size: ImageSize) -> ImageSize {
        let ratio = f64::from(size.width_px) / f64::from(size.height_px);
        let long = self.longest_edge_px;
        let even = |side: f64| {
            let side = side as u32;
            (side + side % 2).clamp(1, LARGEST_EDGE_PX)
        };
        if size.width_px >= size.height_px {
            ImageSize::new(long, even(f64::from(long) / ratio))
        } else {
            ImageSize::new(even(f64::from(long) * ratio), long)
        }
    }

    /// `resize_for_vision_encoder`: both sides up to a multiple of the square's.
    fn squared(&self, size: ImageSize) -> ImageSize {
        let ratio = f64::from(size.width_px) / f64::from(size.height_px);
        let up = |side: u32| side.max(1).div_ceil(self.tile_px) * self.tile_px;
        if size.width_px >= size.height_px {
            let width_px = up(size.width_px);
            ImageSize::new(width_px, up((f64::from(width_px) / ratio) as u32))
        } else {
            let height_px = up(size.height_px);
            ImageSize::new(up((f64::from(height_px) * ratio) as u32), height_px)
        }
    }
}
