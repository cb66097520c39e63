//! What the fuzz targets share: a file goes the app's own ways, in small bounds, if it is in the target's format.
//!
//! Outside: files damaged at random without looking at coverage (`mutations.rs` of the decode crate).

use libfuzzer_sys::Corpus;
pub use paddock_decode::Format;
use paddock_decode::{Limits, decode_frame, decode_upright, probe};

/// Small, so that thousands of files are tried in a minute and breaking a bound shows.
const LIMITS: Limits = Limits {
    max_file_bytes: 1 << 20,
    max_pixels: 4 << 20,
    max_decode_bytes: 32 << 20,
    ..Limits::DEFAULT
};

/// Defines the target for one format.
#[macro_export]
macro_rules! decoder {
    ($format:ident) => {
        ::libfuzzer_sys::fuzz_target!(
            init: $crate::let_decoders_panic(),
            |bytes: &[u8]| -> ::libfuzzer_sys::Corpus {
                $crate::decode($crate::Format::$format, bytes)
            }
        );
    };
}

/// libFuzzer ends the process at every panic, also at those that the decode crate turns into a typed error. With this
/// only a panic that reaches the caller ends it, which is what is promised not to be.
pub fn let_decoders_panic() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Decodes `bytes` in every way the app does, if they are in `format`; other files are not kept.
pub fn decode(format: Format, bytes: &[u8]) -> Corpus {
    if Format::sniff(bytes) != Some(format) {
        return Corpus::Reject;
    }
    let probed = match probe(bytes, &LIMITS) {
        Ok(probed) => probed,
        Err(error) => {
            reads_well(&error);
            return Corpus::Keep;
        }
    };
    assert_eq!(probed.format, format);
    match decode_upright(bytes, &LIMITS) {
        Ok(upright) => assert_eq!(
            upright.image.dimensions(),
            (probed.upright.width_px, probed.upright.height_px),
            "the header promised another size"
        ),
        Err(error) => reads_well(&error),
    }
    if probed.frames > 1
        && let Err(error) = decode_frame(bytes, &LIMITS, probed.frames)
    {
        reads_well(&error);
    }
    Corpus::Keep
}

/// Reads the header of `bytes`, whatever they are.
pub fn header(bytes: &[u8]) {
    match probe(bytes, &LIMITS) {
        Ok(probed) => assert!(probed.stored.pixels() <= LIMITS.max_pixels && probed.frames > 0),
        Err(error) => reads_well(&error),
    }
}

/// Reads the boxes of `bytes` alone, which takes no decoder.
pub fn boxes(bytes: &[u8]) {
    paddock_decode::fuzz_isobmff(bytes);
}

/// Every refusal is a sentence with a next step.
fn reads_well(error: &paddock_decode::MediaError) {
    let failure = error.failure();
    assert!(failure.message.ends_with('.'), "{}", failure.message);
    assert!(!failure.next_step.is_empty());
}
