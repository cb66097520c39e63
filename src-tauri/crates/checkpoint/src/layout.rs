//! Every tensor of a model from its `config.json` alone, by the names and shapes that transformers gives them.
//!
//! Outside: families for which no published size was there to check the count against; they have no layout here.
//!
//! Source: `modeling_llama4.py`, `modeling_idefics3.py`, `modeling_qwen2_5_vl.py`, `modeling_qwen3_vl.py`,
//! `modeling_gemma3.py`, `modeling_llama.py` of transformers. The catalogue's exact parameter counts test it.

use serde_json::Value;

use crate::tensors::{StoredType, Tensor, WeightGroup, group};
use crate::{config, json};

/// One tensor that a checkpoint of this configuration has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutTensor {
    pub name: String,
    /// Outermost first.
    pub shape: Vec<u64>,
}

/// All tensors; `None` for a family that is not known here or a configuration without its numbers.
#[must_use]
pub fn layout(config: &Value) -> Option<Vec<LayoutTensor>> {
    let mut list = List::default();
    match config.get("model_type")?.as_str()? {
        "llama4" => llama4(&mut list, config)?,
        "idefics3" => idefics3(&mut list, config)?,
        "qwen2_5_vl" => qwen2_5_vl(&mut list, config)?,
        "qwen3_vl" => qwen3_vl(&mut list, config)?,
        "gemma3" => gemma3(&mut list, config)?,
        "llama" => {
            let text = Text::read(config)?;
            text.write(&mut list, "model.", "lm_head.weight", Extras::default());
        }
        "qwen3" => {
            let text = Text::read(config)?;
            let extras = Extras {
                query_norm: true,
                ..Extras::default()
            };
            text.write(&mut list, "model.", "lm_head.weight", extras);
        }
        _ => return None,
    }
    Some(list.0)
}

/// The same added up, with all weights stored as `stored`.
#[must_use]
pub fn groups(config: &Value, stored: StoredType) -> Option<Vec<WeightGroup>> {
    let tensors: Vec<Tensor> = layout(config)?
        .into_iter()
        .map(|tensor| {
            let elements = tensor
                .shape
                .iter()
                .try_fold(1_u64, |product, side| product.checked_mul(*side))?;
            Some(Tensor {
                bytes: stored.bytes_of(elements).unwrap_or(0),
                name: tensor.name,
                shape: tensor.shape,
                elements,
                stored,
            })
        })
        .collect::<Option<_>>()?;
    Some(group(tensors.iter()))
}

#[derive(Default)]
struct List(Vec<LayoutTensor>);

impl List {
    fn add(&mut self, name: impl Into<String>, shape: &[u64]) {
        self.0.push(LayoutTensor {
            name: name.into(),
            shape: shape.to_vec(),
        });
    }

    /// A linear layer's weight (`outputs` x `inputs`) and bias.
    fn linear(&mut self, name: &str, outputs: u64, inputs: u64) {
        self.add(format!("{name}.weight"), &[outputs, inputs]);
        self.add(format!("{name}.bias"), &[outputs]);
    }

    fn norm(&mut self, name: &str, width: u64) {
        self.add(format!("{name}.weight"), &[width]);
        self.add(format!("{name}.bias"), &[width]);
    }
}

/// No number of an architecture is larger: products of three of them stay within 64 bits.
const LARGEST: u64 = 1 << 21;
/// No model has more layers; what is listed for each of them is bounded.
const MOST_LAYERS: u64 = 1 << 12;

fn get(object: &Value, key: &str) -> Option<u64> {
    json::whole(object.get(key)?).filter(|n| (1..=LARGEST).contains(n))
}

fn layers(object: &Value, key: &str) -> Option<u64> {
    get(object, key).filter(|n| *n <= MOST_LAYERS)
}

/// The common decoder: grouped-query attention and a gated feed-forward network.
struct Text {
    hidden: u64,
    feed_forward: u64,
    layers: u64,
    heads: u64,
    kv_heads: u64,
    head_dim: u64,
    vocab: u64,
    tied: bool,
}

