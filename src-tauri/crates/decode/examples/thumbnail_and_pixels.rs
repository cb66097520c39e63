//! Does a picture's ways through this crate on demand and times them; `tests/bench/media/run` compares it with sharp.
//!
//! Outside: reading the file, which neither side is timed for.
//!
//! Arguments: file, folder of a model. Every line on standard input is a job, answered with a line of JSON: `both` makes a
//! thumbnail of 320 pixels as JPEG and the pixels the model sees, `decode` the upright picture, `write PATH` keeps the
//! pixels the model sees.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use paddock_decode::{ImageSize, Limits, RgbImage, Tiling, decode_upright, encode_jpeg, thumbnail};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let file = std::fs::read(arguments.next().ok_or("which file?")?)?;
    let model = PathBuf::from(arguments.next().ok_or("which model?")?);
    let tiling = Tiling::from_files(
        &json(&model.join("config.json"))?,
        Some(&json(&model.join("preprocessor_config.json"))?),
        None,
    )
    .ok_or("the model does not see")?;
    let mut size = (0, 0);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let started = Instant::now();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("both", _) => {
                let upright = decode_upright(&file, &Limits::DEFAULT)?.image;
                let small = encode_jpeg(&thumbnail(&upright, 320), 80)?;
                size = pixels(&upright, &tiling).dimensions();
                drop(small);
            }
            ("decode", _) => drop(decode_upright(&file, &Limits::DEFAULT)?),
            ("write", path) => {
                let upright = decode_upright(&file, &Limits::DEFAULT)?.image;
                let seen = pixels(&upright, &tiling);
                size = seen.dimensions();
                std::fs::write(path, seen.as_raw())?;
            }
            (job, _) => return Err(format!("what is {job}?").into()),
        }
        let ms = started.elapsed().as_secs_f64() * 1000.0;
        println!(
            "{}",
            serde_json::json!({ "ms": ms, "seen": [size.0, size.1], "peak_bytes": peak_bytes() })
        );
    }
    Ok(())
}

fn json(path: &Path) -> Outcome<Value> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn pixels(upright: &RgbImage, tiling: &Tiling) -> RgbImage {
    let plan = tiling.plan(ImageSize::new(upright.width(), upright.height()));
    plan.render(upright)
}

/// Most memory this process ever had; 0 where the system does not tell.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}
