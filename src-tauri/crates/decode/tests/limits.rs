//! What the demo model sees, and what a huge picture costs.
//!
//! Outside: single formats (`intake.rs`).

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::Write;
use std::path::PathBuf;

use paddock_decode::{Limits, Tiling, decode_upright, look, probe};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn demo_model() -> Tiling {
    let read = |name: &str| {
        let path = root().join("src-tauri/resources/demo-model").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let (config, preprocessor, processor) = (
        read("config.json"),
        read("preprocessor_config.json"),
        read("processor_config.json"),
    );
    Tiling::from_files(&config, Some(&preprocessor), Some(&processor)).unwrap()
}

#[test]
fn looks_at_a_sample_as_the_demo_model_will() {
    let bytes = std::fs::read(root().join("tests/fixtures/images/wide_blue_circle.png")).unwrap();
    let look = look(&bytes, &Limits::DEFAULT, Some(&demo_model())).unwrap();
    let report = serde_json::to_value(&look.report).unwrap();
    assert_eq!(report["format"], "png");
    assert_eq!(report["upright"]["width_px"], look.upright.width());
    assert_eq!(report["canvas"]["width_px"], look.seen.width());
    let grid = &report["grid"];
    let tiles = grid["rows"].as_u64().unwrap() * grid["columns"].as_u64().unwrap();
    assert_eq!(report["tokens"], 4 * (tiles + 1), "{report}");
    assert_eq!(
        look.whole.as_ref().map(|whole| whole.dimensions()),
        Some((56, 56))
    );
    let seen = image::load_from_memory(&look.seen_png().unwrap())
        .unwrap()
        .to_rgb8();
    assert_eq!(seen, look.seen);
}

/// A PNG of `width` x `height` pixels of 8-bit RGB noise-free stripes, made without holding it in memory.
fn large_png(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let length = width as usize
        * color.samples()
        * if depth == png::BitDepth::Sixteen {
            2
        } else {
            1
        };
    let row: Vec<u8> = (0..length + 64).map(|x| (x ^ (x / 300)) as u8).collect();
    for y in 0..height as usize {
        stream.write_all(&row[y % 64..y % 64 + length]).unwrap();
    }
    stream.finish().unwrap();
    writer.finish().unwrap();
    bytes
}

/// Most memory this process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// nextest runs each test in a process of its own, so that the peak is this picture's.
#[test]
#[cfg(target_os = "linux")]
fn a_hundred_megapixels_cost_little_more_than_their_pixels() {
    let bytes = large_png(10_000, 10_000, png::ColorType::Rgb, png::BitDepth::Sixteen);
    let before = peak_bytes();
    let upright = decode_upright(&bytes, &Limits::DEFAULT).unwrap();
    assert_eq!(upright.image.dimensions(), (10_000, 10_000));
    let (taken, pixels) = (peak_bytes() - before, 3 * 100_000_000);
    assert!(
        taken < pixels + (64 << 20),
        "took {} MB for {} MB of pixels",
        taken >> 20,
        pixels >> 20
    );
}

#[test]
fn refuses_by_its_own_limits() {
    let bytes = large_png(300, 200, png::ColorType::Rgb, png::BitDepth::Eight);
    let refused = |limits: Limits| probe(&bytes, &limits).unwrap_err().code();
    let all = Limits::DEFAULT;
    assert_eq!(
        refused(Limits {
            max_edge_px: 299,
            ..all
        }),
        "imageTooLarge"
    );
    assert_eq!(
        refused(Limits {
            max_pixels: 59_999,
            ..all
        }),
        "imageTooLarge"
    );
    assert_eq!(
        refused(Limits {
            max_decode_bytes: 1000,
            ..all
        }),
        "imageTooLarge"
    );
    assert_eq!(
        refused(Limits {
            max_file_bytes: 100,
            ..all
        }),
        "imageFileTooLong"
    );
    assert_eq!(
        refused(Limits {
            max_pixels_per_byte: 0,
            free_pixels: 0,
            ..all
        }),
        "imageBomb"
    );
    assert!(probe(&bytes, &all).is_ok());
}

#[test]
fn a_further_page_or_frame_can_be_chosen() {
    let folder = root().join("tests/fixtures/images/intake");
    for (name, pages, size) in [
        ("pages.pdf", 3, (683, 1024)),
        ("pages.tiff", 2, (96, 64)),
        ("animated.gif", 3, (96, 64)),
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let first = decode_upright(&bytes, &Limits::DEFAULT).unwrap().image;
        let last = paddock_decode::decode_frame(&bytes, &Limits::DEFAULT, pages)
            .unwrap()
            .image;
        assert_eq!(last.dimensions(), size, "{name}");
        assert_ne!(first, last, "{name}");
        for number in [0, pages + 1] {
            let error = paddock_decode::decode_frame(&bytes, &Limits::DEFAULT, number).unwrap_err();
            assert_eq!(error.code(), "imageNoSuchFrame", "{name}: {error}");
        }
    }
}

#[test]
fn metadata_that_claim_gigabytes_are_not_allocated() {
    let path = root().join("tests/fixtures/images/intake/exif_6.webp");
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(4).position(|kind| kind == b"EXIF").unwrap();
    bytes[at + 4..at + 8].copy_from_slice(&0xFFFF_FF00_u32.to_le_bytes());
    let error = probe(&bytes, &Limits::DEFAULT).unwrap_err();
    assert_eq!(error.code(), "imageTruncated", "{error}");
}