#[derive(Default, Clone, Copy)]
struct Extras {
    /// Biases of queries, keys and values (Qwen2).
    qkv_bias: bool,
    /// Norms of queries and keys (Qwen3, Gemma 3).
    query_norm: bool,
    /// Norms around the feed-forward network (Gemma 3).
    four_norms: bool,
}

impl Text {
    fn read(config: &Value) -> Option<Self> {
        let text = config::text(config);
        let shape = config::shape(config).ok()?;
        let tied = text
            .get("tie_word_embeddings")
            .or_else(|| config.get("tie_word_embeddings"))
            .and_then(Value::as_bool)
            // Gemma's configuration classes assume it.
            .unwrap_or(config.get("model_type").and_then(Value::as_str) == Some("gemma3"));
        Some(Self {
            hidden: shape.hidden.into(),
            feed_forward: get(text, "intermediate_size")?,
            layers: shape.layers.into(),
            heads: shape.heads.into(),
            kv_heads: shape.kv_heads.into(),
            head_dim: shape.head_dim.into(),
            vocab: shape.vocab.into(),
            tied,
        })
    }

    fn attention(&self, list: &mut List, layer: &str, extras: Extras) {
        for (name, outputs) in [
            ("q_proj", self.heads * self.head_dim),
            ("k_proj", self.kv_heads * self.head_dim),
            ("v_proj", self.kv_heads * self.head_dim),
        ] {
            list.add(
                format!("{layer}.self_attn.{name}.weight"),
                &[outputs, self.hidden],
            );
            if extras.qkv_bias {
                list.add(format!("{layer}.self_attn.{name}.bias"), &[outputs]);
            }
        }
        list.add(
            format!("{layer}.self_attn.o_proj.weight"),
            &[self.hidden, self.heads * self.head_dim],
        );
        if extras.query_norm {
            for name in ["q_norm", "k_norm"] {
                list.add(format!("{layer}.self_attn.{name}.weight"), &[self.head_dim]);
            }
        }
    }

    fn gated(&self, list: &mut List, prefix: &str, width: u64) {
        list.add(format!("{prefix}.gate_proj.weight"), &[width, self.hidden]);
        list.add(format!("{prefix}.up_proj.weight"), &[width, self.hidden]);
        list.add(format!("{prefix}.down_proj.weight"), &[self.hidden, width]);
    }

    fn norms(&self, list: &mut List, layer: &str, extras: Extras) {
        let names: &[&str] = if extras.four_norms {
            &[
                "input_layernorm",
                "post_attention_layernorm",
                "pre_feedforward_layernorm",
                "post_feedforward_layernorm",
            ]
        } else {
            &["input_layernorm", "post_attention_layernorm"]
        };
        for name in names {
            list.add(format!("{layer}.{name}.weight"), &[self.hidden]);
        }
    }

    /// Embeddings, last norm and output head.
    fn ends(&self, list: &mut List, prefix: &str, head: &str) {
        list.add(
            format!("{prefix}embed_tokens.weight"),
            &[self.vocab, self.hidden],
        );
        list.add(format!("{prefix}norm.weight"), &[self.hidden]);
        if !self.tied {
            list.add(head, &[self.vocab, self.hidden]);
        }
    }

    fn write(&self, list: &mut List, prefix: &str, head: &str, extras: Extras) {
        self.ends(list, prefix, head);
        for layer in 0..self.layers {
            let layer = format!("{prefix}layers.{layer}");
            self.norms(list, &layer, extras);
            self.attention(list, &layer, extras);
            self.gated(list, &format!("{layer}.mlp"), self.feed_forward);
        }
    }
}

