//! Which model a command loads, and how: the options that `ask` and `bench` share.
//!
//! Outside: loading it (the use cases).

use clap::Args;
use paddock_chat::AskConfig;
use paddock_conversation::ModelLabel;
use paddock_devices::DevicePreference;
use paddock_models::Quant;

use super::{Stop, file_name, resolve};
use crate::places::Places;

#[derive(Debug, Args)]
pub struct Loading {
    /// A model's folder, a GGUF file, or an id that `paddock models` lists.
    #[arg(long, default_value = "demo")]
    model: String,
    /// Tokens of prompt and answer together.
    #[arg(long)]
    context: Option<u32>,
    /// In-place quantisation: none, q8_0, q6k, q5k or q4k.
    #[arg(long, default_value = "none")]
    quant: Quant,
    /// auto, cpu, cuda:N or metal.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Threads of the processor that calculate.
    #[arg(long)]
    threads: Option<u32>,
}

impl Loading {
    /// # Errors
    /// There is no such model.
    pub fn config(&self, places: &Places) -> Result<AskConfig, Stop> {
        let (id, path) = resolve(&self.model, places)?;
        Ok(AskConfig {
            engine_program: places.engine.clone(),
            decoder_program: places.decoder.clone(),
            engine_builds: places.engine_builds.clone(),
            model_label: ModelLabel {
                name: file_name(&path),
                id,
                quant: self.quant.as_str().into(),
                place: "this computer".into(),
            },
            model: path,
            device: match self.device.as_str() {
                "auto" => DevicePreference::Auto,
                fixed => DevicePreference::Fixed { id: fixed.into() },
            },
            quant: self.quant.as_str().into(),
            context_tokens: self.context,
            threads: self.threads,
        })
    }
}
