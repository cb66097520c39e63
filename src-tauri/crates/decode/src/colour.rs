//! Any pixels a decoder gives, row by row, become 8-bit sRGB over white.
//!
//! Outside: decoding, and the turn to upright.

use std::sync::Arc;

use image::RgbImage;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    Layout, MatrixCoefficients, ProfileText, TransferCharacteristics, TransformExecutor,
    TransformOptions, WHITE_POINT_D65, curve_from_gamma,
};

use crate::{Format, ImageSize, MediaError, Note};

/// The channels of a row, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// 0 is no ink, the maximum is full ink.
    Cmyk,
}

impl Channels {
    pub const fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    pub const fn alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// What the numbers in a file mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Colour {
    #[default]
    Srgb,
    /// An ICC profile.
    Icc(Vec<u8>),
    /// Numbers of ITU-T H.273 ("coding-independent code points").
    CodePoints { primaries: u8, transfer: u8 },
    /// PNG's gAMA and cHRM: encoding gamma, and x, y of white, red, green and blue.
    Gamma {
        gamma: f32,
        chromaticities: Option<[(f32, f32); 4]>,
    },
}

/// Takes rows and keeps them as sRGB.
pub(crate) struct Canvas {
    format: Format,
    size: ImageSize,
    channels: Channels,
    convert: Option<Conversion>,
    row: Vec<u8>,
    wide_row: Vec<u16>,
    out: Vec<u8>,
    translucent: bool,
    wide: bool,
}

struct Conversion {
    from: String,
    eight: Arc<dyn TransformExecutor<u8> + Send + Sync>,
    sixteen: Arc<dyn TransformExecutor<u16> + Send + Sync>,
    /// Channels that come out of it.
    to: Channels,
}

impl Canvas {
    /// An empty canvas that takes `size.height_px` rows of `channels`.
    pub fn new(
        format: Format,
        size: ImageSize,
        channels: Channels,
        colour: &Colour,
    ) -> Result<Self, MediaError> {
        let bytes = usize::try_from(size.pixels() * 3).unwrap_or(usize::MAX);
        let mut out = Vec::new();
        out.try_reserve_exact(bytes)
            .map_err(|_| too_large_for_memory(size))?;
        Ok(Self {
            format,
            size,
            channels,
            convert: conversion(channels, colour),
            row: Vec::new(),
            wide_row: Vec::new(),
            out,
            translucent: false,
            wide: false,
        })
    }

    /// Whether the rows need nothing done to them: 8-bit RGB that already is sRGB.
    pub fn passes_through(&self) -> bool {
        self.convert.is_none() && self.channels == Channels::Rgb
    }

    /// The next row (or rows), 8 bits a channel.
    pub fn row8(&mut self, samples: &[u8]) {
        let Some(convert) = &self.convert else {
            return self.lay(self.channels, samples);
        };
        let pixels = samples.len() / self.channels.count();
        let mut row = std::mem::take(&mut self.row);
        row.resize(pixels * convert.to.count(), 0);
        let to = convert.to;
        if convert
            .eight
            .transform(&samples[..pixels * self.channels.count()], &mut row)
            .is_ok()
        {
            self.lay(to, &row);
        } else {
            self.lay(self.channels, samples);
        }
        self.row = row;
    }

    /// The next row (or rows), 16 bits a channel.
    pub fn row16(&mut self, samples: &[u16]) {
        self.wide = true;
        let pixels = samples.len() / self.channels.count();
        let mut wide = std::mem::take(&mut self.wide_row);
        let (channels, samples) = match &self.convert {
            Some(convert) => {
                wide.resize(pixels * convert.to.count(), 0);
                match convert
                    .sixteen
                    .transform(&samples[..pixels * self.channels.count()], &mut wide)
                {
                    Ok(()) => (convert.to, wide.as_slice()),
                    Err(_) => (self.channels, samples),
                }
            }
            None => (self.channels, samples),
        };
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        row.extend(samples.iter().map(|&v| narrow(v)));
        self.wide_row = wide;
        self.lay(channels, &row);
        self.row = row;
    }

    /// Lays a row of sRGB (or gray, or raw ink) over white.
    fn lay(&mut self, channels: Channels, row: &[u8]) {
        let out = &mut self.out;
        match channels {
            Channels::Rgb => out.extend_from_slice(row),
            Channels::Gray => out.extend(row.iter().flat_map(|&v| [v, v, v])),
            Channels::GrayAlpha => {
                for &[v, a] in row.as_chunks::<2>().0 {
                    self.translucent |= a != 255;
                    let v = over_white(v, a);
                    out.extend_from_slice(&[v, v, v]);
                }
            }
            Channels::Rgba => {
                for &[r, g, b, a] in row.as_chunks::<4>().0 {
                    self.translucent |= a != 255;
                    out.extend_from_slice(&[over_white(r, a), over_white(g, a), over_white(b, a)]);
                }
            }
            Channels::Cmyk => {
                for &[c, m, y, k] in row.as_chunks::<4>().0 {
                    out.extend_from_slice(&[ink(c, k), ink(m, k), ink(y, k)]);
                }
            }
        }
    }

