//! Requests and replies of `POST /v1/chat/completions`, with Paddock's additions under the key `paddock`,
//! which other servers neither send nor need.
//!
//! Outside: fields of the protocol that Paddock does not use (tools, log probabilities, several choices).

use serde::{Deserialize, Serialize};

/// A request. Unknown fields of other clients are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    #[serde(default)]
    pub model: String,
    pub messages: Vec<ChatMessage>,
    #[serde(default)]
    pub stream: bool,
    /// Ask for `usage` in the last chunk of a stream (always sent by `paddock-engine`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// 0 is greedy. Range 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Range 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Most tokens of the answer; none means what the context leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    pub include_usage: bool,
}

/// One stop string or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: ChatRole,
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatRole {
    System,
    User,
    Assistant,
}

/// Plain text, or parts in their order: an image stands where its part stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

/// `paddock-engine` takes `data:image/png;base64,` and `data:image/jpeg;base64,` URLs only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUrl {
    pub url: String,
}

/// Token counts of a request, after images were expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    #[serde(default)]
    pub total_tokens: u32,
}

/// A whole reply (`stream: false`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatCompletion {
    pub id: String,
    pub object: String,
    pub created: u64,
    pub model: String,
    pub choices: Vec<Choice>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paddock: Option<Details>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub index: u32,
    pub message: ChoiceMessage,
    pub finish_reason: Option<FinishReason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceMessage {
    pub role: ChatRole,
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
}

/// One server-sent event of a stream; the stream ends with the line `data: [DONE]`. A stream that ends
/// without a `finish_reason` was broken off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatChunk {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub object: String,
    #[serde(default)]
    pub created: u64,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub choices: Vec<ChunkChoice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Progress and image truth of `paddock-engine`: in chunks without choices while the prompt is
    /// read, and in the last chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paddock: Option<Details>,
    /// An error after the stream began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: Delta,
    #[serde(default)]
    pub finish_reason: Option<FinishReason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Delta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ChatRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    Length,
    #[serde(other)]
    Other,
}

/// Paddock's additions to a reply.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Details {
    /// What the engine did with every image of the request, in the order of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
}

/// What the engine really made of one image, counted in the expanded prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUse {
    pub width_px: u32,
    pub height_px: u32,
    /// Rows and columns of the tile grid, without the global tile; 0 if the family has no grid.
    pub rows: u32,
    pub columns: u32,
    /// Tokens that the image occupies in the prompt: image placeholders only, without separators.
    pub tokens: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Progress {
    /// Waiting for an earlier request.
    Queued,
    /// `done` of `total` tiles (or images, where a family has no tiles) went through the vision tower.
    EncodingImages {
        done: u32,
        total: u32,
    },
    ReadingPrompt {
        tokens: u32,
    },
}

/// Milliseconds since the request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub first_token_ms: f64,
    pub total_ms: f64,
}

/// The body of a refused or failed request: `{"error": {..}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A sentence for people.
    pub message: String,
    #[serde(default, rename = "type")]
    pub kind: String,
    /// One of [`ErrorCode`] from `paddock-engine`; anything (or nothing) from other servers.
    #[serde(default)]
    pub code: Option<String>,
}

/// The typed reasons of `paddock-engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 401: the bearer token is missing or wrong.
    Unauthorized,
    /// 400: not JSON, an unknown role, a range violated.
    MalformedRequest,
    /// 400: the model takes no images.
    ImagesNotSupported,
    /// 400: an image is not a PNG or JPEG `data:` URL.
    ImageUrlNotAllowed,
    /// 400: the bytes of an image do not decode, or exceed the limits.
    ImageUnreadable,
    /// 400: prompt, images expanded, does not fit the context.
    ContextExceeded,
    /// 500: the forward pass failed; the engine goes on.
    GenerationFailed,
    /// 500: the engine panicked and is being restarted.
    EngineCrashed,
}

impl ErrorCode {
    /// The code as it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::MalformedRequest => "malformed_request",
            Self::ImagesNotSupported => "images_not_supported",
            Self::ImageUrlNotAllowed => "image_url_not_allowed",
            Self::ImageUnreadable => "image_unreadable",
            Self::ContextExceeded => "context_exceeded",
            Self::GenerationFailed => "generation_failed",
            Self::EngineCrashed => "engine_crashed",
        }
    }

    pub const fn http_status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::MalformedRequest
            | Self::ImagesNotSupported
            | Self::ImageUrlNotAllowed
            | Self::ImageUnreadable
            | Self::ContextExceeded => 400,
            Self::GenerationFailed | Self::EngineCrashed => 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_text_and_image_parts_round_trips() {
        let json = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},
            {"role":"assistant","content":"b"}],"stream":true,"unknown":1}"#;
        let request: ChatRequest = serde_json::from_str(json).unwrap();
        let again: ChatRequest =
            serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        assert_eq!(request, again);
        assert!(matches!(&request.messages[0].content, Content::Parts(parts) if parts.len() == 2));
    }

    #[test]
    fn chunks_of_other_servers_are_understood() {
        let json = r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m",
            "choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"system_fingerprint":null}"#;
        let chunk: ChatChunk = serde_json::from_str(json).unwrap();
        assert_eq!(chunk.choices[0].finish_reason, Some(FinishReason::Other));
    }

    #[test]
    fn codes_are_spelled_as_serde_spells_them() {
        for code in [
            ErrorCode::Unauthorized,
            ErrorCode::MalformedRequest,
            ErrorCode::ImagesNotSupported,
            ErrorCode::ImageUrlNotAllowed,
            ErrorCode::ImageUnreadable,
            ErrorCode::ContextExceeded,
            ErrorCode::GenerationFailed,
            ErrorCode::EngineCrashed,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
