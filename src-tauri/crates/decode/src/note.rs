//! What was done to a picture on the way in that its owner may want to know.
//!
//! Outside: reasons for not taking a picture (see [`crate::MediaError`]).

use serde::{Deserialize, Serialize};

use crate::Orientation;

/// One thing that was done to a picture so that it could be taken. [`Note::sentence`] says it to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Note {
    /// The picture was turned or mirrored as its Exif orientation asks.
    Turned {
        /// What the file asked for.
        orientation: Orientation,
    },
    /// Colours were converted to sRGB.
    ColoursConverted {
        /// The colour space or profile it was in.
        from: String,
    },
    /// See-through parts were laid over white.
    OverWhite,
    /// More than 8 bits for each channel were rounded to 8.
    DepthReduced {
        /// Bits for each channel in the file.
        bits: u8,
    },
    /// One frame or page of several was taken.
    OneOf {
        /// What they are called: "frame" or "page".
        unit: String,
        /// Which was taken, counted from 1.
        taken: u32,
        /// How many there are.
        total: u32,
    },
    /// A vector picture or page was drawn at a size of our choosing.
    Drawn {
        /// Width it was drawn at, in pixels.
        width_px: u32,
        /// Height it was drawn at, in pixels.
        height_px: u32,
    },
    /// The HDR gain map was left out, the standard picture was taken.
    GainMapIgnored,
    /// The file is damaged in a place that does not change the picture.
    Repaired {
        /// What is wrong with it, as part of a sentence.
        detail: String,
    },
}

impl Note {
    /// The note as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Turned { orientation } => match orientation {
                Orientation::Mirrored | Orientation::Flipped => {
                    "Mirrored as the camera recorded it.".into()
                }
                Orientation::Half => "Turned by half, as the camera was held.".into(),
                _ => "Turned by a quarter, as the camera was held.".into(),
            },
            Self::ColoursConverted { from } => format!("Colours converted from {from} to sRGB."),
            Self::OverWhite => "See-through parts were laid over white.".into(),
            Self::DepthReduced { bits } => {
                format!("Reduced from {bits} to 8 bits for each colour.")
            }
            Self::OneOf { unit, taken, total } => {
                format!("Only {unit} {taken} of {total} was taken.")
            }
            Self::Drawn {
                width_px,
                height_px,
            } => format!("Drawn at {width_px} x {height_px} pixels."),
            Self::GainMapIgnored => {
                "The HDR layer was left out; the standard picture was taken.".into()
            }
            Self::Repaired { detail } => {
                format!("The file is slightly damaged ({detail}); the picture is complete.")
            }
        }
    }
}
