//! `config.json` in the spellings of older and current transformers, and GGUF metadata, as a [`Shape`].
//!
//! Outside: whether the engine runs the model (`family`).

use std::path::Path;

use serde_json::Value;

use crate::error::CheckpointError;
use crate::gguf;
use crate::json;
use crate::shape::{Shape, VisionShape};

const FILE: &str = "config.json";

/// The largest numbers that are believed, far above those of any model. They keep every product that planning forms of them
/// within 64 bits, and what is made for each layer within memory.
mod most {
    pub const LAYERS: u32 = 1 << 12;
    pub const HIDDEN: u32 = 1 << 20;
    pub const HEADS: u32 = 1 << 14;
    pub const HEAD_DIM: u32 = 1 << 14;
    /// Of all heads together.
    pub const ATTENTION: u32 = 1 << 22;
    pub const FEED_FORWARD: u32 = 1 << 22;
    pub const VOCAB: u32 = 1 << 26;
    pub const TOKENS: u32 = 1 << 31;
    pub const EXPERTS: u32 = 1 << 14;
    pub const PIXELS: u32 = 1 << 14;
}

/// The first of these keys whose value is a whole number of at most `most`; of a list (one number a layer) its largest.
///
/// # Errors
/// None is, and one of them is something else than absent or null.
fn number(object: &Value, keys: &[&str], most: u32) -> Result<Option<u32>, CheckpointError> {
    let mut nonsense = None;
    for key in keys {
        let Some(value) = object.get(key).filter(|value| !value.is_null()) else {
            continue;
        };
        let whole = match value {
            Value::Array(list) => list.iter().map(json::whole).max().flatten(),
            value => json::whole(value),
        };
        match whole.and_then(|number| u32::try_from(number).ok()) {
            Some(number) if number <= most => return Ok(Some(number)),
            _ => {
                nonsense.get_or_insert_with(|| {
                    let text: String = value.to_string().chars().take(40).collect();
                    CheckpointError::broken(FILE, format!("its {key} cannot be {text}"))
                });
            }
        }
    }
    nonsense.map_or(Ok(None), Err)
}

/// The part of the configuration about text: nested in current files, the whole file in older ones.
#[must_use]
pub fn text(config: &Value) -> &Value {
    ["text_config", "llm_config", "language_config"]
        .iter()
        .find_map(|key| config.get(key).filter(|value| value.is_object()))
        .unwrap_or(config)
}

/// The class name in a local folder's `config.json`, if it can be read.
#[must_use]
pub fn architecture_of_folder(folder: &Path) -> Option<String> {
    architecture(&json::read_local(folder, FILE).ok()??).ok()
}

/// The single class name of `architectures`.
///
/// # Errors
/// There is none, or several.
pub fn architecture(config: &Value) -> Result<String, CheckpointError> {
    let names = config.get("architectures").and_then(Value::as_array);
    match names.map(Vec::as_slice) {
        Some([Value::String(name)]) if !name.is_empty() => Ok(name.clone()),
        Some([_, _, ..]) => Err(CheckpointError::broken(
            FILE,
            "it names more than one architecture",
        )),
        _ => Err(CheckpointError::broken(FILE, "it names no architecture")),
    }
}

/// Sizes that transformers' configuration classes assume where a file leaves them out (`configuration_gemma3.py`,
/// `configuration_idefics3.py`); only families whose published files do leave them out.
struct Defaults {
    heads: Option<u32>,
    kv_heads: Option<u32>,
    head_dim: Option<u32>,
    vocab: Option<u32>,
    context: Option<u32>,
}

fn defaults(model_type: &str) -> Defaults {
    match model_type {
        "gemma3" | "gemma3_text" => Defaults {
            heads: Some(8),
            kv_heads: Some(4),
            head_dim: Some(256),
            vocab: Some(262_208),
            context: Some(131_072),
        },
        "idefics3" => Defaults {
            heads: Some(32),
            kv_heads: None,
            head_dim: None,
            vocab: None,
            context: Some(2048),
        },
        _ => Defaults {
            heads: None,
            kv_heads: None,
            head_dim: None,
            vocab: None,
            context: None,
        },
    }
}

