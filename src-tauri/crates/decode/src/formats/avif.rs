//! AVIF: AV1 pictures through `re_rav1d`, single or in a grid, with alpha.
//!
//! Outside: animation; the still picture is taken.

use re_rav1d::dav1d::{self, PixelLayout, PlanarImageComponent as Component};

use super::stored::Stored;
use super::yuv::{Planes, Subsampling, Weights};
use crate::colour::{Canvas, Channels};
use crate::isobmff::{self, Picture, Problem};
use crate::{Format, ImageSize, Limits, MediaError, Note, Probe};

const CUT_OFF: MediaError = MediaError::Truncated {
    format: Format::Avif,
};

fn damaged(detail: &str) -> MediaError {
    MediaError::Damaged {
        format: Format::Avif,
        detail: detail.into(),
    }
}

fn open(bytes: &[u8]) -> Result<Picture<'_>, MediaError> {
    isobmff::primary(bytes).map_err(|problem| match problem {
        Problem::Repeats => damaged("it names the same data over and over"),
        Problem::Contents if isobmff::cut_off(bytes) => CUT_OFF,
        Problem::Contents => damaged("its list of contents makes no sense"),
    })
}

pub(crate) fn probe(bytes: &[u8]) -> Result<Probe, MediaError> {
    let picture = open(bytes)?;
    let stored = picture
        .size
        .ok_or_else(|| damaged("it does not say how large it is"))?;
    let orientation = picture.orientation();
    Ok(Probe {
        format: Format::Avif,
        stored,
        upright: orientation.upright(stored),
        orientation,
        frames: 1,
        bits: picture.bits.unwrap_or(8),
        alpha: picture.alpha.is_some(),
    })
}

pub(crate) fn decode(bytes: &[u8], probe: &Probe, limits: &Limits) -> Result<Stored, MediaError> {
    let picture = open(bytes)?;
    if isobmff::cut_off(bytes) {
        return Err(CUT_OFF);
    }
    let size = probe.stored;
    let colour = planes(&picture, size, limits)?;
    let alpha = picture
        .alpha
        .as_ref()
        .map(|alpha| planes(alpha, size, limits))
        .transpose()?;
    if alpha
        .as_ref()
        .is_some_and(|a| (a.width, a.height) != (colour.width, colour.height))
    {
        return Err(damaged("its transparency is of another size"));
    }
    let channels = if alpha.is_some() {
        Channels::Rgba
    } else {
        Channels::Rgb
    };
    let weights = Weights::new(&colour);
    let mut canvas = Canvas::new(Format::Avif, size, channels, &picture.colour())?;
    let mut row = Vec::with_capacity(colour.width * channels.count());
    for y in 0..colour.height {
        row.clear();
        for x in 0..colour.width {
            let mut rgb = weights.rgb(&colour, x, y);
            if let Some(alpha) = &alpha {
                let opacity = alpha.luma(x, y);
                if picture.premultiplied && opacity > 0.0 {
                    rgb = rgb.map(|v| v / opacity);
                }
                row.extend([rgb[0], rgb[1], rgb[2], opacity]);
            } else {
                row.extend(rgb);
            }
        }
        if colour.bits > 8 {
            canvas.row16(
                &row.iter()
                    .map(|v| (v.clamp(0.0, 1.0) * 65_535.0).round() as u16)
                    .collect::<Vec<_>>(),
            );
        } else {
            canvas.row8(
                &row.iter()
                    .map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
                    .collect::<Vec<_>>(),
            );
        }
    }
    let mut notes = Vec::new();
    let image = canvas.finish(&mut notes)?;
    for note in &mut notes {
        if let Note::DepthReduced { bits } = note {
            *bits = colour.bits;
        }
    }
    Ok(Stored {
        image,
        notes,
        turned: false,
    })
}

