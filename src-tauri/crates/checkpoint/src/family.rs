//! Architectures, and what the engine (mistral.rs 0.8.1 with Paddock's patches) can do with each.
//!
//! Outside: single files and sizes.
//!
//! Source: `MultimodalLoaderType::from_causal_lm_name`, `NormalLoaderType::from_causal_lm_name` and
//! `pipeline/gguf.rs` of mistralrs-core 0.8.1.

/// An architecture by its everyday name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// `Llama 4`, `Qwen2.5-VL`; the class name itself if it is not known here.
    pub name: String,
    pub support: Support,
}

/// Whether the engine runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// Text and pictures.
    TextAndImages,
    /// Text, also where the model itself could see more.
    Text,
    /// Not at all; a sentence's second half.
    No { why: String },
}

impl Family {
    /// By the class name in `config.json`.
    #[must_use]
    pub fn of_architecture(class: &str) -> Self {
        use Support::{Text, TextAndImages};
        // Per-expert weights become empty layers on a processor in 0.8.1 (`mistralrs-quant` distributed/layers.rs:1336).
        let experts = || {
            no(
                "the engine cannot run this mixture of experts on a processor from safetensors files",
            )
        };
        let (name, support) = match class {
            "Llama4ForConditionalGeneration" => ("Llama 4", TextAndImages),
            "Idefics3ForConditionalGeneration" => ("SmolVLM / Idefics 3", TextAndImages),
            "Idefics2ForConditionalGeneration" => ("Idefics 2", TextAndImages),
            "Qwen2VLForConditionalGeneration" => ("Qwen2-VL", TextAndImages),
            "Qwen2_5_VLForConditionalGeneration" => ("Qwen2.5-VL", TextAndImages),
            "Qwen3VLForConditionalGeneration" => ("Qwen3-VL", TextAndImages),
            "Qwen3VLMoeForConditionalGeneration" => ("Qwen3-VL MoE", TextAndImages),
            "Qwen3_5ForConditionalGeneration" => ("Qwen3.5", TextAndImages),
            "Qwen3_5MoeForConditionalGeneration" => ("Qwen3.5 MoE", TextAndImages),
            "Gemma3ForConditionalGeneration" => ("Gemma 3", TextAndImages),
            "Gemma3nForConditionalGeneration" => ("Gemma 3n", TextAndImages),
            "Gemma4ForConditionalGeneration" => ("Gemma 4", TextAndImages),
            "Mistral3ForConditionalGeneration" => ("Mistral 3", TextAndImages),
            "MllamaForConditionalGeneration" => ("Llama 3.2 Vision", TextAndImages),
            "LlavaForConditionalGeneration" => ("LLaVA", TextAndImages),
            "LlavaNextForConditionalGeneration" => ("LLaVA-NeXT", TextAndImages),
            "Phi3VForCausalLM" => ("Phi-3 Vision", TextAndImages),
            "Phi4MMForCausalLM" => ("Phi-4 Multimodal", TextAndImages),
            "MiniCPMO" => ("MiniCPM-o", TextAndImages),
            "Gemma3ForCausalLM" => ("Gemma 3", Text),
            "LlamaForCausalLM" => ("Llama", Text),
            "MistralForCausalLM" => ("Mistral", Text),
            "MixtralForCausalLM" => ("Mixtral", Text),
            "GemmaForCausalLM" => ("Gemma", Text),
            "Gemma2ForCausalLM" => ("Gemma 2", Text),
            "PhiForCausalLM" => ("Phi", Text),
            "Phi3ForCausalLM" => ("Phi-3", Text),
            "Qwen2ForCausalLM" => ("Qwen2", Text),
            "Qwen3ForCausalLM" => ("Qwen3", Text),
            "Starcoder2ForCausalLM" => ("StarCoder2", Text),
            "Glm4ForCausalLM" => ("GLM-4", Text),
            "SmolLM3ForCausalLM" => ("SmolLM3", Text),
            "GraniteMoeHybridForCausalLM" => ("Granite 4", Text),
            "GptOssForCausalLM" => ("gpt-oss", Text),
            "PhiMoEForCausalLM" => ("Phi-3.5 MoE", experts()),
            "Qwen3MoeForCausalLM" => ("Qwen3 MoE", experts()),
            "Qwen3NextForCausalLM" => ("Qwen3-Next", experts()),
            "DeepseekV2ForCausalLM" => ("DeepSeek-V2", experts()),
            "DeepseekV3ForCausalLM" => ("DeepSeek-V3", experts()),
            "Glm4MoeForCausalLM" | "Glm4MoeLiteForCausalLM" => ("GLM-4 MoE", experts()),
            "Llama4ForCausalLM" => (
                "Llama 4 (text part)",
                no("the engine takes Llama 4 only as the whole multimodal model"),
            ),
            "SmolVLMForConditionalGeneration" => (
                "SmolVLM2",
                no("the engine knows SmolVLM's first generation only"),
            ),
            other => {
                return Self {
                    name: other.to_owned(),
                    support: no(format!("the engine does not know the architecture {other}")),
                };
            }
        };
        Self {
            name: name.to_owned(),
            support,
        }
    }

    /// Whether its activations are larger than f16 can hold (65,504). Gemma was trained in bfloat16 and passes that in the
    /// residual stream; transformers' documentation of Gemma 3 says so.
    #[must_use]
    pub fn overflows_f16(&self) -> bool {
        self.name.starts_with("Gemma")
    }

    /// Most pictures in one prompt that the publisher says it tested; none where no number is published.
    ///
    /// Source: Meta's model card of Llama 4, "tested for image understanding up to 5 input images".
    #[must_use]
    pub fn tested_images(&self) -> Option<u32> {
        (self.name == "Llama 4").then_some(5)
    }

    /// By `general.architecture` of a GGUF file. Pictures never work from GGUF in mistral.rs 0.8.1.
    #[must_use]
    pub fn of_gguf(architecture: &str) -> Self {
        let (name, support) = match architecture {
            "llama" => ("Llama", Support::Text),
            "mistral3" => ("Mistral 3", Support::Text),
            "phi2" => ("Phi-2", Support::Text),
            "phi3" => ("Phi-3", Support::Text),
            "starcoder2" => ("StarCoder2", Support::Text),
            "qwen2" => ("Qwen2", Support::Text),
            "qwen3" => ("Qwen3", Support::Text),
            "qwen3moe" => ("Qwen3 MoE", Support::Text),
            "clip" => (
                "image projector",
                no(
                    "it is only the image part (projector) of a model, and the engine takes no pictures with GGUF models",
                ),
            ),
            other => {
                return Self {
                    name: other.to_owned(),
                    support: no(format!(
                        "the engine does not read GGUF files of the architecture {other}"
                    )),
                };
            }
        };
        Self {
            name: name.to_owned(),
            support,
        }
    }
}

fn no(why: impl Into<String>) -> Support {
    Support::No { why: why.into() }
}
