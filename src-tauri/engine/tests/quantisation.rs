//! Quantisation in place: it reaches the experts, which are nearly all of a mixture's weights, and answers stay right.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use paddock_protocol::engine::{EngineLine, TOKEN_VARIABLE};
use serde_json::{Value, json};
use support::{Engine, demo_model, fixtures, messages, read_json, request};

const LAYERS: usize = 4;
const HIDDEN: usize = 512;
const EXPERTS: usize = 8;
const EXPERT_WIDTH: usize = 2048;
/// How much wider a vision tower is made.
const WIDER: usize = 16;
/// Routed and shared experts: 113 million weights.
const EXPERT_WEIGHTS: usize = LAYERS * (EXPERTS + 1) * 3 * HIDDEN * EXPERT_WIDTH;

/// The parity model with a vision tower 16 times as wide, and random weights.
fn wide_vision(folder: &Path) {
    let source = fixtures().join("parity/model-step1");
    for entry in std::fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let mut config = read_json(&source.join("config.json"));
    let vision = config["vision_config"].as_object_mut().unwrap();
    let (width, inner) = (
        vision["hidden_size"].as_u64().unwrap(),
        vision["intermediate_size"].as_u64().unwrap(),
    );
    vision.insert("hidden_size".into(), json!(width * WIDER as u64));
    vision.insert("intermediate_size".into(), json!(inner * WIDER as u64));
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let (header, _, _) = read_safetensors(&source.join("model.safetensors"));
    let tensors = header.iter().map(|(name, tensor)| {
        let mut shape = shape(tensor);
        if name.starts_with("vision_model") {
            for size in &mut shape {
                if [width, inner].contains(&(*size as u64)) {
                    *size *= WIDER;
                }
            }
        }
        (name.clone(), shape, None)
    });
    write_safetensors(&folder.join("model.safetensors"), tensors.collect());
}

/// The header without its metadata, the whole file, and where the data begins.
fn read_safetensors(path: &Path) -> (BTreeMap<String, Value>, Vec<u8>, usize) {
    let bytes = std::fs::read(path).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let mut header: BTreeMap<String, Value> =
        serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header.remove("__metadata__");
    (header, bytes, 8 + length)
}

fn shape(tensor: &Value) -> Vec<usize> {
    let sizes = tensor["shape"].as_array().unwrap().iter();
    sizes
        .map(|size| usize::try_from(size.as_u64().unwrap()).unwrap())
        .collect()
}

/// The parity model with wide experts and random weights.
fn wide_model(folder: &Path) {
    let source = fixtures().join("parity/model-step1");
    for entry in std::fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let mut config = read_json(&source.join("config.json"));
    let text = config["text_config"].as_object_mut().unwrap();
    let (heads, kv_heads, vocabulary) = (8, 2, text["vocab_size"].as_u64().unwrap());
    let head = HIDDEN / heads;
    for (key, value) in [
        ("hidden_size", HIDDEN),
        ("num_hidden_layers", LAYERS),
        ("num_local_experts", EXPERTS),
        ("intermediate_size", EXPERT_WIDTH),
        ("intermediate_size_mlp", EXPERT_WIDTH),
        ("head_dim", head),
    ] {
        text.insert(key.into(), json!(value));
    }
    text.remove("moe_layers");
    for key in ["no_rope_layers", "layer_types"] {
        text.remove(key);
    }
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();

    let (header, bytes, data) = read_safetensors(&source.join("model.safetensors"));
    let vocabulary = usize::try_from(vocabulary).unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Option<Vec<u8>>)> = Vec::new();
    for (name, tensor) in &header {
        if name == "multi_modal_projector.linear_1.weight" {
            let width = usize::try_from(tensor["shape"][1].as_u64().unwrap()).unwrap();
            tensors.push((name.clone(), vec![HIDDEN, width], None));
        } else if name.starts_with("vision_model") {
            let at = |end: usize| {
                data + usize::try_from(tensor["data_offsets"][end].as_u64().unwrap()).unwrap()
            };
            tensors.push((
                name.clone(),
                shape(tensor),
                Some(bytes[at(0)..at(1)].to_vec()),
            ));
        }
    }
    let mut text = |name: String, shape: Vec<usize>| {
        tensors.push((format!("language_model.{name}"), shape, None))
    };
    text("model.embed_tokens.weight".into(), vec![vocabulary, HIDDEN]);
    text("model.norm.weight".into(), vec![HIDDEN]);
    text("lm_head.weight".into(), vec![vocabulary, HIDDEN]);
    for layer in 0..LAYERS {
        let mut part =
            |name: &str, shape: Vec<usize>| text(format!("model.layers.{layer}.{name}"), shape);
        part("input_layernorm.weight", vec![HIDDEN]);
        part("post_attention_layernorm.weight", vec![HIDDEN]);
        part("self_attn.q_proj.weight", vec![HIDDEN, HIDDEN]);
        part("self_attn.k_proj.weight", vec![kv_heads * head, HIDDEN]);
        part("self_attn.v_proj.weight", vec![kv_heads * head, HIDDEN]);
        part("self_attn.o_proj.weight", vec![HIDDEN, HIDDEN]);
        part("feed_forward.router.weight", vec![EXPERTS, HIDDEN]);
        part(
            "feed_forward.shared_expert.gate_proj.weight",
            vec![EXPERT_WIDTH, HIDDEN],
        );
        part(
            "feed_forward.shared_expert.up_proj.weight",
            vec![EXPERT_WIDTH, HIDDEN],
        );
        part(
            "feed_forward.shared_expert.down_proj.weight",
            vec![HIDDEN, EXPERT_WIDTH],
        );
        part(
            "feed_forward.experts.gate_up_proj",
            vec![EXPERTS, HIDDEN, 2 * EXPERT_WIDTH],
        );
        part(
            "feed_forward.experts.down_proj",
            vec![EXPERTS, EXPERT_WIDTH, HIDDEN],
        );
    }
    write_safetensors(&folder.join("model.safetensors"), tensors);
}

