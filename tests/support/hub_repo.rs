//! Repositories made for a test of the Hub: a small Llama that the checkpoint reader accepts, and checksums.
//!
//! Outside: serving them.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::Digest as _;

/// A repository that the server has.
#[derive(Debug, Clone, Default)]
pub struct Repo {
    pub name: String,
    pub files: Vec<(String, Arc<Vec<u8>>)>,
    /// `false`, `auto` or `manual`, as the Hub says it.
    pub gated: Option<&'static str>,
    /// Who may read a gated one.
    pub token: Option<String>,
    pub licence: Option<String>,
    /// Redirects here, as the Hub does for a renamed repository.
    pub moved_to: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum of large files.
#[must_use]
pub fn sha256(content: &[u8]) -> String {
    hex(&sha2::Sha256::digest(content))
}

/// The checksum of small files.
#[must_use]
pub fn git_hash(content: &[u8]) -> String {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

/// Bytes without a pattern that a mistake could hide in.
#[must_use]
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

/// A Llama that the checkpoint reader accepts: two shards with random weights, `weight_bytes` in all or somewhat more.
#[must_use]
pub fn small_model(name: &str, weight_bytes: usize) -> Repo {
    let hidden = 64_u64;
    // The embeddings take what the layers do not.
    let vocabulary = (weight_bytes as u64 / 2 / hidden).max(256);
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": hidden, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": vocabulary, "max_position_embeddings": 2048,
        "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    });
    let tensors = paddock_models::layout::layout(&config).expect("a known architecture");
    let half = tensors.len().div_ceil(2);
    let mut files = vec![];
    let mut map = serde_json::Map::new();
    for (index, part) in tensors.chunks(half).enumerate() {
        let path = format!("model-{:05}-of-00002.safetensors", index + 1);
        let mut header = serde_json::Map::new();
        let mut end = 0;
        for tensor in part {
            let bytes = tensor.shape.iter().product::<u64>() * 2;
            let info =
                json!({"dtype": "BF16", "shape": tensor.shape, "data_offsets": [end, end + bytes]});
            header.insert(tensor.name.clone(), info);
            map.insert(tensor.name.clone(), json!(path));
            end += bytes;
        }
        let text = Value::Object(header).to_string();
        let mut content = (text.len() as u64).to_le_bytes().to_vec();
        content.extend_from_slice(text.as_bytes());
        content.extend(noise(end as usize, index as u64 + 1));
        files.push((path, content));
    }
    let index = json!({"metadata": {}, "weight_map": map}).to_string();
    let tokenizer = r#"{"version":"1.0","model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#;
    for (path, text) in [
        ("model.safetensors.index.json", index.as_str()),
        ("config.json", &config.to_string()),
        ("tokenizer.json", tokenizer),
        (
            "tokenizer_config.json",
            r#"{"chat_template": "{{ messages[0].content }}"}"#,
        ),
        ("generation_config.json", "{}"),
        ("README.md", "# A model"),
        ("pytorch_model.bin", "pickled"),
        ("original/consolidated.00.pth", "pickled"),
    ] {
        files.push((path.to_owned(), text.as_bytes().to_vec()));
    }
    Repo {
        name: name.to_owned(),
        files: files
            .into_iter()
            .map(|(path, content)| (path, Arc::new(content)))
            .collect(),
        ..Repo::default()
    }
}
