//! Asking a model: the engine trait, the OpenAI-protocol client, and the life of Paddock's own engine processes.
//!
//! Outside: what is asked (the chat crate assembles prompts), which models there are and what they take (the models crate), and
//! where answers are kept.

mod client;
mod connect;
mod deaths;
mod engine;
mod engines;
mod environment;
mod error;
mod handle;
mod lease;
mod ledger;
mod local;
mod memory;
mod obituary;
mod owner;
mod placement;
mod process;
mod snapshot;
mod sse;
mod supervisor;
mod table;
mod wire;
mod wishes;

pub use client::{Endpoint, OpenAiClient};
pub use engine::{
    Engine, EngineEvent, EventStream, Finish, GenerateRequest, ImageData, ImageUse, Progress,
    PromptMessage, PromptPart, PromptRole,
};
pub use engines::Engines;
pub use error::EngineError;
pub use handle::{EngineHandle, LoadSpec, SupervisorConfig};
pub use lease::Lease;
pub use local::LocalEngine;
pub use memory::ProcessMemory;
pub use paddock_protocol::engine::LoadErrorCode;
pub use placement::{ByDevice, FreeMemory, Placement, ThisComputer};
pub use snapshot::{EngineSnapshot, EngineState};
pub use supervisor::start_supervisor;
pub use table::Seat;
pub use wishes::{EnginesConfig, Need};
