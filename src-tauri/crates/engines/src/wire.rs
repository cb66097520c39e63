//! Between Paddock's request and events and the JSON of the chat protocol, forgiving to what other servers send.
//!
//! Outside: transport.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paddock_conversation::{FinishReason, ImageSize, Timings, Usage};
use paddock_protocol::chat as wire;
use serde_json::Value;

use crate::engine::{GenerateRequest, ImageUse, Progress, PromptMessage, PromptPart, PromptRole};
use crate::{EngineError, ImageData};

/// The JSON body of a streaming request.
pub fn request_body(model: &str, request: &GenerateRequest) -> Result<Vec<u8>, EngineError> {
    let body = wire::ChatRequest {
        model: model.to_owned(),
        messages: request.messages.iter().map(message).collect(),
        stream: true,
        stream_options: Some(wire::StreamOptions {
            include_usage: true,
        }),
        temperature: Some(request.temperature),
        top_p: None,
        max_tokens: request.max_tokens,
        stop: None,
    };
    serde_json::to_vec(&body).map_err(|e| EngineError::Protocol {
        detail: e.to_string(),
    })
}

fn message(message: &PromptMessage) -> wire::ChatMessage {
    let role = match message.role {
        PromptRole::System => wire::ChatRole::System,
        PromptRole::User => wire::ChatRole::User,
        PromptRole::Assistant => wire::ChatRole::Assistant,
    };
    // Plain text stays plain: some templates and servers know nothing else for text.
    let content = match message.parts.as_slice() {
        [PromptPart::Text(text)] => wire::Content::Text(text.clone()),
        parts if parts.iter().all(|part| matches!(part, PromptPart::Text(_))) => {
            wire::Content::Text(
                parts
                    .iter()
                    .map(|part| match part {
                        PromptPart::Text(t) => t.as_str(),
                        PromptPart::Image(_) => "",
                    })
                    .collect(),
            )
        }
        parts => wire::Content::Parts(
            parts
                .iter()
                .map(|part| match part {
                    PromptPart::Text(text) => wire::ContentPart::Text { text: text.clone() },
                    PromptPart::Image(image) => wire::ContentPart::ImageUrl {
                        image_url: wire::ImageUrl {
                            url: data_url(image),
                        },
                    },
                })
                .collect(),
        ),
    };
    wire::ChatMessage { role, content }
}

fn data_url(image: &ImageData) -> String {
    let mut url = format!("data:{};base64,", image.mime);
    url.reserve(image.bytes.len().div_ceil(3) * 4);
    STANDARD.encode_string(&image.bytes, &mut url);
    url
}

/// What one event of the stream says.
#[derive(Debug, Default, PartialEq)]
pub struct Chunk {
    pub text: String,
    pub reasoning: String,
    pub finish: Option<FinishReason>,
    pub usage: Option<Usage>,
    pub progress: Option<Progress>,
    pub images: Option<Vec<ImageUse>>,
    pub timings: Option<Timings>,
}

/// Reads one event.
pub fn chunk(data: &str) -> Result<Chunk, EngineError> {
    let value: Value =
        serde_json::from_str(data).map_err(|e| not_an_answer(&e.to_string(), data))?;
    if let Some(error) = error_in(&value, 500) {
        return Err(error);
    }
    // Where others put the thoughts of a reasoning model.
    let other_reasoning = value
        .pointer("/choices/0/delta/reasoning")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let parsed: wire::ChatChunk =
        serde_json::from_value(value).map_err(|e| not_an_answer(&e.to_string(), data))?;
    let mut chunk = Chunk {
        usage: parsed.usage.map(usage),
        ..Chunk::default()
    };
    if let Some(details) = parsed.paddock {
        read_details(&mut chunk, details);
    }
    if let Some(choice) = parsed.choices.into_iter().find(|choice| choice.index == 0) {
        chunk.text = choice.delta.content.unwrap_or_default();
        chunk.reasoning = choice
            .delta
            .reasoning_content
            .or(other_reasoning)
            .unwrap_or_default();
        chunk.finish = choice.finish_reason.map(finish);
    }
    Ok(chunk)
}

/// Reads a whole answer, from a server that does not stream.
pub fn completion(data: &str) -> Result<Chunk, EngineError> {
    let value: Value =
        serde_json::from_str(data).map_err(|e| not_an_answer(&e.to_string(), data))?;
    if let Some(error) = error_in(&value, 500) {
        return Err(error);
    }
    let parsed: wire::ChatCompletion =
        serde_json::from_value(value).map_err(|e| not_an_answer(&e.to_string(), data))?;
    let mut chunk = Chunk {
        usage: parsed.usage.map(usage),
        ..Chunk::default()
    };
    if let Some(details) = parsed.paddock {
        read_details(&mut chunk, details);
    }
    let choice = parsed
        .choices
        .into_iter()
        .next()
        .ok_or_else(|| not_an_answer("it has no choices", data))?;
    chunk.text = choice.message.content.unwrap_or_default();
    chunk.reasoning = choice.message.reasoning_content.unwrap_or_default();
    chunk.finish = choice.finish_reason.map(finish);
    Ok(chunk)
}

