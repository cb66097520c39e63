//! What crosses between the use cases and a page: requests, progress, outcomes, plans.
//!
//! Outside: the messages themselves (the conversation crate) and the engine's state (the engines crate).

use std::sync::Arc;

use paddock_conversation::{
    ConversationId, ConversationSummary, Failure, GenerationId, ImageId, ImageSize, Message,
    MessageId, ModelId,
};
use paddock_decode::Grid;
use serde::{Deserialize, Serialize};
use specta::Type;

/// What the model will see of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ImagePlan {
    pub id: ImageId,
    pub grid: Grid,
    /// The whole picture goes in once more as one small tile.
    pub global_tile: bool,
    /// Size that the picture is scaled to.
    pub seen: ImageSize,
    /// That size with its padding.
    pub canvas: ImageSize,
    /// Tokens that carry pixels; the engine will use exactly that many.
    pub tokens: u32,
}

/// What sending would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct PromptPlan {
    pub images: Vec<ImagePlan>,
    /// The whole branch with the draft at its end; text is estimated, pictures are counted.
    pub prompt_tokens_estimate: u32,
    pub context_tokens: u32,
    /// Why sending is impossible now.
    pub refusal: Option<Failure>,
    /// What to know before sending although it is possible.
    pub advice: Option<String>,
}

/// Progress of an answer. The command's result tells the outcome, never an event.
#[allow(clippy::large_enum_variant)] // the large one comes once for each answer
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum GenerationEvent {
    Started {
        conversation: ConversationSummary,
        user: Option<Message>,
        assistant: Message,
    },
    Phase {
        phase: Phase,
    },
    Delta {
        text: String,
    },
    Reasoning {
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Phase {
    LoadingModel,
    /// Another answer of the same engine comes first.
    Queued,
    /// `done` of `total` tiles or images.
    EncodingImages {
        done: u32,
        total: u32,
    },
    ReadingPrompt {
        tokens: u32,
    },
    Generating,
}

/// Takes progress; called from any thread, must not block.
pub type EventSink = Arc<dyn Fn(GenerationEvent) + Send + Sync>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SendRequest {
    pub generation: GenerationId,
    /// None begins a new conversation.
    pub conversation: Option<ConversationId>,
    /// The message that the question follows.
    pub parent: Option<MessageId>,
    pub text: String,
    /// Already attached; they go before the text, in this order.
    pub images: Vec<ImageId>,
    /// Who answers; none: the chosen model.
    pub model: Option<ModelId>,
}

/// A turn as it is kept, however it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct TurnOutcome {
    /// None if it was deleted meanwhile.
    pub conversation: Option<ConversationSummary>,
    /// None for another answer to an old question.
    pub user: Option<Message>,
    pub assistant: Message,
}
