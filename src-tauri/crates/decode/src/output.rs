//! Pixels out of the door: previews, PNG and JPEG without any metadata.
//!
//! Outside: where the bytes are kept.

use image::{ExtendedColorType, ImageEncoder, RgbImage, codecs};

use crate::resample::resize;
use crate::{ImageSize, MediaError, Resampling};

/// `image`, made smaller so that its longer side is at most `max_edge_px` (at least 1); never made larger.
#[must_use]
pub fn thumbnail(image: &RgbImage, max_edge_px: u32) -> RgbImage {
    let edge = image.width().max(image.height());
    if edge <= max_edge_px {
        return image.clone();
    }
    let scaled = |side: u32| {
        let edge = u64::from(edge);
        let side = (u64::from(side) * u64::from(max_edge_px.max(1)) + edge / 2) / edge;
        u32::try_from(side).unwrap_or(max_edge_px).max(1)
    };
    let size = ImageSize::new(scaled(image.width()), scaled(image.height()));
    resize(image, size, Resampling::Bilinear)
}

/// `image` as PNG: lossless, quick to write, no metadata.
///
/// # Errors
/// [`MediaError::NotWritten`] if the encoder fails, as when memory runs out.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    codecs::png::PngEncoder::new_with_quality(
        &mut bytes,
        codecs::png::CompressionType::Fast,
        codecs::png::FilterType::Adaptive,
    )
    .write_image(
        image.as_raw(),
        image.width(),
        image.height(),
        ExtendedColorType::Rgb8,
    )
    .map_err(|e| MediaError::NotWritten {
        detail: e.to_string(),
    })?;
    Ok(bytes)
}

/// `image` as JPEG with `quality` from 1 to 100, without metadata. JPEG holds sides of up to 65,535 pixels.
///
/// # Errors
/// [`MediaError::NotWritten`] if the picture is too large for JPEG or the encoder fails.
pub fn encode_jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(
            image.as_raw(),
            image.width(),
            image.height(),
            ExtendedColorType::Rgb8,
        )
        .map_err(|e| MediaError::NotWritten {
            detail: e.to_string(),
        })?;
    Ok(bytes)
}