fn write_safetensors(path: &Path, tensors: Vec<(String, Vec<usize>, Option<Vec<u8>>)>) {
    let mut header = serde_json::Map::new();
    let mut offset = 0;
    for (name, shape, _) in &tensors {
        let end = offset + 2 * shape.iter().product::<usize>();
        header.insert(
            name.clone(),
            json!({"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}),
        );
        offset = end;
    }
    let header = Value::Object(header).to_string();
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    let mut state = 1_u32;
    for (_, shape, data) in tensors {
        let data = data.unwrap_or_else(|| {
            let weights = shape.iter().product::<usize>();
            (0..weights)
                .flat_map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // Signs and mantissas at random, sizes from 1/64 to 1/32.
                    let bits = ((state >> 16) & 0x807f) | 0x3c80;
                    [(bits & 0xff) as u8, (bits >> 8) as u8]
                })
                .collect()
        });
        file.write_all(&data).unwrap();
    }
}

/// Resident memory of the real program after loading.
fn resident(model: &Path, quant: &str) -> u64 {
    let mut engine = Command::new(env!("CARGO_BIN_EXE_paddock-engine"))
        .args([
            "--model",
            model.to_str().unwrap(),
            "--device",
            "cpu",
            "--quant",
            quant,
        ])
        .env(TOKEN_VARIABLE, "0123456789abcdef0123456789abcdef")
        // What is freed while loading goes back to the system at once: otherwise the allocator keeps more or less of it.
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(engine.stdout.take().unwrap()).lines();
    let mut bytes = None;
    for line in lines {
        match serde_json::from_str(&line.unwrap()).unwrap() {
            EngineLine::Ready(ready) => {
                bytes = Some(ready.resident_bytes);
                break;
            }
            EngineLine::Failed(failed) => panic!("{}", failed.message),
            _ => {}
        }
    }
    drop(engine.stdin.take());
    engine.wait().unwrap();
    bytes.expect("ready")
}

#[test]
fn experts_are_quantised() {
    let folder = tempfile::tempdir().unwrap();
    wide_model(folder.path());
    let plain = resident(folder.path(), "none");
    for (quant, bytes_per_weight) in [
        ("q8_0", 34.0 / 32.0),
        ("q6k", 210.0 / 256.0),
        ("q4k", 144.0 / 256.0),
    ] {
        let quantised = resident(folder.path(), quant);
        let saved = plain.saturating_sub(quantised) as f64;
        let expected = EXPERT_WEIGHTS as f64 * (4.0 - bytes_per_weight);
        println!(
            "{quant}: {quantised} bytes instead of {plain}; saved {saved:.0}, the experts alone {expected:.0}"
        );
        assert!(
            (0.9..1.15).contains(&(saved / expected)),
            "{quant} saved {saved} bytes, the experts alone are {expected}"
        );
    }
}

#[test]
fn a_vision_tower_keeps_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    wide_vision(folder.path());
    let (header, _, _) = read_safetensors(&folder.path().join("model.safetensors"));
    let of = |vision: bool| -> f64 {
        let tensors = header
            .iter()
            .filter(|(name, _)| name.starts_with("vision_model") == vision);
        tensors
            .map(|(_, tensor)| shape(tensor).iter().product::<usize>())
            .sum::<usize>() as f64
    };
    let (vision, text) = (of(true), of(false));
    assert!(vision > 20.0 * text, "{vision} weights beside {text}");
    let plain = resident(folder.path(), "none") as f64;
    let quantised = resident(folder.path(), "q4k") as f64;
    println!("{plain} bytes, in q4k {quantised}; the vision tower has {vision} weights");
    assert!(quantised > 4.0 * vision, "less than its weights in float32");
    assert!(plain - quantised < 0.1 * 4.0 * vision);
}

/// The share of the reference answers that stay the same.
fn same_answers(quant: &str) -> f64 {
    let engine = Engine::load(&demo_model(), &["--quant", quant]);
    let cases = read_json(&fixtures().join("demo-reference/cases.json"));
    let (mut same, mut all) = (0, 0);
    for case in cases.as_array().unwrap() {
        let turns = case["turns"].as_array().unwrap();
        for last in 0..turns.len() {
            let run = engine.ask(&request(
                messages(case, &turns[..=last], &fixtures().join("images")),
                Some(64),
            ));
            assert_eq!(run.refusal, None);
            all += 1;
            if run.text.trim() == turns[last]["assistant"].as_str().unwrap() {
                same += 1;
            } else {
                println!("{quant} {}: {}", case["id"], run.text);
            }
        }
    }
    println!("{quant}: {same} of {all} answers are the same");
    f64::from(same) / f64::from(all)
}

#[test]
fn answers_in_q8_0_stay_right() {
    assert!(same_answers("q8_0") >= 0.98);
}

#[test]
fn answers_in_q6k_stay_right() {
    assert!(same_answers("q6k") >= 0.9);
}

#[test]
fn answers_in_q4k_are_mostly_right() {
    assert!(same_answers("q4k") >= 0.5);
}
