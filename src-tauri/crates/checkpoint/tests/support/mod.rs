//! Checkpoints made for a test: real names and shapes, and data that takes no room on disk (sparse files).
#![allow(dead_code)]

pub mod gguf;

use std::io::Write as _;
use std::path::Path;

use paddock_checkpoint::layout::{LayoutTensor, layout};
use serde_json::{Value, json};

/// The configuration of a catalogue entry.
pub fn catalogue_config(id: &str) -> Value {
    let text = include_str!("../../../models/catalogue/models.json");
    let file: Value = serde_json::from_str(text).unwrap();
    file["entries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["id"] == id)
        .unwrap()["config"]
        .clone()
}

/// A Llama with a few thousand weights.
pub fn small_config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 2048, "torch_dtype": "bfloat16",
    })
}

/// Writes one safetensors file of bf16 tensors; the data is a hole.
pub fn write_shard(path: &Path, tensors: &[LayoutTensor]) {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut end = 0_u64;
    for tensor in tensors {
        let bytes = tensor.shape.iter().product::<u64>() * 2;
        header.insert(
            tensor.name.clone(),
            json!({"dtype": "BF16", "shape": tensor.shape, "data_offsets": [end, end + bytes]}),
        );
        end += bytes;
    }
    let text = Value::Object(header).to_string();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&(text.len() as u64).to_le_bytes()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_len(8 + text.len() as u64 + end).unwrap();
}

/// A folder as transformers writes it, in `shards` files.
pub fn write_checkpoint(folder: &Path, config: &Value, shards: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("config.json", &config.to_string());
    write(
        "tokenizer.json",
        r#"{"version":"1.0","model":{"type":"BPE","vocab":{}}}"#,
    );
    write(
        "tokenizer_config.json",
        r#"{"chat_template":"{{ messages[0].content }}"}"#,
    );
    write("generation_config.json", "{}");
    if config.get("vision_config").is_some() {
        write(
            "preprocessor_config.json",
            r#"{"size":{"height":336,"width":336},"max_patches":16}"#,
        );
        write(
            "processor_config.json",
            r#"{"patch_size":14,"pixel_shuffle_ratio":0.5}"#,
        );
    }
    let tensors = layout(config).unwrap();
    if shards == 1 {
        write_shard(&folder.join("model.safetensors"), &tensors);
        return;
    }
    let mut map = serde_json::Map::new();
    let each = tensors.len().div_ceil(shards);
    for (index, part) in tensors.chunks(each).enumerate() {
        let name = format!(
            "model-{:05}-of-{:05}.safetensors",
            index + 1,
            tensors.len().div_ceil(each)
        );
        write_shard(&folder.join(&name), part);
        for tensor in part {
            map.insert(tensor.name.clone(), json!(name));
        }
    }
    write(
        "model.safetensors.index.json",
        &json!({"metadata": {}, "weight_map": map}).to_string(),
    );
}
