//! The life of a `paddock-engine` process: one JSON object a line on its standard output.
//!
//! The order is `loading`* then `ready` or `failed`; after `ready`, `restarting` and a new `ready` follow a
//! panic. The process ends when its standard input closes. Logs go to standard error, never here.

use serde::{Deserialize, Serialize};

/// The environment variable that carries the bearer token.
pub const TOKEN_VARIABLE: &str = "PADDOCK_ENGINE_TOKEN";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EngineLine {
    Loading(Loading),
    Ready(Ready),
    /// A panic ended the running request; the model is being loaded again in the same process.
    Restarting {
        message: String,
    },
    Failed(Failed),
}

/// Progress of a load, at most ten a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loading {
    pub stage: LoadStage,
    /// Bytes of weights taken in so far, of `bytes_total`; an estimate from the process's memory.
    pub bytes_read: u64,
    pub bytes_total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadStage {
    Checking,
    Weights,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// As `GET /v1/models` names it.
    pub model: String,
    /// `cpu`, `cuda:N` or `metal`.
    pub device: String,
    /// `f32`, `f16` or `bf16`.
    pub dtype: String,
    /// `none`, `q8_0`, `q6k`, `q5k` or `q4k`; for GGUF what the file has.
    pub quant: String,
    /// Tokens of prompt and answer together.
    pub context_tokens: u32,
    /// Whether images are accepted.
    pub vision: bool,
    /// Resident memory of the process, measured after the load.
    pub resident_bytes: u64,
    pub load_ms: f64,
}

/// Why a load failed. The process ends with exit code 1 after this line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub code: LoadErrorCode,
    /// A sentence for people.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadErrorCode {
    /// The processor lacks AVX2, FMA or F16C.
    CpuTooOld,
    /// The folder or file does not exist or cannot be read.
    ModelNotFound,
    /// A file that the model needs is missing (the message names it).
    FileMissing,
    /// A file is not what it should be: broken JSON, a truncated or lying safetensors header.
    FileBroken,
    /// An architecture, quantisation or option that the engine does not support.
    Unsupported,
    /// Not enough memory.
    OutOfMemory,
    /// The chosen device is not there.
    DeviceUnavailable,
    /// The command line is wrong.
    BadArguments,
    /// Anything else mistral.rs said.
    LoadFailed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_its_event_name() {
        let line = EngineLine::Failed(Failed {
            code: LoadErrorCode::FileMissing,
            message: "tokenizer.json is missing.".into(),
        });
        let json = serde_json::to_string(&line).unwrap();
        assert!(
            json.starts_with(r#"{"event":"failed","code":"file_missing""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<EngineLine>(&json).unwrap(), line);
    }
}
