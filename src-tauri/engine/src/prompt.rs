//! A request becomes what mistral.rs takes: messages with placeholders, and images in their order.
//!
//! Outside: the chat template (mistral.rs renders it) and decoding of images.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use either::Either;
use image::DynamicImage;
use indexmap::IndexMap;
use mistralrs::{MessageContent, ModelCategory};
use paddock_protocol::chat::{
    ChatMessage, ChatRequest, ChatRole, Content, ContentPart, ErrorCode, ErrorDetail,
};
use serde_json::Value;

use crate::images;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: String,
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn detail(&self) -> ErrorDetail {
        let kind = if self.code.http_status() < 500 {
            "invalid_request_error"
        } else {
            "server_error"
        };
        ErrorDetail {
            message: self.message.clone(),
            kind: kind.into(),
            code: Some(self.code.as_str().into()),
        }
    }
}

/// Special tokens as they are spelled, so that text from a person cannot become one.
///
/// mistral.rs renders the template into one string and tokenises that, so `<|eot|>` typed by a person would end
/// their turn. A zero-width space after the first character keeps the text readable and breaks the spelling.
pub struct SpecialTokens {
    spellings: Option<AhoCorasick>,
}

const BREAK: char = '\u{200B}';

impl SpecialTokens {
    pub fn new<'a>(spellings: impl Iterator<Item = &'a str>) -> Self {
        // Added tokens that are plain characters (runs of spaces, line ends) are no danger and must stay.
        let spellings: Vec<&str> = spellings
            .filter(|text| {
                text.chars().count() > 1 && text.chars().any(|c| c.is_ascii_punctuation())
            })
            .collect();
        let spellings = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(spellings)
            .ok();
        Self { spellings }
    }

    pub fn neutralise(&self, text: &str) -> String {
        let Some(spellings) = &self.spellings else {
            return text.to_owned();
        };
        let mut out = String::with_capacity(text.len());
        spellings.replace_all_with(text, &mut out, |_, found, out| {
            let mut characters = found.chars();
            out.extend(characters.next());
            out.push(BREAK);
            out.push_str(characters.as_str());
            true
        });
        out
    }
}

/// What a request asks mistral.rs.
pub struct Prompt {
    pub messages: Vec<IndexMap<String, MessageContent>>,
    pub images: Vec<DynamicImage>,
}

/// # Errors
/// A typed refusal; see [`ErrorCode`].
pub fn assemble(
    request: &ChatRequest,
    category: &ModelCategory,
    special: &SpecialTokens,
) -> Result<Prompt, Refusal> {
    if !request
        .messages
        .iter()
        .any(|message| message.role == ChatRole::User)
    {
        return Err(Refusal::new(
            ErrorCode::MalformedRequest,
            "The request has no user message.",
        ));
    }
    let placeholder = Placeholder::of(category);
    let mut prompt = Prompt {
        messages: Vec::with_capacity(request.messages.len()),
        images: Vec::new(),
    };
    for message in &request.messages {
        let content = content(message, &placeholder, special, &mut prompt.images)?;
        let role = match message.role {
            ChatRole::System => "system",
            ChatRole::User => "user",
            ChatRole::Assistant => "assistant",
        };
        prompt.messages.push(IndexMap::from([
            ("role".into(), Either::Left(role.into())),
            ("content".into(), content),
        ]));
    }
    Ok(prompt)
}

/// How an image is written into a message.
enum Placeholder {
    /// The model takes none.
    Blind,
    /// A piece of text, made by mistral.rs for the n-th image of the request.
    Text(Arc<dyn mistralrs::core::MultimodalPromptPrefixer>),
    /// The chat template writes it for a part of type `image`.
    Part,
}

impl Placeholder {
    fn of(category: &ModelCategory) -> Self {
        match category {
            ModelCategory::Multimodal { prefixer }
                if prefixer.prefix_image(vec![0], "").is_empty() =>
            {
                Self::Part
            }
            ModelCategory::Multimodal { prefixer } => Self::Text(prefixer.clone()),
            _ => Self::Blind,
        }
    }
}

fn content(
    message: &ChatMessage,
    placeholder: &Placeholder,
    special: &SpecialTokens,
    images: &mut Vec<DynamicImage>,
) -> Result<MessageContent, Refusal> {
    let whole;
    let parts: &[ContentPart] = match &message.content {
        Content::Parts(parts) => parts,
        Content::Text(text) => {
            whole = [ContentPart::Text { text: text.clone() }];
            &whole
        }
    };
    let mut flat = String::new();
    let mut rows = Vec::new();
    for part in parts {
        match part {
            ContentPart::Text { text } => {
                let text = special.neutralise(text);
                rows.push(IndexMap::from([
                    ("type".to_owned(), Value::from("text")),
                    ("text".to_owned(), Value::from(text.clone())),
                ]));
                flat.push_str(&text);
            }
            ContentPart::ImageUrl { image_url } => {
                match placeholder {
                    Placeholder::Blind => {
                        return Err(Refusal::new(
                            ErrorCode::ImagesNotSupported,
                            "This model can't see pictures.",
                        ));
                    }
                    Placeholder::Text(prefixer) => {
                        flat.push_str(&prefixer.prefix_image(vec![images.len()], ""))
                    }
                    Placeholder::Part => {
                        rows.push(IndexMap::from([("type".to_owned(), Value::from("image"))]))
                    }
                }
                images.push(images::decode(&image_url.url)?);
            }
        }
    }
    Ok(match placeholder {
        Placeholder::Part => Either::Right(rows),
        Placeholder::Blind | Placeholder::Text(_) => Either::Left(flat),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_in_text_are_broken_and_the_rest_is_left_alone() {
        let special = SpecialTokens::new(["<|eot|>", "<|image|>", "  ", "\n\n"].into_iter());
        let text = special.neutralise("a <|eot|><|image|> b  <|none|>");
        assert_eq!(text, "a <\u{200B}|eot|><\u{200B}|image|> b  <|none|>");
        assert_eq!(text.replace(BREAK, ""), "a <|eot|><|image|> b  <|none|>");
    }

    fn request(json: &str) -> ChatRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_text_model_refuses_images() {
        let request = request(
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}]}]}"#,
        );
        let refusal = assemble(
            &request,
            &ModelCategory::Text,
            &SpecialTokens::new([].into_iter()),
        )
        .err()
        .unwrap();
        assert_eq!(refusal.code, ErrorCode::ImagesNotSupported);
    }

    #[test]
    fn a_request_without_a_question_is_refused() {
        let request = request(r#"{"messages":[{"role":"system","content":"x"}]}"#);
        let refusal = assemble(
            &request,
            &ModelCategory::Text,
            &SpecialTokens::new([].into_iter()),
        )
        .err()
        .unwrap();
        assert_eq!(refusal.code, ErrorCode::MalformedRequest);
    }
}
