//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mistralrs::IsqType;
use paddock_checkpoint::Quant;

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
    /// In-place quantisation of the weights while loading: none, q8_0, q6k, q5k or q4k.
    #[arg(long, default_value_t = Quant::None)]
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

/// What mistral.rs calls it; none for no quantisation.
pub const fn isq(quant: Quant) -> Option<IsqType> {
    match quant {
        Quant::None => None,
        Quant::Q8_0 => Some(IsqType::Q8_0),
        Quant::Q6K => Some(IsqType::Q6K),
        Quant::Q5K => Some(IsqType::Q5K),
        Quant::Q4K => Some(IsqType::Q4K),
    }
}