    /// The picture; what was done to it is added to `notes`.
    pub fn finish(mut self, notes: &mut Vec<Note>) -> Result<RgbImage, MediaError> {
        if let Some(convert) = self.convert {
            notes.push(Note::ColoursConverted { from: convert.from });
        } else if self.channels == Channels::Cmyk {
            notes.push(Note::ColoursConverted {
                from: "CMYK without a profile".into(),
            });
        }
        if self.wide {
            notes.push(Note::DepthReduced { bits: 16 });
        }
        if self.translucent {
            notes.push(Note::OverWhite);
        }
        let wanted = usize::try_from(self.size.pixels() * 3).unwrap_or(usize::MAX);
        if self.out.len() < wanted {
            return Err(MediaError::Truncated {
                format: self.format,
            });
        }
        self.out.truncate(wanted);
        RgbImage::from_raw(self.size.width_px, self.size.height_px, self.out).ok_or(
            MediaError::Truncated {
                format: self.format,
            },
        )
    }
}

/// There is not enough memory for a picture of `size`.
pub(crate) fn too_large_for_memory(size: ImageSize) -> MediaError {
    MediaError::TooLarge {
        width_px: size.width_px,
        height_px: size.height_px,
        bound: "there is not enough free memory for it".into(),
    }
}

/// 16 to 8 bits, rounded.
const fn narrow(value: u16) -> u8 {
    ((value as u32 * 255 + 32_767) / 65_535) as u8
}

/// A value with opacity `alpha` over white, in the integers of Pillow's `alpha_composite`, which transformers uses.
const fn over_white(value: u8, alpha: u8) -> u8 {
    let sum = 128 * (value as u32 * alpha as u32 + 255 * (255 - alpha as u32)) + (0x80 << 7);
    (((sum + (sum >> 8)) >> 8) >> 7) as u8
}

/// Ink and black on white paper, the plain way: what both leave of the light.
const fn ink(colour: u8, black: u8) -> u8 {
    let product = (255 - colour as u32) * (255 - black as u32);
    ((product + 127) / 255) as u8
}

fn conversion(channels: Channels, colour: &Colour) -> Option<Conversion> {
    let (profile, from) = match colour {
        Colour::Srgb => return None,
        Colour::Icc(bytes) => {
            let profile = ColorProfile::new_from_slice(bytes).ok()?;
            let name = profile.description.as_ref().and_then(profile_name);
            (
                profile,
                name.unwrap_or_else(|| "an embedded colour profile".into()),
            )
        }
        Colour::CodePoints {
            primaries,
            transfer,
        } => code_points(*primaries, *transfer)?,
        Colour::Gamma {
            gamma,
            chromaticities,
        } => (
            gamma_profile(channels, *gamma, *chromaticities)?,
            "PNG gamma".into(),
        ),
    };
    let (source, to) = match (channels, profile.color_space) {
        (Channels::Gray, DataColorSpace::Gray) => (Layout::Gray, Channels::Rgb),
        (Channels::GrayAlpha, DataColorSpace::Gray) => (Layout::GrayAlpha, Channels::Rgba),
        (Channels::Rgb, DataColorSpace::Rgb) => (Layout::Rgb, Channels::Rgb),
        (Channels::Rgba, DataColorSpace::Rgb) => (Layout::Rgba, Channels::Rgba),
        // moxcms calls any four channels Rgba
        (Channels::Cmyk, DataColorSpace::Cmyk) => (Layout::Rgba, Channels::Rgb),
        // A profile for other channels than the picture has says nothing about it.
        _ => return None,
    };
    let target = if to == Channels::Rgba {
        Layout::Rgba
    } else {
        Layout::Rgb
    };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let eight = profile
        .create_transform_8bit(source, &srgb, target, options)
        .ok()?;
    let sixteen = profile
        .create_transform_16bit(source, &srgb, target, options)
        .ok()?;
    if changes_nothing(channels, to, eight.as_ref()) {
        return None;
    }
    Some(Conversion {
        from,
        eight,
        sixteen,
        to,
    })
}

