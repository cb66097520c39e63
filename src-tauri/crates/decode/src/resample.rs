//! Scaling with an antialiasing filter, bit for bit as torchvision scales 8-bit pictures, which is also Pillow's way.
//!
//! Outside: choosing sizes.
//!
//! torch's `interpolate(uint8, antialias=True)` on a CPU works in two passes, across and then down, each with weights in
//! 16-bit fixed point and a result of 8 bits. `fast_image_resize` computes a pass in the same integers but goes down
//! first, so it is asked for one pass at a time. The test compares it with torch's algorithm written out.

use std::num::NonZeroU32;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ImageView, ImageViewMut, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::{ImageSize, bands};

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

/// `image` at exactly `to`. A side of 0 counts as 1.
pub(crate) fn resize(image: &RgbImage, to: ImageSize, resampling: Resampling) -> RgbImage {
    let (width, height) = (to.width_px.max(1), to.height_px.max(1));
    let across = pass(image, width, image.height(), resampling);
    pass(across.as_ref().unwrap_or(image), width, height, resampling)
        .or(across)
        .unwrap_or_else(|| image.clone())
}

/// One pass, which changes one side; `None` if nothing changes.
fn pass(image: &RgbImage, width: u32, height: u32, resampling: Resampling) -> Option<RgbImage> {
    if image.dimensions() == (width, height) {
        return None;
    }
    let filter = match resampling {
        Resampling::Bilinear => FilterType::Bilinear,
        Resampling::Bicubic => FilterType::CatmullRom,
        Resampling::Lanczos => FilterType::Lanczos3,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let mut out = RgbImage::new(width, height);
    let source =
        TypedImageRef::<U8x3>::from_buffer(image.width(), image.height(), image.as_raw()).ok()?;
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut out).ok()?;
    // Rows are scaled independently of each other, and so are columns.
    let (columns, rows) = (NonZeroU32::new(width)?, NonZeroU32::new(height)?);
    let parts = bands::count(u64::from(image.width()) * u64::from(image.height()));
    let done = if image.height() == height {
        let parts = parts.min(rows);
        let from = source.split_by_height(0, rows, parts)?;
        each(&from, target.split_by_height_mut(0, rows, parts)?, &options)
    } else {
        let parts = parts.min(columns);
        let from = source.split_by_width(0, columns, parts)?;
        each(
            &from,
            target.split_by_width_mut(0, columns, parts)?,
            &options,
        )
    };
    drop(target);
    done.then_some(out)
}