/// Reads the sizes of a `config.json`.
///
/// # Errors
/// If a number that memory depends on is missing or makes no sense, or they contradict each other.
pub fn shape(config: &Value) -> Result<Shape, CheckpointError> {
    let text = text(config);
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or("");
    let assumed = defaults(model_type);
    let positive = |keys: &[&str], most: u32| -> Result<Option<u32>, CheckpointError> {
        Ok(number(text, keys, most)?.filter(|number| *number > 0))
    };
    let need = |keys: &[&str], most: u32, default: Option<u32>| {
        positive(keys, most)?
            .or(default)
            .ok_or_else(|| CheckpointError::broken(FILE, format!("it does not tell {}", keys[0])))
    };
    let layers = need(
        &["num_hidden_layers", "n_layer", "num_layers"],
        most::LAYERS,
        None,
    )?;
    let hidden = need(&["hidden_size", "n_embd", "d_model"], most::HIDDEN, None)?;
    let heads = need(
        &["num_attention_heads", "n_head"],
        most::HEADS,
        assumed.heads,
    )?;
    let kv_heads = positive(&["num_key_value_heads"], most::HEADS)?
        .or(assumed.kv_heads)
        .unwrap_or(heads);
    let head_dim = positive(&["head_dim"], most::HEAD_DIM)?
        .or(assumed.head_dim)
        .unwrap_or(hidden / heads);
    let dense =
        number(text, &["intermediate_size", "n_inner"], most::FEED_FORWARD)?.unwrap_or(4 * hidden);
    let feed_forward =
        dense.max(number(text, &["intermediate_size_mlp"], most::FEED_FORWARD)?.unwrap_or(0));
    let vocab = need(
        &["vocab_size"],
        most::VOCAB,
        assumed
            .vocab
            .or(number(config, &["vocab_size"], most::VOCAB)?.filter(|number| *number > 0)),
    )?;
    let max_context_tokens = need(
        &[
            "max_position_embeddings",
            "n_positions",
            "max_seq_len",
            "model_max_length",
        ],
        most::TOKENS,
        assumed.context,
    )?;
    check_heads(FILE, heads, kv_heads, head_dim)?;
    let window = window(text, model_type, layers)?;
    Ok(Shape {
        layers,
        hidden,
        heads,
        kv_heads,
        head_dim,
        feed_forward,
        vocab,
        max_context_tokens,
        window_tokens: window.map(|(tokens, _, _)| tokens),
        windowed_layers: window.map_or(0, |(_, count, _)| count),
        engine_uses_window: window.is_some_and(|(_, _, used)| used),
        experts: number(
            text,
            &["num_local_experts", "num_experts", "n_routed_experts"],
            most::EXPERTS,
        )?
        .unwrap_or(0),
        experts_per_token: number(text, &["num_experts_per_tok"], most::EXPERTS)?.unwrap_or(0),
        vision: vision(config)?,
    })
}

fn check_heads(
    file: &str,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
) -> Result<(), CheckpointError> {
    let wide = heads
        .checked_mul(head_dim)
        .is_none_or(|n| n > most::ATTENTION)
        || kv_heads
            .checked_mul(head_dim)
            .is_none_or(|n| n > most::ATTENTION);
    if head_dim == 0 || wide || !heads.is_multiple_of(kv_heads.max(1)) {
        return Err(CheckpointError::broken(
            file,
            "its numbers of attention heads contradict each other",
        ));
    }
    Ok(())
}

/// (tokens, layers with it, whether the engine's cache for them is only as long).
type Window = (u32, u32, bool);

fn window(text: &Value, model_type: &str, layers: u32) -> Result<Option<Window>, CheckpointError> {
    let named = |kind: &str| {
        text.get("layer_types")?.as_array().map(|types| {
            let count = types
                .iter()
                .filter(|entry| entry.as_str() == Some(kind))
                .count();
            u32::try_from(count).unwrap_or(layers).min(layers)
        })
    };
    let tokens = |key: &str| number(text, &[key], most::TOKENS);
    Ok(match model_type {
        "llama4" => tokens("attention_chunk_size")?.map(|chunk| {
            // Every fourth layer looks at everything (modeling_llama4.py, `no_rope_layer_interval`).
            let count = named("chunked_attention").unwrap_or(layers - layers / 4);
            (chunk, count, false)
        }),
        "gemma3" | "gemma3_text" => {
            let window = tokens("sliding_window")?.unwrap_or(4096);
            // configuration_gemma3.py: every sixth layer looks at everything.
            let pattern = number(text, &["sliding_window_pattern"], most::LAYERS)?
                .unwrap_or(6)
                .max(1);
            let count = named("sliding_attention").unwrap_or(layers - layers / pattern);
            Some((window, count, true))
        }
        "gemma3n" | "gemma4" | "gpt_oss" => tokens("sliding_window")?
            .and_then(|window| Some((window, named("sliding_attention")?, true))),
        _ => None,
    })
}