fn llama4(list: &mut List, config: &Value) -> Option<()> {
    let text = Text::read(config)?;
    let settings = config::text(config);
    let experts = get(settings, "num_local_experts")?;
    let step = get(settings, "interleave_moe_layer_step")?;
    let dense = get(settings, "intermediate_size_mlp")?;
    text.ends(
        list,
        "language_model.model.",
        "language_model.lm_head.weight",
    );
    for index in 0..text.layers {
        let layer = format!("language_model.model.layers.{index}");
        text.norms(list, &layer, Extras::default());
        text.attention(list, &layer, Extras::default());
        let network = format!("{layer}.feed_forward");
        if (index + 1).is_multiple_of(step) {
            let (hidden, width) = (text.hidden, text.feed_forward);
            list.add(format!("{network}.router.weight"), &[experts, hidden]);
            list.add(
                format!("{network}.experts.gate_up_proj"),
                &[experts, hidden, 2 * width],
            );
            list.add(
                format!("{network}.experts.down_proj"),
                &[experts, width, hidden],
            );
            text.gated(list, &format!("{network}.shared_expert"), width);
        } else {
            text.gated(list, &network, dense);
        }
    }
    let vision = config.get("vision_config")?;
    let hidden = get(vision, "hidden_size")?;
    let wide = get(vision, "intermediate_size")?;
    let patch = get(vision, "patch_size")?;
    let side = get(vision, "image_size")? / patch;
    let output = get(vision, "vision_output_dim")?;
    list.add("vision_model.class_embedding", &[hidden]);
    list.add(
        "vision_model.positional_embedding_vlm",
        &[side * side + 1, hidden],
    );
    list.add(
        "vision_model.patch_embedding.linear.weight",
        &[hidden, 3 * patch * patch],
    );
    list.norm("vision_model.layernorm_pre", hidden);
    list.norm("vision_model.layernorm_post", hidden);
    for layer in 0..layers(vision, "num_hidden_layers")? {
        let layer = format!("vision_model.model.layers.{layer}");
        for name in ["q_proj", "k_proj", "v_proj", "o_proj"] {
            list.linear(&format!("{layer}.self_attn.{name}"), hidden, hidden);
        }
        list.linear(&format!("{layer}.mlp.fc1"), wide, hidden);
        list.linear(&format!("{layer}.mlp.fc2"), hidden, wide);
        list.norm(&format!("{layer}.input_layernorm"), hidden);
        list.norm(&format!("{layer}.post_attention_layernorm"), hidden);
    }
    let middle = get(vision, "projector_input_dim")?;
    let end = get(vision, "projector_output_dim")?;
    list.add(
        "vision_model.vision_adapter.mlp.fc1.weight",
        &[middle, wide],
    );
    list.add("vision_model.vision_adapter.mlp.fc2.weight", &[end, middle]);
    list.add(
        "multi_modal_projector.linear_1.weight",
        &[text.hidden, output],
    );
    Some(())
}

/// A SigLIP tower under `prefix`.
fn siglip(list: &mut List, prefix: &str, vision: &Value) -> Option<u64> {
    let hidden = get(vision, "hidden_size")?;
    let wide = get(vision, "intermediate_size")?;
    let patch = get(vision, "patch_size")?;
    let side = get(vision, "image_size")? / patch;
    list.add(
        format!("{prefix}.embeddings.patch_embedding.weight"),
        &[hidden, 3, patch, patch],
    );
    list.add(
        format!("{prefix}.embeddings.patch_embedding.bias"),
        &[hidden],
    );
    list.add(
        format!("{prefix}.embeddings.position_embedding.weight"),
        &[side * side, hidden],
    );
    for layer in 0..layers(vision, "num_hidden_layers")? {
        let layer = format!("{prefix}.encoder.layers.{layer}");
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            list.linear(&format!("{layer}.self_attn.{name}"), hidden, hidden);
        }
        list.linear(&format!("{layer}.mlp.fc1"), wide, hidden);
        list.linear(&format!("{layer}.mlp.fc2"), hidden, wide);
        list.norm(&format!("{layer}.layer_norm1"), hidden);
        list.norm(&format!("{layer}.layer_norm2"), hidden);
    }
    list.norm(&format!("{prefix}.post_layernorm"), hidden);
    Some(hidden)
}

fn idefics3(list: &mut List, config: &Value) -> Option<()> {
    let text = Text::read(config)?;
    text.write(
        list,
        "model.text_model.",
        "lm_head.weight",
        Extras::default(),
    );
    let hidden = siglip(list, "model.vision_model", config.get("vision_config")?)?;
    let scale = get(config, "scale_factor")?;
    list.add(
        "model.connector.modality_projection.proj.weight",
        &[text.hidden, hidden.checked_mul(scale)?.checked_mul(scale)?],
    );
    Some(())
}