/// The planes of a picture, put together if it is a grid.
fn planes(picture: &Picture<'_>, size: ImageSize, limits: &Limits) -> Result<Planes, MediaError> {
    let (width, height) = (size.width_px as usize, size.height_px as usize);
    if &picture.kind == b"av01" {
        let planes = decode_av1(picture, limits)?;
        if (planes.width, planes.height) != (width, height) {
            return Err(damaged("its pictures are of another size than it says"));
        }
        return Ok(planes);
    }
    if &picture.kind != b"grid" {
        let detail = "its pictures are not coded as AV1".into();
        return Err(MediaError::Unsupported {
            format: Format::Avif,
            detail,
        });
    }
    let (rows, columns, grid_size) = picture.grid().ok_or(CUT_OFF)?;
    if grid_size != size || picture.tiles.len() != rows * columns {
        return Err(damaged("its grid is not complete"));
    }
    let mut whole: Option<Planes> = None;
    for (index, tile) in picture.tiles.iter().enumerate() {
        let tile = decode_av1(tile, limits)?;
        let (x, y) = (index % columns * tile.width, index / columns * tile.height);
        let whole = whole.get_or_insert_with(|| Planes::empty(width, height, &tile));
        whole
            .place(&tile, x, y)
            .ok_or_else(|| damaged("its grid does not fit together"))?;
    }
    whole.ok_or(CUT_OFF)
}

fn decode_av1(picture: &Picture<'_>, limits: &Limits) -> Result<Planes, MediaError> {
    let coded = picture.coded();
    if coded.is_empty() {
        return Err(CUT_OFF);
    }
    let failed = |_| damaged("its AV1 data cannot be decoded");
    let mut settings = dav1d::Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(u32::try_from(limits.max_pixels).unwrap_or(u32::MAX));
    let mut decoder = dav1d::Decoder::with_settings(&settings).map_err(failed)?;
    match decoder.send_data(coded, None, None, None) {
        Ok(()) => {}
        Err(e) if e.is_again() => {}
        Err(e) => return Err(failed(e)),
    }
    let mut frame = decoder.get_picture();
    while frame.as_ref().is_err_and(dav1d::Error::is_again) && decoder.send_pending_data().is_ok() {
        let next = decoder.get_picture();
        if next.as_ref().is_err_and(dav1d::Error::is_again) {
            return Err(CUT_OFF);
        }
        frame = next;
    }
    let frame = frame.map_err(failed)?;
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let bits = frame.bits_per_component().map_or(8, |b| b.0 as u8);
    let subsampling = match frame.pixel_layout() {
        PixelLayout::I400 => Subsampling::Gray,
        PixelLayout::I420 => Subsampling::Quarter,
        PixelLayout::I422 => Subsampling::Half,
        PixelLayout::I444 => Subsampling::Full,
    };
    let (chroma_width, chroma_height) = subsampling.chroma_size(width, height);
    let plane = |component, width: usize, height: usize| -> Option<Vec<u16>> {
        let data = frame.plane(component);
        let stride = frame.stride(component) as usize;
        let mut samples = Vec::with_capacity(width * height);
        for y in 0..height {
            if bits > 8 {
                let row = data.get(y * stride..y * stride + 2 * width)?;
                samples.extend(
                    row.as_chunks::<2>()
                        .0
                        .iter()
                        .map(|pair| u16::from_ne_bytes(*pair)),
                );
            } else {
                samples.extend(
                    data.get(y * stride..y * stride + width)?
                        .iter()
                        .map(|&v| u16::from(v)),
                );
            }
        }
        Some(samples)
    };
    let luma = plane(Component::Y, width, height);
    let chroma = if subsampling == Subsampling::Gray {
        Some([Vec::new(), Vec::new()])
    } else {
        plane(Component::U, chroma_width, chroma_height)
            .and_then(|u| Some([u, plane(Component::V, chroma_width, chroma_height)?]))
    };
    let (Some(luma), Some(chroma)) = (luma, chroma) else {
        return Err(damaged("a plane is too short"));
    };
    let nclx = picture.nclx;
    let matrix = nclx
        .map(|n| n.matrix)
        .filter(|m| *m != 2)
        .unwrap_or_else(|| match frame.matrix_coefficients() {
            dav1d::pixel::MatrixCoefficients::Identity => 0,
            dav1d::pixel::MatrixCoefficients::BT709 => 1,
            dav1d::pixel::MatrixCoefficients::BT2020NonConstantLuminance => 9,
            _ => 6,
        });
    let full_range = nclx.map_or_else(
        || matches!(frame.color_range(), dav1d::pixel::YUVRange::Full),
        |n| n.full_range,
    );
    Ok(Planes {
        width,
        height,
        bits,
        subsampling,
        luma,
        chroma,
        matrix,
        full_range,
    })
}
