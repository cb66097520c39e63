//! Llama 4: the grid whose canvas fits the picture best, plus the whole picture as one more tile.
//!
//! Outside: the text of the marks between tiles; only their number matters here.
//!
//! Source: `image_processing_llama4*.py` and `processing_llama4.py` of transformers.

use serde::{Deserialize, Serialize};

use super::{Files, Grid, TilePlan, drawable, positive};
use crate::{ImageSize, Resampling};

/// Llama 4's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Llama4 {
    /// Side of a tile in pixels; 336 in the released models.
    pub tile_px: u32,
    /// Most tiles, not counting the whole picture; 16 in the released models.
    pub max_tiles: u32,
    /// Whether small pictures are enlarged to the largest canvas; off in the released models.
    pub resize_to_max_canvas: bool,
    /// Tokens of one tile; 144 in the released models.
    pub tokens_per_tile: u32,
    /// How pictures are scaled.
    pub resampling: Resampling,
}

impl Llama4 {
    pub(super) fn from_files(files: &Files<'_>) -> Option<Self> {
        let tile_px = files
            .preprocessor_u32("/size/height")
            .or_else(|| files.config_u32("/vision_config/image_size"))?;
        let patch_px = positive(files.processor, "/patch_size")
            .or_else(|| files.config_u32("/vision_config/patch_size"))
            .unwrap_or(14);
        let ratio = files
            .processor
            .get("pixel_shuffle_ratio")
            .or_else(|| files.config.pointer("/vision_config/pixel_shuffle_ratio"))
            .and_then(serde_json::Value::as_f64)
            .filter(|ratio| (0.01..=1.0).contains(ratio))
            .unwrap_or(0.5);
        let patches_a_side = tile_px / patch_px;
        // processing_llama4.py: downsample_ratio = int(round(1.0 / (pixel_shuffle_ratio**2)))
        let patches_a_token = (1.0 / (ratio * ratio)).round() as u32;
        // 16 and, below, off are the image processor's own defaults
        let max_tiles = files
            .preprocessor_u32("/max_patches")
            .unwrap_or(16)
            .min(256);
        if !drawable(tile_px, tile_px, max_tiles) {
            return None;
        }
        let tokens = u64::from(patches_a_side).pow(2) / u64::from(patches_a_token.max(1));
        Some(Self {
            resampling: files.resampling(Resampling::Bilinear),
            tile_px,
            max_tiles,
            resize_to_max_canvas: files
                .preprocessor
                .get("resize_to_max_canvas")
                .and_then(serde_json::Value::as_bool)
                == Some(true),
            tokens_per_tile: u32::try_from(tokens).unwrap_or(u32::MAX).max(1),
        })
    }

    pub(super) fn plan(&self, upright: ImageSize) -> TilePlan {
        let grid = self.best_grid(upright);
        let canvas = ImageSize {
            width_px: grid.columns * self.tile_px,
            height_px: grid.rows * self.tile_px,
        };
        let bound = |side: u32, canvas: u32| {
            // A picture is enlarged to one tile's side at most, unless the largest canvas is wanted.
            let wanted = side.max(self.tile_px);
            if self.resize_to_max_canvas || canvas < wanted {
                Bound {
                    px: canvas,
                    single: true,
                }
            } else {
                Bound {
                    px: wanted,
                    single: false,
                }
            }
        };
        let across = bound(upright.width_px, canvas.width_px);
        let down = bound(upright.height_px, canvas.height_px);
        let tiles = grid.rows * grid.columns;
        let global_tile = tiles > 1;
        let tokens = (tiles + u32::from(global_tile)).saturating_mul(self.tokens_per_tile);
        // start, image, end; and one mark after each tile of the grid
        let marks = 3 + if global_tile { tiles } else { 0 };
        TilePlan {
            grid,
            global_tile,
            seen: fit(upright, across, down),
            canvas,
            tokens,
            prompt_tokens: tokens.saturating_add(marks),
            via: Vec::new(),
            global: global_tile.then_some(ImageSize {
                width_px: self.tile_px,
                height_px: self.tile_px,
            }),
            global_from_seen: false,
            cut_first: false,
            resampling: self.resampling,
        }
    }

