//! The lines of the ledger for one quantisation and context.
//!
//! Outside: comparing the sum with what there is.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use paddock_checkpoint::{Form, Quant, StoredType, WeightClass};
use paddock_decode::{ImageSize, Tiling};
use paddock_devices::DeviceKind;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::fit::hardware::Hardware;
use crate::fit::loading::loading;
use crate::fit::model::FitModel;
use crate::fit::weights::{ComputeType, F32_BYTES, feed_forward_width, weight_bytes};

/// mistral.rs 0.8.1 lets caches grow in steps of so many tokens (`NormalCache::CACHE_GROW_SIZE`).
const CACHE_STEP_TOKENS: u64 = 512;
/// A short question and its answer: what the low end of a plan is made for.
const SHORT_PROMPT_TOKENS: u64 = 1024;
const SHORT_ANSWER_TOKENS: u64 = 512;
/// A long question on a GPU: what the high end is made for there. On a processor it is a conversation that fills the
/// context, for the engine keeps no cache between questions and reads everything again in one piece.
const LONG_PROMPT_TOKENS: u64 = 8192;
/// The engine with a model of next to nothing: pages of the program that are in use, thread stacks, its own data.
/// Measured with the demo model, whose weights are taken off.
const PROCESS_BYTES: u64 = 48 << 20;
/// A loaded tokenizer for each entry of its vocabulary, and for each pair that it merges. From JSON, after the weights:
/// what it keeps, and what was needed to read it and the allocator does not give back; in a GGUF file it comes first, and
/// the weights use what was left over. Measured with tests/bench/memory: the models of Llama 3's tokenizer (128,256
/// entries, 280,147 merges) and of Qwen2.5's (151,936 and 151,387) give two equations each; Gemma 3's and SmolVLM's fit in.
const TOKENIZER_BYTES_JSON: (u64, u64) = (1200, 780);
const TOKENIZER_BYTES_GGUF: (u64, u64) = (1030, 135);
/// Vocabulary sizes of published models, and how many merges their tokenizer.json has. Others have about one an entry.
const PUBLISHED_MERGES: [(u32, u64); 4] = [
    (128_256, 280_147),
    (202_048, 439_802),
    (262_144, 514_906),
    (262_208, 514_906),
];
/// mistral.rs keeps this of a GPU free (`auto_device_map.rs`: the larger of 2 % and 512 MB).
const GPU_RESERVE_BYTES: u64 = 512 << 20;
/// Rotary tables hold a cosine and a sine for half a head.
const ROTARY_TABLES: u64 = 2;

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
    /// The part of it that a short question needs: caches grow with what is asked.
    pub kv_low_bytes: u64,
    /// As a server would whose cache knows chunks and windows (vLLM, llama.cpp).
    pub kv_bytes_window_aware: u64,
    pub image_tokens: u64,
    pub image_bytes: u64,
    pub activation_low_bytes: u64,
    pub activation_high_bytes: u64,
    pub reserve_bytes: u64,
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
    // A tied head is the embedding once more: as stored from GGUF, quantised in place from other files
    // (`ReplicatedLayer::from_linear` of mistralrs-quant 0.8.1). Without quantisation both are one.
    if let Entry::Vacant(head) = lines.entry(WeightClass::OutputHead) {
        let bytes: u64 = model
            .weights
            .iter()
            .filter(|group| group.class == WeightClass::Embedding && group.row > 0)
            .filter_map(|group| match model.form {
                Form::Gguf => Some(group.stored_bytes()),
                _ => quant.applied_to(group.row)?.bytes_of(group.elements),
            })
            .fold(0, u64::saturating_add);
        if bytes > 0 {
            head.insert((0, bytes));
        }
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
    let layer = shape
        .kv_elements_per_layer()
        .saturating_mul(compute.bytes());
    let layers = u64::from(shape.layers);
    let windowed = u64::from(shape.windowed_layers).min(layers);
    let window = shape.window_tokens.map_or(u64::MAX, u64::from);
    let full = |layers: u64, tokens: u64| layers.saturating_mul(layer).saturating_mul(tokens);
    let kv_bytes_window_aware =
        full(layers - windowed, context).saturating_add(full(windowed, context.min(window)));
    let allocated = |tokens: u64| {
        let stepped = tokens.min(context).div_ceil(CACHE_STEP_TOKENS) * CACHE_STEP_TOKENS;
        if shape.engine_uses_window {
            full(layers - windowed, stepped).saturating_add(full(windowed, stepped.min(window)))
        } else {
            full(layers, stepped)
        }
    };
    let kv_layers = if shape.engine_uses_window {
        layers - windowed
    } else {
        layers
    };
    let (image_tokens, image_bytes) = if model.sees {
        image(model, hardware, compute, images)
    } else {
        (0, 0)
    };
    let short = SHORT_PROMPT_TOKENS
        .saturating_add(image_tokens)
        .min(context);
    let long = match hardware.kind() {
        DeviceKind::Cpu => context,
        DeviceKind::Cuda | DeviceKind::Metal => context.min(LONG_PROMPT_TOKENS),
    };
    let (kv_bytes, kv_low_bytes) = (allocated(context), allocated(short + SHORT_ANSWER_TOKENS));
    let loading = loading(model, hardware, quant, compute, tokenizer(model));
    // A cache that grows while an answer is written is copied into a larger one, and the allocator keeps what it leaves:
    // pieces too small for the next step (`SingleCache::append`).
    let outgrown = match hardware.kind() {
        DeviceKind::Cpu => allocated(SHORT_PROMPT_TOKENS),
        DeviceKind::Cuda | DeviceKind::Metal => 0,
    };
    // While weights are read there is no cache yet, so only what goes beyond it counts.
    let activation = |prompt: u64, kv: u64| {
        activation(model, hardware, quant, compute, context, prompt)
            .saturating_add(outgrown)
            .max(loading.most.saturating_sub(kv))
    };
    Ledger {
        weights,
        weights_bytes,
        kv_bytes_per_token: kv_layers.saturating_mul(layer),
        kv_bytes,
        kv_low_bytes,
        kv_bytes_window_aware,
        image_tokens,
        image_bytes,
        activation_low_bytes: activation(short, kv_low_bytes),
        activation_high_bytes: activation(long, kv_bytes),
        reserve_bytes: reserve(model, hardware).saturating_add(loading.kept),
    }
}