/// The error in a refused request's body, whatever shape it has.
pub fn refusal(status: u16, body: &str) -> EngineError {
    serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|value| error_in(&value, status))
        .unwrap_or_else(|| EngineError::Refused {
            status,
            code: None,
            message: format!("The server answered with status {status}."),
        })
}

/// `{"error": {"message", "code": text or number}}`, `{"error": "text"}`, `{"message"}` or `{"detail"}`.
fn error_in(value: &Value, status: u16) -> Option<EngineError> {
    let error = value.get("error").filter(|error| !error.is_null());
    if error.is_none() && status == 500 && value.get("choices").is_some() {
        return None;
    }
    let error = match error {
        Some(error) => error,
        None if value.get("message").is_some() || value.get("detail").is_some() => value,
        None => return None,
    };
    let message = error
        .as_str()
        .or_else(|| error.get("message").and_then(Value::as_str))
        .or_else(|| error.get("detail").and_then(Value::as_str))
        .unwrap_or("The server reported an error without saying which.");
    let code = error
        .get("code")
        .and_then(|code| code.as_str().map(str::to_owned));
    Some(EngineError::Refused {
        status,
        code,
        message: sentence(message),
    })
}

/// Starts with a capital and ends with a mark, as a sentence does.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let mut out: String = chars
        .next()
        .map(|c| c.to_uppercase().collect::<String>())
        .unwrap_or_default();
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}

fn not_an_answer(why: &str, data: &str) -> EngineError {
    let start: String = data.chars().take(80).collect();
    EngineError::Protocol {
        detail: format!("{why}, in {start:?}"),
    }
}

fn usage(usage: wire::Usage) -> Usage {
    Usage {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
    }
}

fn finish(reason: wire::FinishReason) -> FinishReason {
    match reason {
        wire::FinishReason::Length => FinishReason::Length,
        wire::FinishReason::Stop | wire::FinishReason::Other => FinishReason::Stop,
    }
}

fn read_details(chunk: &mut Chunk, details: wire::Details) {
    chunk.progress = details.progress.map(|progress| match progress {
        wire::Progress::Queued => Progress::Queued,
        wire::Progress::EncodingImages { done, total } => Progress::EncodingImages { done, total },
        wire::Progress::ReadingPrompt { tokens } => Progress::ReadingPrompt { tokens },
    });
    chunk.timings = details.timings.map(|t| Timings {
        first_token_ms: t.first_token_ms,
        total_ms: t.total_ms,
    });
    if !details.images.is_empty() {
        chunk.images = Some(
            details
                .images
                .iter()
                .map(|image| ImageUse {
                    seen: ImageSize::new(image.width_px, image.height_px),
                    rows: image.rows,
                    columns: image.columns,
                    tokens: image.tokens,
                })
                .collect(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_dialect_become_a_sentence_and_a_code() {
        let cases = [
            (
                r#"{"error":{"message":"too long","type":"x","code":"context_exceeded"}}"#,
                "Too long.",
                Some("context_exceeded"),
            ),
            (r#"{"error":{"code":400,"message":"bad"}}"#, "Bad.", None),
            (r#"{"error":"model not found"}"#, "Model not found.", None),
            (r#"{"detail":"Unauthorized"}"#, "Unauthorized.", None),
            ("<html>", "The server answered with status 404.", None),
        ];
        for (body, sentence, expected) in cases {
            let EngineError::Refused {
                status,
                code,
                message,
            } = refusal(404, body)
            else {
                panic!("{body}")
            };
            assert_eq!(
                (status, message.as_str(), code.as_deref()),
                (404, sentence, expected)
            );
        }
    }

    #[test]
    fn thoughts_are_read_under_either_name() {
        for name in ["reasoning", "reasoning_content"] {
            let data = format!(
                r#"{{"choices":[{{"index":0,"delta":{{"{name}":"hm","content":null}}}}],"usage":null}}"#
            );
            assert_eq!(chunk(&data).unwrap().reasoning, "hm");
        }
    }

    #[test]
    fn pictures_stand_where_their_part_stands() {
        let image = ImageData {
            mime: "image/png",
            bytes: vec![1, 2, 3].into(),
        };
        let request = GenerateRequest {
            messages: vec![PromptMessage {
                role: PromptRole::User,
                parts: vec![
                    PromptPart::Text("a".into()),
                    PromptPart::Image(image),
                    PromptPart::Text("b".into()),
                ],
            }],
            temperature: 0.0,
            max_tokens: None,
        };
        let json: Value = serde_json::from_slice(&request_body("m", &request).unwrap()).unwrap();
        assert_eq!(
            json["messages"][0]["content"][1]["image_url"]["url"],
            "data:image/png;base64,AQID"
        );
        assert_eq!(json["messages"][0]["content"][2]["text"], "b");
        assert_eq!(json["stream_options"]["include_usage"], true);
    }
}
