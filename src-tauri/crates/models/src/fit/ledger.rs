//! The lines of the ledger for one quantisation and context.
//!
//! Outside: comparing the sum with what there is.

use std::collections::BTreeMap;

use paddock_devices::DeviceKind;
use paddock_media::ImageSize;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{FitModel, Hardware};
use crate::{Form, Quant, StoredType, WeightClass};

/// mistral.rs 0.8.1 lets caches grow in steps of so many tokens (`NormalCache::CACHE_GROW_SIZE`).
const CACHE_STEP_TOKENS: u64 = 512;
/// A short question: what the low end of a plan is made for.
const SHORT_PROMPT_TOKENS: u64 = 1024;
/// A long conversation with its pictures, read again as a whole: what the high end is made for.
const LONG_PROMPT_TOKENS: u64 = 8192;
/// Program, allocator and thread stacks of the engine besides the model.
const PROCESS_BYTES: u64 = 96 << 20;
/// A loaded tokenizer (text, ids, merges, and the trie for constrained output) per entry of its vocabulary.
const TOKENIZER_BYTES_PER_ENTRY: u64 = 700;
/// mistral.rs keeps this of a GPU free (`auto_device_map.rs`: the larger of 2 % and 512 MB).
const GPU_RESERVE_BYTES: u64 = 512 << 20;
/// Rotary tables hold a cosine and a sine for half a head.
const ROTARY_TABLES: u64 = 2;

/// Floating-point type that the engine computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "lowercase")]
pub enum ComputeType {
    F32,
    F16,
    Bf16,
}

impl ComputeType {
    /// Bytes of one number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// As the engine's `--dtype` takes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// The type to compute in: 16 bits on GPUs; on a processor 32 bits while the model is small, which is faster and never
/// overflows, else 16 bits, which halves the memory (bf16 does not exist on processors in candle 0.10.2). GGUF models
/// always have 16-bit caches there.
#[must_use]
pub fn compute_type(kind: DeviceKind, form: Form, parameters: u64) -> ComputeType {
    match kind {
        DeviceKind::Cuda | DeviceKind::Metal => ComputeType::Bf16,
        DeviceKind::Cpu if form != Form::Gguf && parameters < 4_000_000_000 => ComputeType::F32,
        DeviceKind::Cpu => ComputeType::F16,
    }
}

/// Weights of one class in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct WeightLine {
    /// `embedding`, `attention`, `experts`...
    pub class: String,
    #[specta(type = u32)]
    pub parameters: u64,
    #[specta(type = u32)]
    pub bytes: u64,
}

/// Every line, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    pub weights: Vec<WeightLine>,
    pub weights_bytes: u64,
    /// Of the layers that keep all tokens as this engine allocates them.
    pub kv_bytes_per_token: u64,
    /// As this engine allocates it.
    pub kv_bytes: u64,
    /// As a server would whose cache knows chunks and windows (vLLM, llama.cpp).
    pub kv_bytes_window_aware: u64,
    pub image_tokens: u64,
    pub image_bytes: u64,
    pub activation_low_bytes: u64,
    pub activation_high_bytes: u64,
    pub reserve_bytes: u64,
}

/// Whether the engine quantises weights of this class on load: the linear layers of the language model
/// (`immediate_isq_predicates` of mistralrs-core 0.8.1 with Paddock's patch for Llama 4's experts).
fn quantised(class: WeightClass) -> bool {
    matches!(
        class,
        WeightClass::Attention
            | WeightClass::Mlp
            | WeightClass::Experts
            | WeightClass::SharedExpert
            | WeightClass::OutputHead
    )
}

fn weight_bytes(
    model: &FitModel,
    quant: Quant,
    compute: ComputeType,
    group: &crate::WeightGroup,
) -> u64 {
    let as_computed = group.elements.saturating_mul(compute.bytes());
    if model.form == Form::Gguf {
        return match group.class {
            // quantized_llama.rs and its like: embeddings and norms become 32-bit floats.
            WeightClass::Embedding | WeightClass::Norm => group.elements.saturating_mul(4),
            _ => group.stored_bytes(),
        };
    }
    if !group.stored.is_float() {
        return group.stored_bytes();
    }
    if group.row > 0
        && quantised(group.class)
        && let Some(block) = quant.applied_to(group.row)
    {
        return block
            .bytes_of(group.elements)
            .unwrap_or_else(|| group.elements.saturating_mul(4));
    }
    as_computed
}