/// How a family's vision tower attends on a processor; numbers for each head and pair of patches of a tile, in bytes.
fn bytes_a_pair(model: &FitModel, hardware: &Hardware, compute: ComputeType) -> u64 {
    match (&model.tiling, hardware.kind()) {
        // A mask of every tile and head is made in full, and copied by the attention of every layer
        // (`vision_models/idefics3/vision.rs`, `attention/backends/cpu.rs`).
        (Some(Tiling::Idefics3(_)), DeviceKind::Cpu) => compute.bytes() + F32_BYTES,
        // Flash attention without a mask: nothing.
        (Some(Tiling::Llama4(_) | Tiling::Gemma3(_)), DeviceKind::Cpu) => 0,
        (Some(Tiling::QwenVl(rules)), DeviceKind::Cpu) if rules.block_px == 32 => 0,
        // Scores in full, before and after softmax (`vision_models/qwen2_5_vl/vision.rs`; GPUs without flash attention).
        _ => 2 * F32_BYTES,
    }
}

/// (tokens, bytes while the vision tower works): the patches of all tiles of one picture through its widest layer, and
/// the finished features of all pictures.
fn image(model: &FitModel, hardware: &Hardware, compute: ComputeType, images: u64) -> (u64, u64) {
    let Some(vision) = &model.shape.vision else {
        return (0, 0);
    };
    let largest = ImageSize {
        width_px: 4096,
        height_px: 4096,
    };
    let patch = u64::from(vision.patch_px.max(1));
    let tile = u64::from(vision.tile_px.unwrap_or(1024));
    let plan = model.tiling.as_ref().map(|tiling| tiling.plan(largest));
    let (tokens, tiles, tile_pixels) = match (&plan, &model.tiling) {
        // One tile of the picture's own size.
        (Some(plan), Some(Tiling::QwenVl(_))) => (
            u64::from(plan.prompt_tokens),
            1,
            u64::from(plan.seen.width_px) * u64::from(plan.seen.height_px),
        ),
        (Some(plan), _) => (
            u64::from(plan.prompt_tokens),
            u64::from(plan.grid.rows) * u64::from(plan.grid.columns) + u64::from(plan.global_tile),
            tile * tile,
        ),
        // Without the family's rules: one tile, a quarter of its patches as tokens.
        (None, _) => (tile * tile / patch / patch / 4, 1, tile * tile),
    };
    if images == 0 {
        return (0, 0);
    }
    let patches_a_tile = tile_pixels / patch / patch + 1;
    let (hidden, wide) = (u64::from(vision.hidden), u64::from(vision.feed_forward));
    // Attention: residual, normed, query, key, value, one of them rearranged, output, and that rearranged. Feed-forward:
    // residual, normed, output, and two of the wide layer (before and after bias or activation).
    let per_patch = (8 * hidden).max(3 * hidden + 2 * wide) * compute.bytes();
    let pairs = u64::from(vision.heads)
        .saturating_mul(patches_a_tile)
        .saturating_mul(patches_a_tile);
    // As floats, while they are scaled and put together.
    let pixels = tiles * tile_pixels * 3 * 2 * F32_BYTES;
    let features = tokens * u64::from(model.shape.hidden) * compute.bytes();
    let working = tiles
        .saturating_mul(patches_a_tile)
        .saturating_mul(per_patch)
        .saturating_add(
            tiles.saturating_mul(pairs.saturating_mul(bytes_a_pair(model, hardware, compute))),
        )
        .saturating_add(pixels);
    (
        tokens * images,
        working.saturating_add(features.saturating_mul(images)),
    )
}

