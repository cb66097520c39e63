//! Asking a model: the engine trait, the OpenAI-protocol client, and the life of Paddock's own engine process.
//!
//! Outside: what is asked (the chat crate assembles prompts), and where answers are kept.

mod client;
mod engine;
mod environment;
mod error;
mod handle;
mod local;
mod memory;
mod process;
mod snapshot;
mod sse;
mod supervisor;
mod wire;

pub use client::{Endpoint, OpenAiClient};
pub use engine::{
    Engine, EngineEvent, EventStream, Finish, GenerateRequest, ImageData, ImageUse, Progress,
    PromptMessage, PromptPart, PromptRole,
};
pub use error::EngineError;
pub use handle::{EngineHandle, LoadSpec, Placement, SupervisorConfig};
pub use local::LocalEngine;
pub use memory::ProcessMemory;
pub use paddock_protocol::engine::LoadErrorCode;
pub use snapshot::{EngineSnapshot, EngineState};
pub use supervisor::start_supervisor;
