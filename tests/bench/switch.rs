//! What a switch of models costs: loads through the supervisor beside the bare engine, turn by turn in one run, and the
//! memory that is left of the model before. Printed, not judged (the machine that runs this may be busy):
//! `PADDOCK_ENGINE=target/bin/paddock-engine PADDOCK_SWITCH=FOLDER:FOLDER cargo bench -p paddock-tests --bench switch`
//!
//! Without `PADDOCK_SWITCH` it switches between two quantisations of the demo model, whose load is too short to say much;
//! `tests/bench/memory/make.py` makes larger ones.

#![allow(clippy::unwrap_used)] // a measurement that cannot go on has failed

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use paddock_conversation::{ModelId, ModelLabel};
use paddock_engines::{EngineHandle, EngineState, LoadSpec, SupervisorConfig, start_supervisor};

const RUNS: usize = 5;
const CONTEXT_TOKENS: u32 = 2048;

struct Model {
    path: PathBuf,
    quant: &'static str,
}

/// Seconds until it is ready, those in which the engine loaded, and what it holds then.
struct Load {
    seconds: f64,
    loading_seconds: f64,
    own_bytes: u64,
}

fn main() {
    let engine = PathBuf::from(
        std::env::var_os("PADDOCK_ENGINE").expect("PADDOCK_ENGINE names the engine program"),
    );
    let models = models();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let supervisor = start_supervisor(SupervisorConfig {
        program: engine.clone(),
        placement: None,
    });
    // The files are in the system's cache after this.
    for model in &models {
        bare(&engine, model);
    }
    let (mut alone, mut switched) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        for (index, model) in models.iter().enumerate() {
            // In a virtual machine memory that was just freed is much quicker to have than other memory: the bare engine,
            // too, comes after one with another model has ended. The supervisor's, idle as when a user switches, is there.
            bare(&engine, &models[(index + 1) % models.len()]);
            alone.push(bare(&engine, model));
            switched.push(runtime.block_on(switch(&supervisor, model)));
        }
    }
    for (index, model) in models.iter().enumerate() {
        let of = |loads: &[Load]| -> (f64, f64, u64) {
            let own: Vec<&Load> = loads.iter().skip(index).step_by(models.len()).collect();
            let most = own.iter().map(|load| load.own_bytes).max().unwrap();
            let seconds = median(own.iter().map(|load| load.seconds));
            (
                seconds,
                median(own.iter().map(|load| load.loading_seconds)),
                most,
            )
        };
        let (bare_seconds, bare_loading, bare_bytes) = of(&alone);
        let (seconds, loading, bytes) = of(&switched);
        println!(
            "to {} ({}): bare engine {bare_seconds:.2} s and {:.0} MB; switch {seconds:.2} s ({:.2}x, loading alone {:.2}x) and {:.0} MB of all engines together ({:+.1} %)",
            model.path.file_name().unwrap_or_default().display(),
            model.quant,
            bare_bytes as f64 / 1e6,
            seconds / bare_seconds,
            loading / bare_loading,
            bytes as f64 / 1e6,
            (bytes as f64 / bare_bytes as f64 - 1.0) * 100.0,
        );
    }
    runtime.block_on(supervisor.stop());
    assert_eq!(engines_bytes(), 0, "no engine is left after stop");
}

fn median(seconds: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = seconds.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn models() -> Vec<Model> {
    let named = std::env::var("PADDOCK_SWITCH").unwrap_or_default();
    if named.is_empty() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources/demo-model");
        return ["none", "q8_0"]
            .map(|quant| Model {
                path: demo.clone(),
                quant,
            })
            .into();
    }
    named
        .split(':')
        .map(|path| Model {
            path: std::fs::canonicalize(path).unwrap(),
            quant: "none",
        })
        .collect()
}

/// The process as the supervisor starts it, without the supervisor.
fn bare(engine: &Path, model: &Model) -> Load {
    let started = Instant::now();
    let mut child = Command::new(engine)
        .arg("--model")
        .arg(&model.path)
        .args(["--device", "cpu", "--quant", model.quant])
        .args(["--context", &CONTEXT_TOKENS.to_string()])
        .env("PADDOCK_ENGINE_TOKEN", "0123456789abcdef0123456789abcdef")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok())
        .find(|line| line["event"] == "ready");
    let ready = ready.unwrap_or_else(|| panic!("{} did not load", model.path.display()));
    let load = Load {
        seconds: started.elapsed().as_secs_f64(),
        loading_seconds: ready["load_ms"].as_f64().unwrap() / 1000.0,
        own_bytes: own_bytes(child.id()),
    };
    drop(child.stdin.take());
    child.wait().unwrap();
    load
}

async fn switch(supervisor: &EngineHandle, model: &Model) -> Load {
    let name = model.path.to_string_lossy().into_owned();
    let spec = LoadSpec {
        model: ModelLabel {
            id: ModelId::local(&name),
            name,
            quant: model.quant.into(),
            place: "this computer".into(),
        },
        path: model.path.clone(),
        device: "cpu".into(),
        dtype: "auto".into(),
        cpu_dtype: None,
        quant: model.quant.into(),
        context_tokens: Some(CONTEXT_TOKENS),
        threads: None,
    };
    let started = Instant::now();
    supervisor.ready(spec).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    // The picture for the window follows the answer.
    let load_ms = loop {
        if let EngineState::Ready { load_ms, .. } = supervisor.snapshot().state {
            break load_ms;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    Load {
        seconds,
        loading_seconds: load_ms / 1000.0,
        own_bytes: engines_bytes(),
    }
}

/// Memory of its own of all child processes.
fn engines_bytes() -> u64 {
    let tasks = format!("/proc/{}/task", std::process::id());
    std::fs::read_dir(tasks)
        .unwrap()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|children| {
            children
                .split_whitespace()
                .filter_map(|child| child.parse().ok())
                .map(own_bytes)
                .collect::<Vec<_>>()
        })
        .sum()
}

/// 0 if the process has ended.
fn own_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes << 10)
}
