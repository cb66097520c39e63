//! The vocabulary of a conversation: ids, messages and their tree, images, and how an answer ended.
//!
//! Outside: any input or output, how things are stored, how a model is asked. The types that reach the
//! page serialise exactly as the page reads them (camelCase, enums tagged with `kind`).

mod amount;
mod failure;
mod ids;
mod image;
mod message;
mod tree;

pub use amount::byte_size;
pub use failure::Failure;
pub use ids::{ConversationId, GenerationId, IdError, ImageId, MessageId, ModelId};
pub use image::{Attachment, Draft, ImageRef, ImageSize, Pages};
pub use message::{
    ConversationSummary, ConversationView, FinishReason, ImageReceipt, Message, MessageStatus,
    ModelLabel, Part, Role, Timings, Usage,
};
pub use tree::{MessageTree, TreeError};