/// What one pass over a prompt of `prompt` tokens takes besides weights and cache. mistral.rs 0.8.1 reads a prompt in
/// one piece.
fn activation(
    model: &FitModel,
    hardware: &Hardware,
    quant: Quant,
    compute: ComputeType,
    context: u64,
    prompt: u64,
) -> u64 {
    let shape = &model.shape;
    let hidden = u64::from(shape.hidden);
    let wide = feed_forward_width(model);
    let query = u64::from(shape.heads) * u64::from(shape.head_dim);
    let keys = u64::from(shape.kv_heads) * u64::from(shape.head_dim);
    let logits = u64::from(shape.vocab) * 4 * 2;
    // GGUF files tell their own context, and the engine makes tables for all of it.
    let positions = match model.form {
        Form::Gguf => context.max(shape.max_context_tokens.into()),
        _ => context,
    };
    let rotary = ROTARY_TABLES * positions * u64::from(shape.head_dim) / 2 * compute.bytes();
    let one = match hardware.kind() {
        DeviceKind::Cpu => {
            // Quantised weights are multiplied with 32-bit floats, rounded to blocks of 8 bits once more beside them
            // (`k_quants.rs` of candle 0.10.2).
            let quantised = quant != Quant::None || model.form == Form::Gguf;
            let (float, rounded) = if quantised {
                (F32_BYTES, wide + wide / 8)
            } else {
                (compute.bytes(), 0)
            };
            let square = prompt.saturating_mul(prompt);
            // The mask of every query and key is made in full, two of them for windows and chunks
            // (`layers_masker.rs`), and copied as 32-bit floats by every layer's attention (`attention/backends/cpu.rs`).
            let kinds = if shape.window_tokens.is_some() { 2 } else { 1 };
            let masks = square.saturating_mul(compute.bytes() * kinds);
            // Residual and normed; queries before and after their rotation and the output; keys, values likewise.
            let attention = square
                .saturating_mul(F32_BYTES)
                .saturating_add(prompt * (2 * hidden + 3 * query + 3 * keys) * float);
            // Embedded, residual, normed, output and what is added to it; gate, up and their product.
            let network = prompt * ((5 * hidden + 3 * wide) * float + rounded);
            masks.saturating_add(attention.max(network))
        }
        DeviceKind::Cuda | DeviceKind::Metal => {
            // Residual, normed and output; queries, keys, values; gate, up and their product.
            prompt * (3 * hidden + 2 * (query + 2 * keys) + 3 * wide) * compute.bytes()
        }
    }
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

/// The tokenizer of a vocabulary of this size.
fn tokenizer(model: &FitModel) -> u64 {
    let vocab = model.shape.vocab;
    let merges = PUBLISHED_MERGES
        .iter()
        .find(|(size, _)| *size == vocab)
        .map_or(vocab.into(), |(_, merges)| *merges);
    let (entry_bytes, merge_bytes) = match model.form {
        Form::Gguf => TOKENIZER_BYTES_GGUF,
        Form::Safetensors | Form::Uqff => TOKENIZER_BYTES_JSON,
    };
    u64::from(vocab) * entry_bytes + merges * merge_bytes
}

/// What has to stay free or goes to the engine's own needs.
fn reserve(model: &FitModel, hardware: &Hardware) -> u64 {
    match hardware.kind() {
        DeviceKind::Cpu => PROCESS_BYTES + tokenizer(model),
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
                .fold(0, u64::saturating_add);
            vision
                .saturating_mul(copies)
                .saturating_add(hardware.total_bytes() / 10)
        }
        DeviceKind::Cuda | DeviceKind::Metal => {
            (hardware.total_bytes() / 50).max(GPU_RESERVE_BYTES)
        }
    }
}