    /// `get_best_fit`: the smallest enlargement that is possible, else the mildest reduction; among equals the smallest
    /// canvas. The scales are 32-bit floats as torch's are, because rounding decides between near-equals.
    fn best_grid(&self, upright: ImageSize) -> Grid {
        let scale = |grid: &Grid| {
            let across = (grid.columns * self.tile_px) as f32 / upright.width_px as f32;
            let down = (grid.rows * self.tile_px) as f32 / upright.height_px as f32;
            across.min(down)
        };
        let grids = (1..=self.max_tiles).rev().flat_map(|tiles| {
            (1..=tiles)
                .filter(move |rows| tiles % rows == 0)
                .map(move |rows| Grid {
                    rows,
                    columns: tiles / rows,
                })
        });
        let mut best: Option<(f32, Grid)> = None;
        for grid in grids {
            let scale = scale(&grid);
            let better = best.is_none_or(|(best_scale, best_grid)| {
                if scale == best_scale {
                    return grid.rows * grid.columns < best_grid.rows * best_grid.columns;
                }
                match (scale >= 1.0, best_scale >= 1.0) {
                    (true, true) => (scale > best_scale) == self.resize_to_max_canvas,
                    (true, false) => true,
                    (false, true) => false,
                    (false, false) => scale > best_scale,
                }
            });
            if better {
                best = Some((scale, grid));
            }
        }
        best.map_or(
            Grid {
                rows: 1,
                columns: 1,
            },
            |(_, grid)| grid,
        )
    }
}

/// Largest length of a side. transformers calculates with the canvas as a 32-bit tensor and with the picture's own sides
/// as Python numbers of 64 bits; a picture of 1280 x 720 differs by a row.
struct Bound {
    px: u32,
    single: bool,
}

impl Bound {
    fn scale(&self, side: u32) -> f64 {
        if self.single {
            f64::from(self.px as f32 / side as f32)
        } else {
            f64::from(self.px) / f64::from(side)
        }
    }

    /// `side`, scaled by this bound's `scale` and rounded down.
    fn scaled(&self, side: u32, scale: f64) -> u32 {
        let product = if self.single {
            f64::from(side as f32 * scale as f32)
        } else {
            f64::from(side) * scale
        };
        product.floor() as u32
    }
}

/// `get_max_res_without_distortion`: the largest size within the bounds of the same shape, rounded down, at least 1 x 1.
fn fit(size: ImageSize, across: Bound, down: Bound) -> ImageSize {
    let (by_width, by_height) = (across.scale(size.width_px), down.scale(size.height_px));
    let width_decides = if across.single || down.single {
        (by_width as f32) < by_height as f32
    } else {
        by_width < by_height
    };
    if width_decides {
        let height_px = across.scaled(size.height_px, by_width).min(down.px);
        ImageSize::new(across.px.max(1), height_px.max(1))
    } else {
        let width_px = down.scaled(size.width_px, by_height).min(across.px);
        ImageSize::new(width_px.max(1), down.px.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOUT: Llama4 = Llama4 {
        tile_px: 336,
        max_tiles: 16,
        resize_to_max_canvas: false,
        tokens_per_tile: 144,
        resampling: Resampling::Bilinear,
    };

    #[test]
    fn counts_the_tokens_metas_model_card_gives() {
        for ((width_px, height_px), tokens, rows) in [
            ((336, 336), 144, 1),
            ((672, 672), 720, 2),
            ((1344, 1344), 2448, 4),
            ((8000, 8000), 2448, 4),
        ] {
            let plan = SCOUT.plan(ImageSize {
                width_px,
                height_px,
            });
            assert_eq!(
                (plan.tokens, plan.grid.rows),
                (tokens, rows),
                "{width_px} x {height_px}"
            );
        }
    }
}
