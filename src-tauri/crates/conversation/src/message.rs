//! Messages: who said what, how an answer ended, and what the model made of the pictures.
//!
//! Outside: the order of messages in a conversation (see [`crate::MessageTree`]).

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{ConversationId, Draft, Failure, ImageId, ImageRef, ImageSize, MessageId, ModelId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    User,
    Assistant,
}

/// A piece of a message; the order of the pieces is the order that the model sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Part {
    Text { text: String },
    Image { image: ImageRef },
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum FinishReason {
    /// The model said all it had to say.
    Stop,
    /// The token limit or the context was reached.
    Length,
    /// The user stopped it.
    Cancelled,
    /// The app was ended while it ran.
    Interrupted,
    /// Something went wrong; the message's failure says what.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum MessageStatus {
    /// A user message.
    Complete,
    /// An answer being written.
    Generating,
    /// An answer that ended, well or not.
    Finished { reason: FinishReason },
}

/// Token counts as the engine reported them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// Milliseconds since the request was sent to the engine; loading a model is not included.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    #[specta(type = u32)]
    pub first_token_ms: f64,
    #[specta(type = u32)]
    pub total_ms: f64,
}

/// Proof of what the model got of one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ImageReceipt {
    pub id: ImageId,
    /// Pixels that the model saw.
    pub seen: ImageSize,
    /// Tile grid without the global tile; 0 where a family has no grid.
    pub rows: u32,
    pub columns: u32,
    /// What the composer promised; none if no plan was possible.
    pub planned_tokens: Option<u32>,
    /// What the engine counted in the prompt.
    pub tokens: u32,
    /// The engine used the picture and its count is the promised one (where one was promised).
    pub matches: bool,
}

/// The model that wrote an answer, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ModelLabel {
    pub id: ModelId,
    pub name: String,
    pub quant: String,
    /// "this computer" or a host name.
    pub place: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub id: MessageId,
    pub conversation_id: ConversationId,
    /// The message that this one follows; none for a first question.
    pub parent: Option<MessageId>,
    pub role: Role,
    pub parts: Vec<Part>,
    /// What a reasoning model thought before it answered.
    pub reasoning: Option<String>,
    /// Milliseconds since 1970, UTC.
    #[specta(type = u32)]
    pub created_at_ms: u64,
    pub status: MessageStatus,
    pub failure: Option<Failure>,
    pub model: Option<ModelLabel>,
    pub usage: Option<Usage>,
    pub timings: Option<Timings>,
    /// One for each picture of the prompt that produced this answer, in its order.
    pub receipts: Vec<ImageReceipt>,
}

impl Message {
    /// The text parts, joined by nothing.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(text.as_str()),
                Part::Image { .. } => None,
            })
            .collect()
    }

    /// The pictures in their order.
    pub fn images(&self) -> impl Iterator<Item = &ImageRef> {
        self.parts.iter().filter_map(|part| match part {
            Part::Image { image } => Some(image),
            Part::Text { .. } => None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ConversationSummary {
    pub id: ConversationId,
    pub title: String,
    #[specta(type = u32)]
    pub updated_at_ms: u64,
    #[specta(type = u32)]
    pub created_at_ms: u64,
    /// How many different pictures it holds.
    pub images: u32,
}

/// A conversation opened: the whole tree, oldest message first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    pub summary: ConversationSummary,
    pub messages: Vec<Message>,
    /// The last message of the branch that is shown.
    pub active_leaf: Option<MessageId>,
    pub draft: Draft,
}
