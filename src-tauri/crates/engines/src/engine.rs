//! What it means to be an engine: a request in, a stream of events out.
//!
//! Outside: transport and processes.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use paddock_conversation::{FinishReason, ImageSize, Timings, Usage};

use crate::EngineError;

/// Something that answers. Dropping the stream cancels the request.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Starts an answer. The stream ends with [`EngineEvent::Finished`] or with an error; the client turns
    /// one that ends without either into [`EngineError::CutOff`] or [`EngineError::Died`].
    fn generate(&self, request: GenerateRequest) -> EventStream;
}

pub type EventStream = BoxStream<'static, Result<EngineEvent, EngineError>>;

#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    pub messages: Vec<PromptMessage>,
    /// 0 is greedy; range 0 to 2.
    pub temperature: f32,
    /// Most tokens of the answer; none means what the context leaves.
    pub max_tokens: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PromptMessage {
    pub role: PromptRole,
    pub parts: Vec<PromptPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptRole {
    System,
    User,
    Assistant,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PromptPart {
    Text(String),
    Image(ImageData),
}

/// An encoded picture. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageData {
    /// `image/png` or `image/jpeg`.
    pub mime: &'static str,
    pub bytes: Arc<[u8]>,
}

impl std::fmt::Debug for ImageData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImageData({}, {} bytes)", self.mime, self.bytes.len())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum EngineEvent {
    Progress(Progress),
    TextDelta(String),
    ReasoningDelta(String),
    Finished(Finish),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Queued,
    EncodingImages { done: u32, total: u32 },
    ReadingPrompt { tokens: u32 },
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    pub reason: FinishReason,
    /// None if the server does not count.
    pub usage: Option<Usage>,
    /// As the engine measured them, or else as the client saw them.
    pub timings: Timings,
    /// One for each image of the request in its order; none if the server does not tell.
    pub images: Option<Vec<ImageUse>>,
}

/// What the engine made of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageUse {
    pub seen: ImageSize,
    /// Tile grid without the global tile; 0 if the family has none.
    pub rows: u32,
    pub columns: u32,
    /// Image tokens in the prompt, without separators.
    pub tokens: u32,
}
