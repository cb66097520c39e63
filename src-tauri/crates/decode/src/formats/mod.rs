//! One file for each format: what its header says, and its pixels as stored.
//!
//! Outside: choosing the format, limits, and turning upright (`probe.rs`, `decode.rs`).

#[cfg(feature = "avif")]
pub(crate) mod avif;
pub(crate) mod gif_webp_bmp;
#[cfg(feature = "heic")]
pub(crate) mod heic;
pub(crate) mod jpeg;
#[cfg(feature = "pdf")]
pub(crate) mod pdf;
pub(crate) mod png;
pub(crate) mod stored;
#[cfg(feature = "svg")]
pub(crate) mod svg;
pub(crate) mod tiff;
#[cfg(feature = "avif")]
mod yuv;
