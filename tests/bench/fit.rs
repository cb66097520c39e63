//! How long the verdict for Scout takes from the headers of its 50 shards: in a fresh process, and again in the same one.
//! The shards have their real names, shapes and sizes, and take no room on disk (sparse files). Printed, not judged.
//! Run with the release profile: `cargo bench -p paddock-tests --bench fit`

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use paddock_models::fit::{FitModel, FitRequest, Hardware, plan};
use paddock_models::layout::layout;
use paddock_models::{Quant, catalogue, inspect_headers};
use serde_json::{Value, json};

const SHARDS: usize = 50;
const RUNS: usize = 15;
/// Set for the fresh processes: the folder with the shards.
const FOLDER_VARIABLE: &str = "PADDOCK_BENCH_SCOUT";

fn main() {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        let times: Vec<String> = (0..RUNS)
            .map(|_| format!("{:.3}", verdict_ms(Path::new(&folder))))
            .collect();
        println!("{}", times.join(" "));
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_scout(folder.path());
    let (mut fresh, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let times = in_fresh_process(folder.path());
        fresh.push(times[0]);
        warm.extend_from_slice(&times[1..]);
    }
    report("first verdict of a process", &mut fresh);
    report("later verdicts", &mut warm);
}

/// Headers read and checked, memory planned, alternatives looked for.
fn verdict_ms(folder: &Path) -> f64 {
    let started = Instant::now();
    let checkpoint = inspect_headers(folder).expect("the shards are sound");
    let request = FitRequest {
        quant: Some(Quant::Q4K),
        context_tokens: Some(32_768),
        ..FitRequest::default()
    };
    let fit = plan(
        &FitModel::from(&checkpoint),
        &Hardware::of_memory(24 << 30),
        &request,
        &catalogue::fit_models(),
    );
    let elapsed = started.elapsed().as_secs_f64() * 1e3;
    assert_eq!(fit.parameters, 108_641_793_536);
    elapsed
}

fn in_fresh_process(folder: &Path) -> Vec<f64> {
    let own = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(own)
        .env(FOLDER_VARIABLE, folder)
        .output()
        .expect("this program runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter_map(|time| time.parse().ok())
        .collect()
}

fn write_scout(folder: &Path) {
    let text = include_str!("../../src-tauri/crates/models/catalogue/models.json");
    let file: Value = serde_json::from_str(text).expect("the catalogue");
    let config = file["entries"]
        .as_array()
        .and_then(|entries| entries.iter().find(|entry| entry["id"] == "llama-4-scout"))
        .map(|entry| entry["config"].clone())
        .expect("Scout is in it");
    let tensors = layout(&config).expect("Scout's layout is known");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("a file");
    };
    write("config.json", &config.to_string());
    write("tokenizer.json", r#"{"model":{"vocab":{}}}"#);
    write(
        "preprocessor_config.json",
        r#"{"size":{"height":336,"width":336}}"#,
    );
    write(
        "processor_config.json",
        r#"{"patch_size":14,"pixel_shuffle_ratio":0.5}"#,
    );
    let mut map = serde_json::Map::new();
    for (index, part) in tensors.chunks(tensors.len().div_ceil(SHARDS)).enumerate() {
        let name = format!("model-{:05}-of-{SHARDS:05}.safetensors", index + 1);
        let mut header = serde_json::Map::new();
        let mut end = 0_u64;
        for tensor in part {
            let bytes = tensor.shape.iter().product::<u64>() * 2;
            let entry =
                json!({"dtype": "BF16", "shape": tensor.shape, "data_offsets": [end, end + bytes]});
            header.insert(tensor.name.clone(), entry);
            map.insert(tensor.name.clone(), json!(name));
            end += bytes;
        }
        let text = Value::Object(header).to_string();
        let mut file = std::fs::File::create(folder.join(&name)).expect("a shard");
        file.write_all(&(text.len() as u64).to_le_bytes())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.set_len(8 + text.len() as u64 + end))
            .expect("a sparse file");
    }
    let index = json!({"metadata": {}, "weight_map": map}).to_string();
    write("model.safetensors.index.json", &index);
}

fn report(what: &str, times_ms: &mut [f64]) {
    times_ms.sort_by(f64::total_cmp);
    let (Some(best), Some(worst)) = (times_ms.first(), times_ms.last()) else {
        return;
    };
    let median = times_ms[times_ms.len() / 2];
    println!(
        "{what}: {median:.1} ms (median of {}; {best:.1} to {worst:.1})",
        times_ms.len()
    );
}