/// Whether a profile is sRGB in all but name: no colour of a coarse cube moves by more than one step.
fn changes_nothing(
    channels: Channels,
    to: Channels,
    transform: &(dyn TransformExecutor<u8> + Send + Sync),
) -> bool {
    let levels = (0..=255u8).step_by(15);
    let (source, expected): (Vec<u8>, Vec<u8>) = match channels {
        Channels::Cmyk => return false,
        Channels::Gray => (
            levels.clone().collect(),
            levels.flat_map(|v| [v, v, v]).collect(),
        ),
        Channels::GrayAlpha => (
            levels.clone().flat_map(|v| [v, 255]).collect(),
            levels.flat_map(|v| [v, v, v, 255]).collect(),
        ),
        Channels::Rgb | Channels::Rgba => {
            let mut cube = Vec::new();
            for r in levels.clone() {
                for g in levels.clone() {
                    for b in levels.clone() {
                        cube.extend_from_slice(&[r, g, b]);
                        if channels.alpha() {
                            cube.push(255);
                        }
                    }
                }
            }
            (cube.clone(), cube)
        }
    };
    let mut out = vec![0; source.len() / channels.count() * to.count()];
    transform.transform(&source, &mut out).is_ok()
        && out.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 1)
}

fn profile_name(text: &ProfileText) -> Option<String> {
    let name = match text {
        ProfileText::PlainString(name) => name,
        ProfileText::Localizable(names) => {
            &names
                .iter()
                .find(|n| n.language == "en")
                .or(names.first())?
                .value
        }
        ProfileText::Description(name) if !name.ascii_string.is_empty() => &name.ascii_string,
        ProfileText::Description(name) => &name.unicode_string,
    };
    // The text comes from the file: keep one short printable line of it.
    let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let name = name.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// The profile for code points and its name. None for what is, or is treated as, sRGB: BT.709 video curves are shown as
/// sRGB by every browser, and code point 2 means "unspecified".
fn code_points(primaries: u8, transfer: u8) -> Option<(ColorProfile, String)> {
    let transfer = if matches!(transfer, 0..=3 | 6 | 13..=15) {
        13
    } else {
        transfer
    };
    if matches!(primaries, 0..=3) && transfer == 13 {
        return None;
    }
    let primaries = if matches!(primaries, 0 | 2 | 3) {
        1
    } else {
        primaries
    };
    let name = match primaries {
        1 => "BT.709",
        9 => "BT.2020",
        11 => "DCI-P3",
        12 => "Display P3",
        _ => "a video colour space",
    };
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    profile.red_trc.as_ref()?;
    Some((profile, name.to_owned()))
}

fn gamma_profile(
    channels: Channels,
    gamma: f32,
    chromaticities: Option<[(f32, f32); 4]>,
) -> Option<ColorProfile> {
    if !(0.05..=20.0).contains(&gamma) {
        return None;
    }
    // 0.45455 and its neighbours are how sRGB was written before the sRGB chunk (PNG specification, 11.3.2.2).
    if (gamma - 0.45455).abs() < 0.002 && chromaticities.is_none() {
        return None;
    }
    if matches!(channels, Channels::Gray | Channels::GrayAlpha) {
        return Some(ColorProfile::new_gray_with_gamma(1.0 / gamma));
    }
    let mut profile = ColorProfile::new_srgb();
    profile.cicp = None;
    if let Some([white, red, green, blue]) = chromaticities {
        let point =
            |(x, y): (f32, f32)| (0.001..=1.0).contains(&y).then_some(Chromaticity { x, y });
        let primaries = ColorPrimaries {
            red: point(red)?,
            green: point(green)?,
            blue: point(blue)?,
        };
        let white = point(white)?;
        let white = moxcms::XyY {
            x: f64::from(white.x),
            y: f64::from(white.y),
            yb: 1.0,
        };
        profile.update_rgb_colorimetry(white, primaries);
    } else {
        profile.update_rgb_colorimetry(WHITE_POINT_D65, ColorPrimaries::BT_709);
    }
    let curve = if (gamma - 0.45455).abs() < 0.002 {
        ColorProfile::new_srgb().red_trc?
    } else {
        curve_from_gamma(1.0 / gamma)
    };
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    Some(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_over_white_as_pillow_does() {
        assert_eq!(
            [
                over_white(0, 0),
                over_white(0, 255),
                over_white(255, 7),
                over_white(200, 128)
            ],
            [255, 0, 255, 227]
        );
    }

    #[test]
    fn knows_srgb_when_it_sees_it() {
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert!(conversion(Channels::Rgb, &Colour::Icc(srgb)).is_none());
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        assert!(conversion(Channels::Rgb, &Colour::Icc(p3)).is_some());
        assert!(conversion(Channels::Rgb, &Colour::Icc(vec![1, 2, 3])).is_none());
    }
}
