//! Gemma 3: the whole picture as one square; with "pan and scan", which is off by default, crops of long ones as well.
//!
//! Outside: Gemma 3n, which has an encoder of its own.
//!
//! Source: `image_processing_gemma3*.py` and `processing_gemma3.py` of transformers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Files, Grid, TilePlan, drawable, positive};
use crate::{ImageSize, Resampling};

/// Gemma 3's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gemma3 {
    /// The square's width and height; 896 each in the released models.
    pub square: ImageSize,
    /// Tokens of a square; 256 in the released models.
    pub tokens_per_square: u32,
    /// Settings of pan and scan, if it is on.
    pub pan_and_scan: Option<PanAndScan>,
    /// How pictures are scaled.
    pub resampling: Resampling,
}

/// When and how long pictures are cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PanAndScan {
    /// Shortest side of a crop in pixels.
    pub min_crop_px: u32,
    /// Most crops.
    pub max_crops: u32,
    /// Longer side by shorter side from which on a picture is cut.
    pub min_ratio: f64,
}

impl Gemma3 {
    pub(super) fn from_files(files: &Files<'_>) -> Option<Self> {
        let side = |pointer| {
            files
                .preprocessor_u32(pointer)
                .or_else(|| files.config_u32("/vision_config/image_size"))
        };
        let setting = |name: &str| files.preprocessor.get(name);
        let on = setting("do_pan_and_scan").and_then(Value::as_bool) == Some(true);
        let square = ImageSize::new(side("/size/width")?, side("/size/height")?);
        let max_crops = files
            .preprocessor_u32("/pan_and_scan_max_num_crops")
            .unwrap_or(4)
            .min(256);
        if !drawable(square.width_px, square.height_px, max_crops) {
            return None;
        }
        Some(Self {
            resampling: files.resampling(Resampling::Bilinear),
            square,
            tokens_per_square: positive(files.processor, "/image_seq_length")
                .or_else(|| files.preprocessor_u32("/image_seq_length"))
                .or_else(|| files.config_u32("/mm_tokens_per_image"))
                .unwrap_or(256),
            // 256, 4 and 1.2 are the processor's own defaults
            pan_and_scan: on.then(|| PanAndScan {
                min_crop_px: files
                    .preprocessor_u32("/pan_and_scan_min_crop_size")
                    .unwrap_or(256),
                max_crops,
                min_ratio: setting("pan_and_scan_min_ratio_to_activate")
                    .and_then(Value::as_f64)
                    .unwrap_or(1.2),
            }),
        })
    }

    pub(super) fn plan(&self, upright: ImageSize) -> TilePlan {
        let crops = self
            .pan_and_scan
            .as_ref()
            .and_then(|rules| rules.grid(upright));
        let grid = crops.unwrap_or(Grid {
            rows: 1,
            columns: 1,
        });
        let squares = 1 + crops.map_or(0, |grid| grid.rows * grid.columns);
        let tokens = squares.saturating_mul(self.tokens_per_square);
        let seen = ImageSize::new(
            self.square.width_px * grid.columns,
            self.square.height_px * grid.rows,
        );
        TilePlan {
            grid,
            global_tile: crops.is_some(),
            seen,
            canvas: seen,
            tokens,
            // Each square has a line break, a mark, its tokens, a mark and a line break. With crops there are words
            // around them, whose tokens depend on the vocabulary: about 15.
            prompt_tokens: tokens
                .saturating_add(4 * squares + if crops.is_some() { 15 } else { 0 }),
            via: Vec::new(),
            global: crops.map(|_| self.square),
            global_from_seen: false,
            cut_first: crops.is_some(),
            resampling: self.resampling,
        }
    }
}

impl PanAndScan {
    /// `pan_and_scan`: how many crops lie side by side along the longer side, if the picture is long enough.
    fn grid(&self, size: ImageSize) -> Option<Grid> {
        let wide = size.width_px >= size.height_px;
        let (long, short) = if wide {
            (size.width_px, size.height_px)
        } else {
            (size.height_px, size.width_px)
        };
        let ratio = f64::from(long) / f64::from(short);
        if ratio < self.min_ratio {
            return None;
        }
        // Halves are rounded up here.
        let count = ((ratio + 0.5).floor() as u32)
            .min(long / self.min_crop_px)
            .max(2)
            .min(self.max_crops);
        if long.div_ceil(count).min(short) < self.min_crop_px {
            return None;
        }
        Some(if wide {
            Grid {
                rows: 1,
                columns: count,
            }
        } else {
            Grid {
                rows: count,
                columns: 1,
            }
        })
    }
}
