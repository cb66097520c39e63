//! What a decoder is asked to do with the bytes of one file, and how it is done.
//!
//! Outside: how job and output travel (`wire.rs`).

use image::RgbImage;
use paddock_conversation::ImageSize;
use paddock_decode::{
    Limits, LookReport, Note, Probe, Tiling, decode_frame, decode_upright, encode_jpeg, encode_png,
    look, thumbnail,
};
use serde::{Deserialize, Serialize};

use crate::{DecoderError, PictureEdit};

/// Most pixels of the copy that is shown and sent. No model's tiling looks at more; a larger one only costs time.
pub const KEPT_PIXELS: u64 = 16 << 20;
/// Longest side of a thumbnail: twice what the page shows, for dense screens.
const THUMB_EDGE_PX: u32 = 512;
const THUMB_QUALITY: u8 = 85;

/// One task; the bytes of the file travel beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Job {
    /// Everything the app keeps of a picture: what it is, a small JPEG, and the upright copy of at most [`KEPT_PIXELS`]
    /// as PNG.
    Take {
        /// Page or frame, counted from 1.
        page: u32,
        /// Make the small JPEG.
        thumb: bool,
        /// Make the upright copy.
        upright: bool,
    },
    /// Turned and cut in full detail, as PNG.
    Edit { edit: PictureEdit },
    /// Exactly the pixels that a model gets, as PNG.
    Seen { tiling: Tiling },
    /// What `paddock look` prints, and with `save` the upright and the seen picture as PNG.
    Look { tiling: Option<Tiling>, save: bool },
}

impl Job {
    /// The page or frame it is about.
    pub(crate) const fn page(&self) -> u32 {
        match self {
            Self::Take { page, .. } => *page,
            _ => 1,
        }
    }
}

/// What came out, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Of [`Job::Take`].
    pub taken: Option<Taken>,
    /// Of [`Job::Look`].
    pub report: Option<LookReport>,
    /// Encoded pictures, in the order in which the job names them.
    pub pictures: Vec<Vec<u8>>,
}

/// What is said of a picture that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// What the file's header says.
    pub probe: Probe,
    /// Size of the upright copy.
    pub upright: ImageSize,
    /// What was done on the way, as sentences.
    pub notes: Vec<String>,
}

/// Does `job`; only called inside the decoder process and by tests.
pub(crate) fn work(job: &Job, bytes: &[u8]) -> Result<Output, DecoderError> {
    let limits = Limits::DEFAULT;
    match job {
        Job::Take {
            page,
            thumb,
            upright,
        } => {
            let decoded = decode_frame(bytes, &limits, *page)?;
            let mut notes: Vec<String> = decoded.notes.iter().map(Note::sentence).collect();
            let (image, note) = within_kept_size(decoded.image);
            notes.extend(note);
            let mut pictures = Vec::new();
            if *thumb {
                pictures.push(encode_jpeg(
                    &thumbnail(&image, THUMB_EDGE_PX),
                    THUMB_QUALITY,
                )?);
            }
            if *upright {
                pictures.push(encode_png(&image)?);
            }
            let taken = Taken {
                probe: decoded.probe,
                upright: ImageSize::new(image.width(), image.height()),
                notes,
            };
            Ok(Output {
                taken: Some(taken),
                pictures,
                ..Output::default()
            })
        }
        Job::Edit { edit } => {
            let upright = decode_upright(bytes, &limits)?.image;
            let changed = edit.apply(upright).ok_or(DecoderError::EmptyRegion)?;
            only(encode_png(&changed)?)
        }
        Job::Seen { tiling } => {
            let upright = decode_upright(bytes, &limits)?.image;
            let size = ImageSize::new(upright.width(), upright.height());
            only(encode_png(&tiling.plan(size).render(&upright))?)
        }
        Job::Look { tiling, save } => {
            let look = look(bytes, &limits, tiling.as_ref())?;
            let pictures = if *save {
                vec![look.upright_png()?, look.seen_png()?]
            } else {
                Vec::new()
            };
            Ok(Output {
                report: Some(look.report),
                pictures,
                ..Output::default()
            })
        }
    }
}

fn only(picture: Vec<u8>) -> Result<Output, DecoderError> {
    Ok(Output {
        pictures: vec![picture],
        ..Output::default()
    })
}

fn within_kept_size(image: RgbImage) -> (RgbImage, Option<String>) {
    let size = ImageSize::new(image.width(), image.height());
    if size.pixels() <= KEPT_PIXELS {
        return (image, None);
    }
    let scale = (KEPT_PIXELS as f64 / size.pixels() as f64).sqrt();
    let edge = (f64::from(size.width_px.max(size.height_px)) * scale).floor() as u32;
    let image = thumbnail(&image, edge.max(1));
    let note = format!(
        "Scaled from {size} to {} × {} pixels to be shown and sent.",
        image.width(),
        image.height()
    );
    (image, Some(note))
}
