//! Values between Rust and SQLite columns.
//!
//! Outside: queries.

use std::str::FromStr;

use paddock_conversation::{FinishReason, MessageStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

pub fn status_text(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Complete => "complete",
        MessageStatus::Generating => "generating",
        MessageStatus::Finished { reason } => match reason {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "cancelled",
            FinishReason::Interrupted => "interrupted",
            FinishReason::Failed => "failed",
        },
    }
}

pub fn status(text: &str) -> Result<MessageStatus, StoreError> {
    let reason = match text {
        "complete" => return Ok(MessageStatus::Complete),
        "generating" => return Ok(MessageStatus::Generating),
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "cancelled" => FinishReason::Cancelled,
        "interrupted" => FinishReason::Interrupted,
        "failed" => FinishReason::Failed,
        other => {
            return Err(StoreError::Corrupt {
                what: "a message's status",
                detail: other.to_owned(),
            });
        }
    };
    Ok(MessageStatus::Finished { reason })
}

pub fn id<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|e: T::Err| StoreError::Corrupt {
        what: "an id",
        detail: e.to_string(),
    })
}

pub fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Corrupt {
        what: "a value to be kept",
        detail: e.to_string(),
    })
}

pub fn optional_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(json).transpose()
}

pub fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Corrupt {
        what,
        detail: e.to_string(),
    })
}

pub fn from_optional_json<T: DeserializeOwned>(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| from_json(what, text)).transpose()
}
