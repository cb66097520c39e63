//! PDF pages through hayro, drawn on white at 144 dots an inch.
//!
//! Outside: forms, links and the text of a page.

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use image::RgbImage;

use super::stored::{Stored, drawn_size};
use crate::colour::too_large_for_memory;
use crate::{Format, MediaError, Note, Orientation, Probe, guard};

/// A point is 1/72 inch, so this makes 144 dots an inch.
const PIXELS_PER_POINT: f32 = 2.0;

fn open(bytes: &[u8]) -> Result<Pdf, MediaError> {
    let format = Format::Pdf;
    // The one copy: hayro keeps the file.
    Pdf::new(bytes.to_vec()).map_err(|e| match e {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            MediaError::Locked { format }
        }
        LoadPdfError::Decryption(_) => MediaError::Unsupported {
            format,
            detail: "it is encrypted in an unusual way".into(),
        },
        LoadPdfError::Invalid => MediaError::Damaged {
            format,
            detail: "its structure cannot be read".into(),
        },
    })
}

/// Checks that page `number` exists and says how large it will be drawn.
pub(crate) fn probe(bytes: &[u8], number: u32) -> Result<Probe, MediaError> {
    guard::with_room(Format::Pdf, || {
        let pdf = open(bytes)?;
        let pages = pdf.pages();
        let total = u32::try_from(pages.len()).unwrap_or(u32::MAX);
        if total == 0 {
            return Err(MediaError::Damaged {
                format: Format::Pdf,
                detail: "it has no pages".into(),
            });
        }
        let missing = MediaError::NoSuchFrame {
            asked: number,
            total,
        };
        let page = pages
            .get(number.saturating_sub(1) as usize)
            .ok_or(missing)?;
        let (width, height) = page.render_dimensions();
        let size = drawn_size(width * PIXELS_PER_POINT, height * PIXELS_PER_POINT);
        Ok(Probe {
            format: Format::Pdf,
            stored: size,
            upright: size,
            orientation: Orientation::Upright,
            frames: total,
            bits: 8,
            alpha: false,
        })
    })
}

pub(crate) fn decode(bytes: &[u8], probe: &Probe, number: u32) -> Result<Stored, MediaError> {
    let size = probe.stored;
    guard::with_room(Format::Pdf, || {
        let pdf = open(bytes)?;
        let page = pdf.pages().get(number.saturating_sub(1) as usize);
        let page = page.ok_or(MediaError::NoSuchFrame {
            asked: number,
            total: 0,
        })?;
        let (width, height) = page.render_dimensions();
        // hayro rounds down; the half pixel keeps it from losing one.
        let settings = PixmapSettings {
            x_scale: (size.width_px as f32 + 0.5) / width,
            y_scale: (size.height_px as f32 + 0.5) / height,
            bg_color: WHITE,
        };
        let pixmap = hayro::render(
            page,
            &RenderCache::new(),
            &InterpreterSettings::default(),
            &RenderSettings::default(),
            &settings,
        );
        let pixels = pixmap.data_as_u8_slice().as_chunks::<4>().0;
        let rgb: Vec<u8> = pixels
            .iter()
            .flat_map(|&[r, g, b, a]| [r, g, b].map(|v| v.saturating_add(255 - a)))
            .collect();
        let notes = vec![Note::Drawn {
            width_px: size.width_px,
            height_px: size.height_px,
        }];
        let image = RgbImage::from_raw(pixmap.width().into(), pixmap.height().into(), rgb);
        Ok(Stored {
            image: image.ok_or_else(|| too_large_for_memory(size))?,
            notes,
            turned: false,
        })
    })
}