/// The weights, class by class.
pub(crate) fn weights(model: &FitModel, quant: Quant, compute: ComputeType) -> Vec<WeightLine> {
    let mut lines: BTreeMap<WeightClass, (u64, u64)> = BTreeMap::new();
    for group in &model.weights {
        let line = lines.entry(group.class).or_default();
        line.0 = line.0.saturating_add(group.elements);
        line.1 = line
            .1
            .saturating_add(weight_bytes(model, quant, compute, group));
    }
    // A tied GGUF head is the embedding once more, quantised as stored.
    if model.form == Form::Gguf && !lines.contains_key(&WeightClass::OutputHead) {
        let bytes = model
            .weights
            .iter()
            .filter(|group| group.class == WeightClass::Embedding)
            .map(crate::WeightGroup::stored_bytes)
            .sum();
        lines.insert(WeightClass::OutputHead, (0, bytes));
    }
    lines
        .into_iter()
        .map(|(class, (parameters, bytes))| WeightLine {
            class: serde_json::to_value(class)
                .ok()
                .and_then(|name| name.as_str().map(str::to_owned))
                .unwrap_or_default(),
            parameters,
            bytes,
        })
        .collect()
}

/// Everything for `images` pictures of the most expensive size and a context of `context` tokens.
pub(crate) fn ledger(
    model: &FitModel,
    hardware: &Hardware,
    quant: Quant,
    compute: ComputeType,
    context: u64,
    images: u64,
) -> Ledger {
    let shape = &model.shape;
    let weights = weights(model, quant, compute);
    let weights_bytes = weights
        .iter()
        .map(|line| line.bytes)
        .fold(0, u64::saturating_add);
    let layer = shape.kv_elements_per_layer() * compute.bytes();
    let layers = u64::from(shape.layers);
    let windowed = u64::from(shape.windowed_layers).min(layers);
    let window = shape.window_tokens.map_or(u64::MAX, u64::from);
    let stepped = context.div_ceil(CACHE_STEP_TOKENS) * CACHE_STEP_TOKENS;
    let full = |layers: u64, tokens: u64| layers.saturating_mul(layer).saturating_mul(tokens);
    let kv_bytes_window_aware =
        full(layers - windowed, context).saturating_add(full(windowed, context.min(window)));
    let kv_bytes = if shape.engine_uses_window {
        full(layers - windowed, stepped).saturating_add(full(windowed, stepped.min(window)))
    } else {
        full(layers, stepped)
    };
    let kv_layers = if shape.engine_uses_window {
        layers - windowed
    } else {
        layers
    };
    let (image_tokens, image_bytes) = if model.sees {
        image(model, compute, images)
    } else {
        (0, 0)
    };
    let activation = |prompt: u64| activation(model, hardware, compute, context, prompt);
    Ledger {
        weights,
        weights_bytes,
        kv_bytes_per_token: kv_layers * layer,
        kv_bytes,
        kv_bytes_window_aware,
        image_tokens,
        image_bytes,
        activation_low_bytes: activation(context.min(SHORT_PROMPT_TOKENS)),
        activation_high_bytes: activation(context.min(LONG_PROMPT_TOKENS)),
        reserve_bytes: reserve(model, hardware),
    }
}

