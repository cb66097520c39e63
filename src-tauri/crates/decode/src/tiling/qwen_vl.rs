//! Qwen2-VL, Qwen2.5-VL and Qwen3-VL: one picture at nearly its own size, both sides multiples of a block.
//!
//! Outside: video.
//!
//! Source: `smart_resize` in `image_processing_qwen2_vl*.py` of transformers.

use serde::{Deserialize, Serialize};

use super::{Files, Grid, MOST_PIXELS, TilePlan};
use crate::{ImageSize, Resampling};

/// Qwen-VL's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QwenVl {
    /// Side of a block, which becomes one token, in pixels: 28 in Qwen2-VL and 2.5, 32 in Qwen3-VL.
    pub block_px: u32,
    /// Smaller pictures are enlarged to about so many pixels.
    pub min_pixels: u64,
    /// Larger pictures are reduced to at most so many pixels.
    pub max_pixels: u64,
    /// How pictures are scaled.
    pub resampling: Resampling,
}

/// Longest a picture may be for its width; beyond it transformers and the engine refuse.
pub(super) const MAX_RATIO: u32 = 200;

impl QwenVl {
    pub(super) fn from_files(files: &Files<'_>, qwen3: bool) -> Option<Self> {
        let patch_px = files
            .preprocessor_u32("/patch_size")
            .or_else(|| files.config_u32("/vision_config/patch_size"))
            .unwrap_or(if qwen3 { 16 } else { 14 });
        let merge = files
            .preprocessor_u32("/merge_size")
            .or_else(|| files.config_u32("/vision_config/spatial_merge_size"))
            .unwrap_or(2);
        let pixels = |names: [&str; 2]| {
            let found = names
                .iter()
                .find_map(|name| files.preprocessor.pointer(name))?
                .as_u64()?;
            Some(found)
        };
        // The image processor's own defaults
        let min_pixels = pixels(["/min_pixels", "/size/shortest_edge"]).unwrap_or(56 * 56);
        let max_pixels = pixels(["/max_pixels", "/size/longest_edge"]).unwrap_or(28 * 28 * 1280);
        if !(1..=MOST_PIXELS).contains(&min_pixels) || !(1..=MOST_PIXELS).contains(&max_pixels) {
            return None;
        }
        Some(Self {
            resampling: files.resampling(Resampling::Bicubic),
            block_px: patch_px.checked_mul(merge).filter(|block| *block <= 1024)?,
            min_pixels,
            max_pixels,
        })
    }

    pub(super) fn plan(&self, upright: ImageSize) -> TilePlan {
        let seen = self.smart_resize(upright);
        let blocks =
            u64::from(seen.width_px / self.block_px) * u64::from(seen.height_px / self.block_px);
        let tokens = u32::try_from(blocks).unwrap_or(u32::MAX - 2);
        TilePlan {
            grid: Grid {
                rows: 1,
                columns: 1,
            },
            global_tile: false,
            seen,
            canvas: seen,
            tokens,
            // start and end of vision
            prompt_tokens: tokens.saturating_add(2),
            via: Vec::new(),
            global: None,
            global_from_seen: false,
            cut_first: false,
            resampling: self.resampling,
        }
    }

    fn smart_resize(&self, size: ImageSize) -> ImageSize {
        let block = f64::from(self.block_px);
        let (height, width) = (f64::from(size.height_px), f64::from(size.width_px));
        // Python rounds halves to the even neighbour.
        let mut down = (height / block).round_ties_even();
        let mut across = (width / block).round_ties_even();
        let pixels = down * across * block * block;
        if pixels > self.max_pixels as f64 {
            let beta = (height * width / self.max_pixels as f64).sqrt();
            down = (height / beta / block).floor().max(1.0);
            across = (width / beta / block).floor().max(1.0);
        } else if pixels < self.min_pixels as f64 {
            let beta = (self.min_pixels as f64 / (height * width)).sqrt();
            down = (height * beta / block).ceil();
            across = (width * beta / block).ceil();
        }
        let side = |blocks: f64| (blocks.max(1.0) as u32).saturating_mul(self.block_px);
        ImageSize::new(side(across), side(down))
    }
}
