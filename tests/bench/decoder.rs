//! What the decoder process costs beside decoding in this one, and 300 photographs of 12 megapixels taken in at once.
//!
//! Outside: how fast decoding itself is (`media`).
//!
//! `cargo bench -p paddock-tests --bench decoder -- [ROUNDS [PHOTOGRAPHS]]`, default 21 and 300; the photographs need
//! about 10 GB of disk in the folder for temporary files.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use paddock_decode::{Limits, RgbImage, decode_upright, encode_jpeg, encode_png, thumbnail};
use paddock_decoder::{DecoderConfig, Decoders, Job};
use paddock_pictures::{AttachOutcome, Pictures};
use paddock_store::Store;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A photograph of 12 megapixels: soft shapes, and noise as of a sensor.
fn photograph(seed: u32) -> RgbImage {
    let mut noise = 0x9E37_79B9 ^ (seed + 1).wrapping_mul(0x85EB_CA6B);
    RgbImage::from_fn(4000, 3000, |x, y| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let (across, down) = (f64::from(x) / 400.0, f64::from(y) / 300.0);
        let soft =
            (across + f64::from(seed)).sin() * (down * 0.7).cos() + (across * down / 9.0).sin();
        let grain = f64::from(noise & 15) + f64::from((noise >> 4) & 15) - 15.0;
        let light = 128.0 + 50.0 * soft + grain * 0.6;
        image::Rgb(
            [light, light * 0.9 + down, light * 0.7 + across].map(|v| v.clamp(0.0, 255.0) as u8),
        )
    })
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0.0, |t| t.as_secs_f64() * 1e3)
}

fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|text| text.starts_with(line));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn main() -> Outcome<()> {
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(21);
    let count = numbers.get(1).copied().unwrap_or(300);
    let runtime = tokio::runtime::Runtime::new()?;
    let decoders = || {
        Decoders::new(DecoderConfig::new(
            env!("CARGO_BIN_EXE_decode-worker").into(),
        ))
    };
    let photo = encode_jpeg(&photograph(0), 90)?;
    println!(
        "a photograph of 12 megapixels, {:.1} MB",
        photo.len() as f64 / 1e6
    );

    let warm = decoders();
    let (began, started) = (Instant::now(), decoders());
    runtime.block_on(started.warm());
    println!(
        "a process is ready after {:.1} ms",
        median(vec![began.elapsed()])
    );
    for (name, upright) in [("thumbnail", false), ("upright copy", true)] {
        let job = Job::Take {
            page: 1,
            thumb: !upright,
            upright,
        };
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..=rounds {
            let began = Instant::now();
            let image = decode_upright(&photo, &Limits::DEFAULT)?.image;
            let made = if upright {
                encode_png(&image)?
            } else {
                encode_jpeg(&thumbnail(&image, 512), 85)?
            };
            drop(image);
            here.push(began.elapsed());
            let began = Instant::now();
            let output = runtime.block_on(warm.run(&job, &photo))?;
            there.push(began.elapsed());
            assert_eq!(output.pictures, [made], "another picture");
        }
        // The first round warms up.
        let (here, there) = (median(here.split_off(1)), median(there.split_off(1)));
        println!(
            "{name}: here {here:.1} ms, in the decoder {there:.1} ms, {:+.1} ms",
            there - here
        );
    }
    if count > 0 {
        runtime.block_on(many(count, decoders()))?;
    }
    Ok(())
}

async fn many(count: usize, decoders: Decoders) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let paths = photographs(folder.path(), count)?;
    let store = Arc::new(Store::open(&folder.path().join("data"), 0)?);
    let pictures = Pictures::new(store, decoders, folder.path().to_owned());
    let before = memory("VmRSS");
    // Making the photographs took memory, too: the most is looked for while they are taken in.
    let most = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let watch = tokio::spawn({
        let most = most.clone();
        async move {
            loop {
                most.fetch_max(memory("VmRSS"), std::sync::atomic::Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let began = Instant::now();
    let outcomes: Vec<_> = pictures.attach_many(paths, true).collect().await;
    let took = began.elapsed();
    watch.abort();
    let taken = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, AttachOutcome::Attached { .. }))
        .count();
    let most = most.load(std::sync::atomic::Ordering::Relaxed);
    println!(
        "{taken} of {count} photographs taken in {:.1} s; this process: {} MB before, {} MB at most",
        took.as_secs_f64(),
        before >> 20,
        most >> 20
    );
    pictures.close();
    Ok(())
}

/// Different files, of which only the first is encoded: the others differ in a comment behind the picture's head.
fn photographs(folder: &Path, count: usize) -> Outcome<Vec<std::path::PathBuf>> {
    let first = encode_jpeg(&photograph(1), 90)?;
    let mut paths = Vec::with_capacity(count);
    for number in 0..count {
        let comment = format!("photograph {number:06}");
        let length = (comment.len() as u16 + 2).to_be_bytes();
        let file = [
            &first[..2],
            &[0xFF, 0xFE],
            &length,
            comment.as_bytes(),
            &first[2..],
        ]
        .concat();
        let path = folder.join(format!("{number:03}.jpg"));
        std::fs::write(&path, file)?;
        paths.push(path);
    }
    Ok(paths)
}
