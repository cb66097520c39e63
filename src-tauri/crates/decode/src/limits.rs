//! What Paddock is willing to take in: every bound that is checked on a file's header, before a pixel is decoded.
//!
//! Outside: what a model is willing to take in (see [`crate::tiling`]).

/// Bounds on one file. They are checked against its header, so a file that lies about its size is refused cheaply.
///
/// The memory one picture needs while it is decoded is at most [`Limits::max_decode_bytes`] for the decoder plus
/// `3 * width * height` bytes for the upright result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Longest file that is read, in bytes.
    pub max_file_bytes: u64,
    /// Longest side, in pixels, of a picture as stored.
    pub max_edge_px: u32,
    /// Most pixels (width x height) of a picture as stored.
    pub max_pixels: u64,
    /// Most bytes that decoded pixels may take in the file's own depth (a 16-bit RGBA picture takes 8 per pixel).
    pub max_decode_bytes: u64,
    /// Most pixels for each byte of the file. A plain white picture compresses about 8,000-fold as PNG (DEFLATE itself
    /// ends at 1,032 bytes for each), so a file beyond this bound was made to hurt. Only asked of pictures larger than
    /// [`Limits::free_pixels`].
    pub max_pixels_per_byte: u64,
    /// Pictures of up to so many pixels are never refused for compressing well.
    pub free_pixels: u64,
    /// Most frames or pages a file may announce.
    pub max_frames: u32,
}

impl Limits {
    /// What the app uses: 100-megapixel pictures work in any depth, 30,000 x 30,000 does not.
    pub const DEFAULT: Self = Self {
        max_file_bytes: 512 << 20,
        max_edge_px: 65_535,
        max_pixels: 268_435_456,
        max_decode_bytes: 1 << 30,
        max_pixels_per_byte: 10_000,
        free_pixels: 16_000_000,
        max_frames: 10_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
