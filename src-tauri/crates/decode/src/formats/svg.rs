//! SVG through resvg: drawn at a useful size, with nothing loaded from outside the file.
//!
//! Outside: scripts and animation.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use image::RgbImage;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, ImageHrefDataResolverFn, ImageHrefResolver, Options, Tree, fontdb};

use super::stored::{Stored, drawn_size};
use super::{gif_webp_bmp, jpeg, png};
use crate::colour::too_large_for_memory;
use crate::{Format, ImageSize, MediaError, Note, Orientation, Probe, guard};

/// Longest text that is parsed, after unpacking.
const MAX_TEXT_BYTES: u64 = 32 << 20;
/// Most pixels of all the pictures inside it together; each is unpacked as often as it is placed.
const MAX_INNER_PIXELS: u64 = 64 << 20;

fn damaged(detail: impl Into<String>) -> MediaError {
    MediaError::Damaged {
        format: Format::Svg,
        detail: detail.into(),
    }
}

pub(crate) fn probe(bytes: &[u8]) -> Result<Probe, MediaError> {
    let text = unpacked(bytes)?;
    guard::with_room(Format::Svg, || {
        let tree = parse(&text)?;
        let size = drawn_size(tree.size().width(), tree.size().height());
        Ok(Probe {
            format: Format::Svg,
            stored: size,
            upright: size,
            orientation: Orientation::Upright,
            frames: 1,
            bits: 8,
            alpha: true,
        })
    })
}

pub(crate) fn decode(bytes: &[u8], size: ImageSize) -> Result<Stored, MediaError> {
    let text = unpacked(bytes)?;
    guard::with_room(Format::Svg, || {
        let tree = parse(&text)?;
        let mut pixmap =
            Pixmap::new(size.width_px, size.height_px).ok_or_else(|| too_large_for_memory(size))?;
        let across = size.width_px as f32 / tree.size().width();
        let down = size.height_px as f32 / tree.size().height();
        resvg::render(
            &tree,
            Transform::from_scale(across, down),
            &mut pixmap.as_mut(),
        );
        let mut translucent = false;
        let mut rgb = Vec::with_capacity(pixmap.data().len() / 4 * 3);
        for &[r, g, b, a] in pixmap.data().as_chunks::<4>().0 {
            translucent |= a != 255;
            // resvg's pixels are multiplied with their opacity already.
            rgb.extend([r, g, b].map(|v| v.saturating_add(255 - a)));
        }
        let mut notes = vec![Note::Drawn {
            width_px: size.width_px,
            height_px: size.height_px,
        }];
        if translucent {
            notes.push(Note::OverWhite);
        }
        let image = RgbImage::from_raw(size.width_px, size.height_px, rgb)
            .ok_or_else(|| too_large_for_memory(size))?;
        Ok(Stored {
            image,
            notes,
            turned: false,
        })
    })
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, MediaError> {
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1F, 0x8B]) {
        let unpacker = flate2::read::GzDecoder::new(bytes);
        unpacker
            .take(MAX_TEXT_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|e| damaged(e.to_string()))?;
        if !String::from_utf8_lossy(&text[..text.len().min(4096)]).contains("<svg") {
            return Err(MediaError::NotAPicture {
                looks_like: "a compressed archive".into(),
            });
        }
    } else {
        text.extend_from_slice(&bytes[..bytes.len().min(MAX_TEXT_BYTES as usize + 1)]);
    }
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(damaged(format!(
            "its text is longer than {} MB",
            MAX_TEXT_BYTES >> 20
        )));
    }
    Ok(text)
}

fn parse(text: &[u8]) -> Result<Tree, MediaError> {
    let inner = Arc::new(AtomicU64::new(0));
    let mut options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: within(inner.clone()),
            // A picture must not read other files or the network.
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    // Looking for the computer's fonts takes a while, so it is done once and only for pictures with words in them.
    if text.windows(5).any(|w| w == b"<text" || w == b":text") {
        options.fontdb = fonts();
    }
    let tree = Tree::from_data(text, &options).map_err(|e| match e {
        usvg::Error::ElementsLimitReached => damaged("it draws more than a million shapes"),
        usvg::Error::InvalidSize => damaged("it does not say how large it is"),
        usvg::Error::NotAnUtf8Str => damaged("its text is not UTF-8"),
        other => damaged(
            other
                .to_string()
                .trim_start_matches("SVG data parsing failed cause ")
                .to_owned(),
        ),
    })?;
    if inner.load(Ordering::Relaxed) > MAX_INNER_PIXELS {
        return Err(damaged(format!(
            "the pictures inside it have more than {} megapixels",
            MAX_INNER_PIXELS >> 20
        )));
    }
    Ok(tree)
}

/// Takes pictures inside the file while `inner`, the count of their pixels, is within bounds; says so in it if not.
fn within(inner: Arc<AtomicU64>) -> ImageHrefDataResolverFn<'static> {
    let resolve = ImageHrefResolver::default_data_resolver();
    Box::new(move |mime, data, options| {
        let probe = match Format::sniff(&data) {
            Some(Format::Jpeg) => jpeg::probe(&data),
            Some(Format::Png) => png::probe(&data),
            Some(Format::Gif) => gif_webp_bmp::probe_gif(&data),
            Some(Format::WebP) => gif_webp_bmp::probe_webp(&data),
            // A drawing in the drawing: its pictures come here, too.
            _ => return resolve(mime, data, options),
        };
        let pixels = probe.ok()?.stored.pixels();
        let before = inner.fetch_add(pixels, Ordering::Relaxed);
        if before.saturating_add(pixels) > MAX_INNER_PIXELS {
            return None;
        }
        resolve(mime, data, options)
    })
}

/// Finds the computer's fonts, if that was not done yet. It takes up to seconds where there are many, which is no fault
/// of a picture.
pub(crate) fn load_fonts() {
    fonts();
}

fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    FONTS
        .get_or_init(|| {
            let mut fonts = fontdb::Database::new();
            fonts.load_system_fonts();
            Arc::new(fonts)
        })
        .clone()
}
