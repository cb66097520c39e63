//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mistralrs::IsqType;

#[derive(Debug, Clone, Parser)]
#[command(
    name = "paddock-engine",
    version,
    about = "Hosts one model for Paddock"
)]
pub struct Arguments {
    /// A folder with safetensors, or a GGUF file.
    #[arg(long)]
    pub model: PathBuf,
    /// auto, cpu, cuda:N or metal.
    #[arg(long, default_value = "auto")]
    pub device: String,
    #[arg(long, value_enum, default_value_t = Dtype::Auto)]
    pub dtype: Dtype,
    /// In-place quantisation of the weights while loading.
    #[arg(long, value_enum, default_value_t = Quant::None)]
    pub quant: Quant,
    /// Tokens of prompt and answer together; default 8192, or what the model has if that is less.
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..))]
    pub context: Option<u32>,
    /// Threads of the CPU kernels; default: physical cores.
    #[arg(long)]
    pub threads: Option<usize>,
    /// 0 lets the system pick.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    Auto,
    F32,
    F16,
    Bf16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quant {
    None,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q6k")]
    Q6K,
    #[value(name = "q5k")]
    Q5K,
    #[value(name = "q4k")]
    Q4K,
}

impl Quant {
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Q8_0 => "q8_0",
            Self::Q6K => "q6k",
            Self::Q5K => "q5k",
            Self::Q4K => "q4k",
        }
    }

    pub const fn isq(self) -> Option<IsqType> {
        match self {
            Self::None => None,
            Self::Q8_0 => Some(IsqType::Q8_0),
            Self::Q6K => Some(IsqType::Q6K),
            Self::Q5K => Some(IsqType::Q5K),
            Self::Q4K => Some(IsqType::Q4K),
        }
    }

    /// Bytes a weight takes, for progress only (block sizes of GGML: 34/32, 210/256, 176/256, 144/256).
    pub const fn bytes_per_weight(self) -> f64 {
        match self {
            Self::None => 4.0,
            Self::Q8_0 => 34.0 / 32.0,
            Self::Q6K => 210.0 / 256.0,
            Self::Q5K => 176.0 / 256.0,
            Self::Q4K => 144.0 / 256.0,
        }
    }
}