fn each(
    from: &[impl ImageView<Pixel = U8x3>],
    to: Vec<impl ImageViewMut<Pixel = U8x3>>,
    options: &ResizeOptions,
) -> bool {
    bands::each(from.iter().zip(to).collect(), |(from, mut to)| {
        Resizer::new().resize_typed(from, &mut to, options).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One axis of torch's `_compute_index_ranges_int16_weights` (aten/native/cpu/UpSampleKernel.cpp), written out.
    fn axis(
        input: usize,
        output: usize,
        filter: fn(f64) -> f64,
        reach: f64,
    ) -> (u32, Vec<(usize, Vec<i32>)>) {
        let scale = input as f64 / output as f64;
        let support = reach * scale.max(1.0);
        let inverse = 1.0 / scale.max(1.0);
        let rows: Vec<(usize, Vec<f64>)> = (0..output)
            .map(|i| {
                let center = scale * (i as f64 + 0.5);
                let low = ((center - support + 0.5) as i64).max(0) as usize;
                let high = ((center + support + 0.5) as i64).min(input as i64) as usize;
                let raw: Vec<f64> = (low..high)
                    .map(|j| filter((j as f64 - center + 0.5) * inverse))
                    .collect();
                let total: f64 = raw.iter().sum();
                (low, raw.iter().map(|w| w / total).collect())
            })
            .collect();
        let most = rows
            .iter()
            .flat_map(|(_, w)| w)
            .fold(0.0f64, |a, b| a.max(*b));
        let mut precision = 0;
        while precision < 22
            && ((0.5 + most * f64::from(1u32 << (precision + 1))) as i64) < (1 << 15)
        {
            precision += 1;
        }
        let one = f64::from(1u32 << precision);
        let fixed = |w: f64| (w * one + if w < 0.0 { -0.5 } else { 0.5 }) as i32;
        (
            precision,
            rows.into_iter()
                .map(|(low, w)| (low, w.into_iter().map(fixed).collect()))
                .collect(),
        )
    }

    fn torch(
        image: &RgbImage,
        width: u32,
        height: u32,
        filter: fn(f64) -> f64,
        reach: f64,
    ) -> RgbImage {
        let weigh = |samples: &mut dyn Iterator<Item = (i32, i32)>, precision: u32| {
            let sum = samples.fold(1i32 << (precision - 1), |sum, (v, w)| sum + v * w);
            (sum >> precision).clamp(0, 255) as u8
        };
        let mut across = image.clone();
        if width != image.width() {
            let (precision, rows) = axis(image.width() as usize, width as usize, filter, reach);
            across = RgbImage::from_fn(width, image.height(), |x, y| {
                let (low, weights) = &rows[x as usize];
                image::Rgb([0, 1, 2].map(|c| {
                    let value = |k: usize| i32::from(image.get_pixel((low + k) as u32, y)[c]);
                    weigh(
                        &mut weights.iter().enumerate().map(|(k, w)| (value(k), *w)),
                        precision,
                    )
                }))
            });
        }
        if height == image.height() {
            return across;
        }
        let (precision, rows) = axis(image.height() as usize, height as usize, filter, reach);
        RgbImage::from_fn(width, height, |x, y| {
            let (low, weights) = &rows[y as usize];
            image::Rgb([0, 1, 2].map(|c| {
                let value = |k: usize| i32::from(across.get_pixel(x, (low + k) as u32)[c]);
                weigh(
                    &mut weights.iter().enumerate().map(|(k, w)| (value(k), *w)),
                    precision,
                )
            }))
        })
    }

    fn triangle(x: f64) -> f64 {
        (1.0 - x.abs()).max(0.0)
    }

    fn cubic(x: f64) -> f64 {
        let (a, x) = (-0.5, x.abs());
        if x < 1.0 {
            ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            (((x - 5.0) * x + 8.0) * x - 4.0) * a
        } else {
            0.0
        }
    }

    #[test]
    fn every_byte_is_torchs() {
        let mut state = 1u32;
        let mut noise = |width, height| {
            RgbImage::from_fn(width, height, |x, y| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 24) as u8;
                image::Rgb([
                    noise,
                    (x * 255 / width) as u8 ^ (noise >> 6),
                    (y * 255 / height) as u8,
                ])
            })
        };
        for (from, to) in [
            ((640, 480), (336, 252)),
            ((97, 301), (56, 173)),
            ((57, 56), (56, 55)),
            ((1000, 30), (224, 6)),
            ((3, 400), (2, 336)),
            ((1, 1), (56, 56)),
            ((20, 30), (67, 101)),
            ((200, 130), (200, 56)),
            ((123, 77), (56, 77)),
            ((500, 400), (37, 29)),
            ((111, 113), (896, 896)),
            ((1344, 7), (1, 7)),
            // Large enough to be shared out between threads
            ((1100, 907), (336, 277)),
        ] {
            let image = noise(from.0, from.1);
            let size = ImageSize::new(to.0, to.1);
            for (kind, filter, reach) in [
                (Resampling::Bilinear, triangle as fn(f64) -> f64, 1.0),
                (Resampling::Bicubic, cubic, 2.0),
            ] {
                let wanted = torch(&image, to.0, to.1, filter, reach);
                let found = resize(&image, size, kind);
                let off = wanted
                    .as_raw()
                    .iter()
                    .zip(found.as_raw())
                    .filter(|(a, b)| a != b)
                    .count();
                assert_eq!(
                    off,
                    0,
                    "{kind:?} {from:?} -> {to:?}: {off} of {} bytes differ",
                    wanted.as_raw().len()
                );
            }
        }
    }
}
