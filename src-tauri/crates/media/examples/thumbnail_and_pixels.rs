//! Times a JPEG file's way to a thumbnail and to the pixels a model sees; `tests/bench/media/run` compares it with sharp.
//!
//! Outside: reading the file, which neither side is timed for.
//!
//! Arguments: file, folder of a model, number of rounds. Prints one JSON object; times in milliseconds.

use std::time::Instant;

use paddock_media::{
    ImageSize, Limits, Tiling, decode_preview, decode_upright, encode_jpeg, thumbnail,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = std::fs::read(arguments.next().ok_or("which file?")?)?;
    let model = std::path::PathBuf::from(arguments.next().ok_or("which model?")?);
    let rounds: usize = arguments.next().ok_or("how many rounds?")?.parse()?;
    let read = |name: &str| -> Result<serde_json::Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_slice(&std::fs::read(model.join(name))?)?)
    };
    let preprocessor = read("preprocessor_config.json")?;
    let tiling =
        Tiling::from_files(&read("config.json")?, Some(&preprocessor), None).ok_or("no rules")?;
    let mut both = Vec::new();
    let mut preview = Vec::new();
    let mut decoding = Vec::new();
    let mut size = (0, 0);
    for _ in 0..rounds {
        let started = Instant::now();
        let upright = decode_upright(&file, &Limits::DEFAULT)?;
        decoding.push(started.elapsed().as_secs_f64() * 1000.0);
        let plan = tiling.plan(ImageSize::new(
            upright.image.width(),
            upright.image.height(),
        ));
        let (small, seen) = std::thread::scope(|scope| {
            let small = scope.spawn(|| encode_jpeg(&thumbnail(&upright.image, 320), 80));
            (small.join(), plan.render(&upright.image))
        });
        small.map_err(|_| "the thumbnail failed")??;
        size = seen.dimensions();
        both.push(started.elapsed().as_secs_f64() * 1000.0);
        let started = Instant::now();
        encode_jpeg(&decode_preview(&file, &Limits::DEFAULT, 320)?, 80)?;
        preview.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2] * 100.0).round() / 100.0
    };
    println!(
        "{}",
        serde_json::json!({
            "thumbnail_and_pixels_ms": median(&mut both),
            "thumbnail_alone_ms": median(&mut preview),
            "decode_ms": median(&mut decoding),
            "seen": [size.0, size.1],
        })
    );
    Ok(())
}
