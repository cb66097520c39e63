//! Everything there is to say about one picture and one model: what `paddock look` prints and saves.
//!
//! Outside: reading files and writing to the terminal.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::{
    Format, Grid, ImageSize, Limits, MediaError, TilePlan, Tiling, decode_upright, encode_png,
};

/// One picture as a model will see it.
#[derive(Clone, Debug)]
pub struct Look {
    /// What is printed.
    pub report: LookReport,
    /// The picture, upright, in sRGB.
    pub upright: RgbImage,
    /// The exact pixels the model will see, padding included; without a model the upright picture.
    pub seen: RgbImage,
    /// The whole picture once more in one tile, if the model gets that.
    pub whole: Option<RgbImage>,
    /// The plan; without a model none.
    pub plan: Option<TilePlan>,
}

/// The facts of [`Look`], serialised in snake case as the command line prints them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookReport {
    /// Format of the file.
    pub format: Format,
    /// Size of the pixels as stored.
    pub stored: Size,
    /// Size when turned upright.
    pub upright: Size,
    /// Tiles; none without a model.
    pub grid: Option<Grid>,
    /// Whether the model gets the whole picture as one more tile.
    pub global_tile: bool,
    /// Size the picture is scaled to, without padding.
    pub seen: Size,
    /// Size with padding, which is the size of the saved picture.
    pub canvas: Size,
    /// Tokens that carry pixels; none without a model.
    pub tokens: Option<u32>,
    /// Tokens with all marks around and between tiles; none without a model.
    pub prompt_tokens: Option<u32>,
    /// What was done to the picture, as sentences.
    pub notes: Vec<String>,
}

/// A size as the command line prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels from left to right.
    pub width_px: u32,
    /// Pixels from top to bottom.
    pub height_px: u32,
}

impl From<ImageSize> for Size {
    fn from(
        ImageSize {
            width_px,
            height_px,
        }: ImageSize,
    ) -> Self {
        Self {
            width_px,
            height_px,
        }
    }
}

impl Look {
    /// The upright picture as PNG.
    ///
    /// # Errors
    /// [`MediaError::NotWritten`].
    pub fn upright_png(&self) -> Result<Vec<u8>, MediaError> {
        encode_png(&self.upright)
    }

    /// The pixels the model will see as PNG.
    ///
    /// # Errors
    /// [`MediaError::NotWritten`].
    pub fn seen_png(&self) -> Result<Vec<u8>, MediaError> {
        encode_png(&self.seen)
    }
}

/// Decodes `bytes` and plans it for a model with the rules `tiling`; without them only the picture itself is described.
///
/// # Errors
/// [`MediaError`] with the reason why the picture cannot be taken.
pub fn look(bytes: &[u8], limits: &Limits, tiling: Option<&Tiling>) -> Result<Look, MediaError> {
    let decoded = decode_upright(bytes, limits)?;
    let size = ImageSize::new(decoded.image.width(), decoded.image.height());
    let plan = match tiling {
        Some(tiling) => {
            tiling.check(size)?;
            Some(tiling.plan(size))
        }
        None => None,
    };
    let seen = plan
        .as_ref()
        .map_or_else(|| decoded.image.clone(), |plan| plan.render(&decoded.image));
    let whole = plan
        .as_ref()
        .and_then(|plan| plan.render_global(&decoded.image));
    let report = LookReport {
        format: decoded.probe.format,
        stored: decoded.probe.stored.into(),
        upright: size.into(),
        grid: plan.as_ref().map(|plan| plan.grid),
        global_tile: plan.as_ref().is_some_and(|plan| plan.global_tile),
        seen: plan.as_ref().map_or(size, |plan| plan.seen).into(),
        canvas: plan.as_ref().map_or(size, |plan| plan.canvas).into(),
        tokens: plan.as_ref().map(|plan| plan.tokens),
        prompt_tokens: plan.as_ref().map(|plan| plan.prompt_tokens),
        notes: decoded.notes.iter().map(crate::Note::sentence).collect(),
    };
    Ok(Look {
        report,
        upright: decoded.image,
        seen,
        whole,
        plan,
    })
}
