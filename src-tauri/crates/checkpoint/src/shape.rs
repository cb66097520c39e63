//! The numbers of a model's architecture that decide its memory.
//!
//! Outside: its tensors (see [`crate::tensors::WeightGroup`]), and how `config.json` spells the numbers.

use serde::{Deserialize, Serialize};

/// A transformer's sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub layers: u32,
    pub hidden: u32,
    pub heads: u32,
    /// Heads of keys and values; fewer than `heads` with grouped queries.
    pub kv_heads: u32,
    pub head_dim: u32,
    /// Width of the widest feed-forward network that one token passes.
    pub feed_forward: u32,
    pub vocab: u32,
    pub max_context_tokens: u32,
    /// Tokens that the windowed or chunked layers look back on; none if all layers look at everything.
    pub window_tokens: Option<u32>,
    /// Layers with that window.
    pub windowed_layers: u32,
    /// Whether mistral.rs 0.8.1 gives those layers a cache of the window's size only (Gemma 3 and 4, Qwen 3 with a window)
    /// or one for the whole context (Llama 4).
    pub engine_uses_window: bool,
    /// Routed experts of one layer; 0 for a dense model.
    pub experts: u32,
    pub experts_per_token: u32,
    pub vision: Option<VisionShape>,
}

/// The sizes of a vision tower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisionShape {
    pub layers: u32,
    pub hidden: u32,
    pub heads: u32,
    pub feed_forward: u32,
    pub patch_px: u32,
    /// Side of a tile; none where pictures keep their own size.
    pub tile_px: Option<u32>,
}

impl Shape {
    /// Values that one layer keeps for one token: a key and a value for each of its heads.
    #[must_use]
    pub fn kv_elements_per_layer(&self) -> u64 {
        u64::from(self.kv_heads)
            .saturating_mul(u64::from(self.head_dim))
            .saturating_mul(2)
    }
}