fn vision(config: &Value) -> Result<Option<VisionShape>, CheckpointError> {
    let Some(vision) = config
        .get("vision_config")
        .filter(|value| value.is_object())
    else {
        return Ok(None);
    };
    let model_type = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or("");
    // configuration_idefics3.py's defaults, which the published files rely on.
    let idefics = model_type == "idefics3";
    let or = |keys: &[&str], most: u32, default: u32| -> Result<Option<u32>, CheckpointError> {
        Ok(number(vision, keys, most)?
            .or(idefics.then_some(default))
            .filter(|n| *n > 0))
    };
    let hidden = or(&["hidden_size", "embed_dim"], most::HIDDEN, 1152)?;
    let layers = or(&["num_hidden_layers", "depth"], most::LAYERS, 12)?;
    let heads = or(&["num_attention_heads", "num_heads"], most::HEADS, 16)?;
    let feed_forward = or(&["intermediate_size"], most::FEED_FORWARD, 3072)?;
    let patch_px = or(&["patch_size"], most::PIXELS, 32)?;
    let tile_px = or(&["image_size"], most::PIXELS, 224)?;
    Ok((|| {
        let hidden = hidden?;
        Some(VisionShape {
            layers: layers?,
            hidden,
            heads: heads?,
            feed_forward: feed_forward.unwrap_or(4 * hidden),
            patch_px: patch_px?,
            tile_px,
        })
    })())
}

/// Reads the sizes of a GGUF header.
///
/// # Errors
/// If a number that memory depends on is missing or makes no sense.
pub fn gguf_shape(
    file: &str,
    architecture: &str,
    header: &gguf::Header,
) -> Result<Shape, CheckpointError> {
    let get = |key: &str, most: u32| -> Result<Option<u32>, CheckpointError> {
        match header.number(&format!("{architecture}.{key}")) {
            None | Some(0) => Ok(None),
            Some(number) => u32::try_from(number)
                .ok()
                .filter(|number| *number <= most)
                .map(Some)
                .ok_or_else(|| {
                    CheckpointError::broken(file, format!("its {key} cannot be {number}"))
                }),
        }
    };
    let need = |key: &str, most: u32| {
        get(key, most)?
            .ok_or_else(|| CheckpointError::broken(file, format!("it does not tell {key}")))
    };
    let layers = need("block_count", most::LAYERS)?;
    let hidden = need("embedding_length", most::HIDDEN)?;
    let heads = need("attention.head_count", most::HEADS)?;
    let kv_heads = get("attention.head_count_kv", most::HEADS)?.unwrap_or(heads);
    let head_dim = get("attention.key_length", most::HEAD_DIM)?.unwrap_or(hidden / heads);
    // Numbers of single layers may differ, and these are the largest ones.
    let most_heads = heads.max(kv_heads);
    check_heads(file, most_heads, most_heads, head_dim)?;
    let vocab = match get("vocab_size", most::VOCAB)? {
        Some(vocab) => vocab,
        None => header
            .count("tokenizer.ggml.tokens")
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0)
            .min(most::VOCAB),
    };
    Ok(Shape {
        layers,
        hidden,
        heads,
        kv_heads,
        head_dim,
        feed_forward: get("feed_forward_length", most::FEED_FORWARD)?.unwrap_or(4 * hidden),
        vocab,
        max_context_tokens: need("context_length", most::TOKENS)?,
        window_tokens: None,
        windowed_layers: 0,
        engine_uses_window: false,
        experts: get("expert_count", most::EXPERTS)?.unwrap_or(0),
        experts_per_token: get("expert_used_count", most::EXPERTS)?.unwrap_or(0),
        vision: None,
    })
}
