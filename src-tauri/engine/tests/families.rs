//! SmolVLM, Qwen2.5-VL, Qwen3-VL and Gemma 3 against transformers: tiny random checkpoints
//! (`tests/fixtures/families`), one picture, several, a second turn with a new one.
//!
//! Outside: Llama 4 (`parity.rs`). What is not right here is not offered in the app: `paddock-models` says so.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use serde_json::Value;
use support::{Engine, fixtures, floats, ids, messages, parted, read_json, request};

/// Of logits that range over 20. Pictures are resized by other filters than torchvision's here, which is worth 0.06.
const TOLERANCE: f32 = 0.1;

fn check(engine: &Engine, case: &Value) -> Result<f32, String> {
    let turns = case["turns"].as_array().unwrap();
    let theirs = ids(&case["ids"]);
    let images = fixtures().join("families/images");
    let run = engine.ask(&request(
        messages(case, turns, &images),
        Some(u32::try_from(theirs.len()).unwrap()),
    ));
    if let Some(refusal) = run.refusal {
        return Err(format!("refused: {refusal}"));
    }
    let prompt = ids(&case["input_ids"]);
    if run.prompt != prompt {
        let place = run.prompt.iter().zip(&prompt).position(|(a, b)| a != b);
        return Err(format!(
            "the prompt has {} tokens, transformers' {}; they part at {place:?}",
            run.prompt.len(),
            prompt.len()
        ));
    }
    let counted: Vec<u32> = run
        .finished
        .map(|finished| finished.images.iter().map(|image| image.tokens).collect())
        .unwrap_or_default();
    if counted != ids(&case["image_tokens"]) {
        return Err(format!(
            "the receipt says {counted:?} image tokens, transformers {:?}",
            case["image_tokens"]
        ));
    }
    // The largest difference of the ten likeliest tokens' logits, for each step up to where the ids part.
    let same = run
        .ids
        .iter()
        .zip(&theirs)
        .take_while(|(a, b)| a == b)
        .count();
    let errors: Vec<f32> = case["top10"]
        .as_array()
        .unwrap()
        .iter()
        .take(same + 1)
        .enumerate()
        .map(|(step, top)| {
            let off = top.as_array().unwrap().iter().map(|pair| {
                let id = usize::try_from(pair[0].as_u64().unwrap()).unwrap();
                (f64::from(run.logits[step][id]) - pair[1].as_f64().unwrap()).abs()
            });
            off.fold(0.0, f64::max) as f32
        })
        .collect();
    let worst = errors.iter().copied().fold(0.0, f32::max);
    if worst > TOLERANCE {
        return Err(format!("the logits of the first steps are {errors:?} off"));
    }
    match parted(&run.ids, &theirs, &floats(&case["margins"]), worst) {
        Some(step) => Err(format!(
            "the ids part at step {step}; the logits are {errors:?} off"
        )),
        None => Ok(worst),
    }
}

/// Runs all cases of a family. Those in `wrong` are known to differ; one that agrees although it is listed fails too:
/// then the list, and what the app says of the family, are out of date.
fn family(name: &str, wrong: &[&str]) {
    let folder = fixtures().join("families").join(name);
    let document = read_json(&folder.join("cases.json"));
    let engine = Engine::load(&folder, &[]);
    let mut surprises = Vec::new();
    for case in document["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let outcome = check(&engine, case);
        println!("{name} {id}: {outcome:?}");
        if outcome.is_ok() == wrong.contains(&id) {
            surprises.push(format!("{id}: {outcome:?}"));
        }
    }
    assert!(surprises.is_empty(), "{name}:\n{}", surprises.join("\n"));
}

#[test]
fn smolvlm_agrees_with_transformers() {
    family("smolvlm", &[]);
}

#[test]
fn qwen2_5_vl_agrees_with_transformers() {
    family("qwen2.5-vl", &[]);
}

#[test]
fn qwen3_vl_agrees_with_transformers() {
    family("qwen3-vl", &[]);
}

#[test]
fn gemma_3_agrees_with_transformers() {
    family("gemma3", &[]);
}