/// (tokens, bytes while the vision tower works): one tile's patches through its widest layer, for all tiles of one
/// picture at a time, and the finished features of all pictures.
fn image(model: &FitModel, compute: ComputeType, images: u64) -> (u64, u64) {
    let Some(vision) = &model.shape.vision else {
        return (0, 0);
    };
    let largest = ImageSize {
        width_px: 4096,
        height_px: 4096,
    };
    let tile = vision.tile_px.unwrap_or(1024);
    let patches_a_tile = (u64::from(tile) / u64::from(vision.patch_px.max(1))).pow(2) + 1;
    let (tokens, tiles) = match model.tiling.as_ref().map(|tiling| tiling.plan(largest)) {
        Some(plan) => (
            u64::from(plan.prompt_tokens),
            u64::from(plan.grid.rows) * u64::from(plan.grid.columns) + u64::from(plan.global_tile),
        ),
        // Without the family's rules: one tile, a quarter of its patches as tokens.
        None => (patches_a_tile / 4, 1),
    };
    let hidden = u64::from(vision.hidden);
    // Residual, normed, query, key, value, attention output and the two sides of the wide layer.
    let per_patch = (6 * hidden + 2 * u64::from(vision.feed_forward)) * compute.bytes();
    // Scores of all heads of one tile, in 32 bits, twice (before and after softmax).
    let scores = u64::from(vision.heads) * patches_a_tile * patches_a_tile * 8;
    let pixels = tiles * u64::from(tile) * u64::from(tile) * 3 * 4;
    let features = tokens * u64::from(model.shape.hidden) * compute.bytes();
    let working = tiles
        .saturating_mul(patches_a_tile)
        .saturating_mul(per_patch)
        .saturating_add(tiles.saturating_mul(scores))
        .saturating_add(pixels);
    (
        tokens * images,
        if images == 0 {
            0
        } else {
            working.saturating_add(features.saturating_mul(images))
        },
    )
}

/// What one pass over a prompt of `prompt` tokens takes besides weights and cache. mistral.rs 0.8.1 reads a prompt in
/// one piece.
fn activation(
    model: &FitModel,
    hardware: &Hardware,
    compute: ComputeType,
    context: u64,
    prompt: u64,
) -> u64 {
    let shape = &model.shape;
    let hidden = u64::from(shape.hidden);
    let wide = u64::from(shape.feed_forward);
    let attention =
        (u64::from(shape.heads) + 2 * u64::from(shape.kv_heads)) * u64::from(shape.head_dim);
    // Residual, normed and output; queries, keys, values; gate, up and their product.
    let per_token = (3 * hidden + 2 * attention + 3 * wide) * compute.bytes();
    let logits = u64::from(shape.vocab) * 4 * 2;
    let rotary = ROTARY_TABLES * context * u64::from(shape.head_dim) / 2 * compute.bytes();
    // On a processor the mask of every query and key is made in full, two of them for chunked attention.
    let masks = match hardware.kind() {
        DeviceKind::Cpu => {
            let kinds = if shape.window_tokens.is_some() { 2 } else { 1 };
            prompt * prompt * compute.bytes() * kinds
        }
        DeviceKind::Cuda | DeviceKind::Metal => 0,
    };
    let one = (prompt * per_token)
        .saturating_add(masks)
        .saturating_add(logits)
        .saturating_add(rotary);
    if is_server(hardware) {
        // A server batches and compiles graphs: a tenth of every device, which gives the 1.4 million tokens that
        // llama-cookbook reports for Scout in bf16 on eight 80 GB GPUs.
        one.max(hardware.total_bytes() / 10)
    } else {
        one
    }
}

/// Several devices are a server's, run by vLLM or the like and not by the engine here.
pub(crate) fn is_server(hardware: &Hardware) -> bool {
    hardware.devices.len() > 1
}

/// What has to stay free or goes to the engine's own needs.
fn reserve(model: &FitModel, hardware: &Hardware) -> u64 {
    let tokenizer = u64::from(model.shape.vocab) * TOKENIZER_BYTES_PER_ENTRY;
    match hardware.kind() {
        DeviceKind::Cpu => PROCESS_BYTES + tokenizer,
        DeviceKind::Cuda | DeviceKind::Metal if is_server(hardware) => {
            // vLLM's `gpu_memory_utilization` of 0.9, and the vision tower on every device but the first once more.
            let copies = hardware.devices.len() as u64 - 1;
            let vision: u64 = model
                .weights
                .iter()
                .filter(|group| matches!(group.class, WeightClass::Vision | WeightClass::Projector))
                .map(|group| {
                    group
                        .elements
                        .saturating_mul(StoredType::BF16.bytes_of(1).unwrap_or(2))
                })
                .sum();
            hardware.total_bytes() / 10 + vision.saturating_mul(copies)
        }
        DeviceKind::Cuda | DeviceKind::Metal => {
            (hardware.total_bytes() / 50).max(GPU_RESERVE_BYTES)
        }
    }
}
