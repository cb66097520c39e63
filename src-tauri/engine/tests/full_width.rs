//! Scout's true widths: the vision tower's numbers against transformers, and what loading and answering cost.
//!
//! Ignored: it needs the 10 GB that `tests/bench/full_width/make.py` writes. `tests/bench/full_width/run` does both;
//! `tests/bench/full_width/README.md` has the figures.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use paddock_protocol::chat::{ChatCompletion, ChatRequest};
use paddock_protocol::engine::{EngineLine, Ready, TOKEN_VARIABLE};
use support::{Engine, ask_about, read_json, read_npy, request, text_part, user};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn folder() -> PathBuf {
    std::env::var_os("PADDOCK_FULL_WIDTH")
        .expect("PADDOCK_FULL_WIDTH names the folder that make.py wrote")
        .into()
}

#[test]
#[ignore = "needs the checkpoints of tests/bench/full_width"]
fn scouts_vision_tower_agrees_with_transformers() {
    let folder = folder();
    let engine = Engine::load(&folder.join("scout-vision"), &[]);
    let text = request(
        vec![user(vec![text_part("What is in this image?")])],
        Some(1),
    );
    let without = engine.ask(&text).finished.unwrap().timings.first_token_ms;
    for (number, case) in read_json(&folder.join("reference.json"))["cases"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let picture = folder.join(format!("picture-{number}.png"));
        let mut question = ask_about(&[&picture], "What is in this image?");
        question.max_tokens = Some(1);
        let run = engine.ask(&question);
        assert_eq!(run.prompt.len() as u64, case["tokens"].as_u64().unwrap());
        let reference = &read_npy(&folder.join(format!("reference-{number}.npy")))[0];
        let off = run.logits[0]
            .iter()
            .zip(reference)
            .map(|(ours, theirs)| (ours - theirs).abs())
            .fold(0.0, f32::max);
        let tiles = case["tiles"].as_f64().unwrap();
        let seconds = (run.finished.unwrap().timings.first_token_ms - without) / 1e3 / tiles;
        let theirs = case["seconds_per_tile"].as_f64().unwrap();
        println!(
            "{tiles} tiles: largest difference of a logit {off:.6}; {seconds:.2} s a tile, transformers {theirs:.2} s ({:.2}x)",
            seconds / theirs
        );
        assert!(off < 1e-3, "{off}");
    }
}

struct Process {
    child: Child,
    ready: Ready,
}

impl Process {
    fn start(quant: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_paddock-engine"))
            .arg("--model")
            .arg(folder().join("scout-wide"))
            .args(["--device", "cpu", "--quant", quant, "--context", "4096"])
            .env(TOKEN_VARIABLE, TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            match serde_json::from_str(&line.unwrap()).unwrap() {
                EngineLine::Ready(ready) => return Self { child, ready },
                EngineLine::Failed(failed) => panic!("{}", failed.message),
                EngineLine::Loading(_) | EngineLine::Restarting { .. } => {}
            }
        }
        panic!("it ended before it was ready");
    }

    fn ask(&self, mut question: ChatRequest, tokens: u32) -> ChatCompletion {
        question.max_tokens = Some(tokens);
        ureq::post(&format!(
            "http://{}/v1/chat/completions",
            self.ready.address
        ))
        .set("authorization", &format!("Bearer {TOKEN}"))
        .send_json(serde_json::to_value(question).unwrap())
        .unwrap()
        .into_json()
        .unwrap()
    }

    /// Largest resident memory so far.
    fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs the checkpoints of tests/bench/full_width"]
fn scouts_widths_load_in_q4k_and_answer_about_a_picture_of_seven_tiles() {
    let started = Instant::now();
    let engine = Process::start("q4k");
    println!(
        "loaded in {:.1} s as {} {}; resident {:.2} GB, peak {:.2} GB",
        started.elapsed().as_secs_f64(),
        engine.ready.dtype,
        engine.ready.quant,
        engine.ready.resident_bytes as f64 / 1e9,
        engine.peak_bytes() as f64 / 1e9,
    );
    let text = || request(vec![user(vec![text_part("What is in this image?")])], None);
    let told = engine.ask(text(), 32);
    let timings = told.paddock.unwrap().timings.unwrap();
    let without = timings.first_token_ms;
    let words = told.usage.unwrap().completion_tokens;
    println!(
        "text: first token after {:.2} s, then {:.2} tokens a second",
        without / 1e3,
        f64::from(words - 1) / ((timings.total_ms - without) / 1e3)
    );
    let seen = engine.ask(
        ask_about(&[&folder().join("picture-1.png")], "What is in this image?"),
        8,
    );
    let details = seen.paddock.unwrap();
    let timings = details.timings.unwrap();
    println!(
        "seven tiles: first token after {:.1} s, {:.2} s a tile (tower and prompt); peak {:.2} GB",
        timings.first_token_ms / 1e3,
        (timings.first_token_ms - without) / 1e3 / 7.0,
        engine.peak_bytes() as f64 / 1e9,
    );
    assert_eq!((details.images[0].rows, details.images[0].columns), (3, 2));
    assert_eq!(details.images[0].tokens, 7 * 144);
    assert_eq!(seen.usage.unwrap().completion_tokens, 8);
}