fn gemma3(list: &mut List, config: &Value) -> Option<()> {
    let text = Text::read(config)?;
    let extras = Extras {
        query_norm: true,
        four_norms: true,
        ..Extras::default()
    };
    text.write(
        list,
        "language_model.model.",
        "language_model.lm_head.weight",
        extras,
    );
    let hidden = siglip(
        list,
        "vision_tower.vision_model",
        config.get("vision_config")?,
    )?;
    list.add(
        "multi_modal_projector.mm_input_projection_weight",
        &[hidden, text.hidden],
    );
    list.add("multi_modal_projector.mm_soft_emb_norm.weight", &[hidden]);
    Some(())
}

fn qwen2_5_vl(list: &mut List, config: &Value) -> Option<()> {
    let text = Text::read(config)?;
    let extras = Extras {
        qkv_bias: true,
        ..Extras::default()
    };
    text.write(list, "model.", "lm_head.weight", extras);
    let vision = config.get("vision_config")?;
    let hidden = get(vision, "hidden_size")?;
    let wide = get(vision, "intermediate_size")?;
    let patch = get(vision, "patch_size")?;
    let merged = hidden * get(vision, "spatial_merge_size")?.pow(2);
    list.add(
        "visual.patch_embed.proj.weight",
        &[hidden, 3, 2, patch, patch],
    );
    for block in 0..layers(vision, "depth")? {
        let block = format!("visual.blocks.{block}");
        list.add(format!("{block}.norm1.weight"), &[hidden]);
        list.add(format!("{block}.norm2.weight"), &[hidden]);
        list.linear(&format!("{block}.attn.qkv"), 3 * hidden, hidden);
        list.linear(&format!("{block}.attn.proj"), hidden, hidden);
        list.linear(&format!("{block}.mlp.gate_proj"), wide, hidden);
        list.linear(&format!("{block}.mlp.up_proj"), wide, hidden);
        list.linear(&format!("{block}.mlp.down_proj"), hidden, wide);
    }
    list.add("visual.merger.ln_q.weight", &[hidden]);
    list.linear("visual.merger.mlp.0", merged, merged);
    list.linear("visual.merger.mlp.2", text.hidden, merged);
    Some(())
}

fn qwen3_vl(list: &mut List, config: &Value) -> Option<()> {
    let text = Text::read(config)?;
    let extras = Extras {
        query_norm: true,
        ..Extras::default()
    };
    text.write(list, "model.language_model.", "lm_head.weight", extras);
    let vision = config.get("vision_config")?;
    let hidden = get(vision, "hidden_size")?;
    let wide = get(vision, "intermediate_size")?;
    let patch = get(vision, "patch_size")?;
    let merged = hidden * get(vision, "spatial_merge_size")?.pow(2);
    let deep = vision.get("deepstack_visual_indexes")?.as_array()?;
    // One at most for each block.
    let deep = deep.len().min(MOST_LAYERS as usize);
    list.add(
        "model.visual.patch_embed.proj.weight",
        &[hidden, 3, 2, patch, patch],
    );
    list.add("model.visual.patch_embed.proj.bias", &[hidden]);
    list.add(
        "model.visual.pos_embed.weight",
        &[get(vision, "num_position_embeddings")?, hidden],
    );
    for block in 0..layers(vision, "depth")? {
        let block = format!("model.visual.blocks.{block}");
        list.norm(&format!("{block}.norm1"), hidden);
        list.norm(&format!("{block}.norm2"), hidden);
        list.linear(&format!("{block}.attn.qkv"), 3 * hidden, hidden);
        list.linear(&format!("{block}.attn.proj"), hidden, hidden);
        list.linear(&format!("{block}.mlp.linear_fc1"), wide, hidden);
        list.linear(&format!("{block}.mlp.linear_fc2"), hidden, wide);
    }
    let merger = |list: &mut List, name: &str, normed: u64| {
        list.norm(&format!("{name}.norm"), normed);
        list.linear(&format!("{name}.linear_fc1"), merged, merged);
        list.linear(&format!("{name}.linear_fc2"), text.hidden, merged);
    };
    merger(list, "model.visual.merger", hidden);
    for index in 0..deep {
        let name = format!("model.visual.deepstack_merger_list.{index}");
        merger(list, &name, merged);
    }
    Some(())
}
