//! What a request wants of the sampling, checked and as mistral.rs takes it.
//!
//! Outside: the prompt.

use mistralrs::SamplingParams;
use paddock_protocol::chat::{ChatRequest, ErrorCode, Stop};

use crate::prompt::Refusal;

/// # Errors
/// A number is out of its range.
pub fn check_ranges(request: &ChatRequest) -> Result<(), Refusal> {
    let outside = |what: &str| {
        Err(Refusal::new(
            ErrorCode::MalformedRequest,
            format!("{what}."),
        ))
    };
    match request {
        ChatRequest {
            temperature: Some(value),
            ..
        } if !(0.0..=2.0).contains(value) => outside("temperature must be from 0 to 2"),
        ChatRequest {
            top_p: Some(value), ..
        } if !(*value > 0.0 && *value <= 1.0) => outside("top_p must be above 0 and at most 1"),
        ChatRequest {
            max_tokens: Some(0),
            ..
        } => outside("max_tokens must be at least 1"),
        _ => Ok(()),
    }
}

/// What a request wants of the sampling.
#[derive(Debug, Clone)]
pub struct Wish {
    temperature: f32,
    top_p: Option<f32>,
    max_tokens: Option<u32>,
    pub stops: Vec<String>,
}

impl Wish {
    pub fn of(request: &ChatRequest) -> Self {
        Self {
            temperature: request.temperature.unwrap_or(0.0),
            top_p: request.top_p,
            max_tokens: request.max_tokens,
            stops: match request.stop.clone() {
                None => Vec::new(),
                Some(Stop::One(stop)) => vec![stop],
                Some(Stop::Several(stops)) => stops,
            },
        }
    }

    /// `room`: tokens that the context leaves for the answer, where they are known beforehand.
    pub fn sampling(&self, room: u32) -> SamplingParams {
        let max_len = Some(self.max_tokens.unwrap_or(u32::MAX).min(room) as usize);
        // mistral.rs takes "no temperature" for 1.
        if self.temperature == 0.0 {
            return SamplingParams {
                max_len,
                ..SamplingParams::deterministic()
            };
        }
        SamplingParams {
            temperature: Some(f64::from(self.temperature)),
            top_p: self.top_p.map(f64::from),
            max_len,
            ..SamplingParams::neutral()
        }
    }
}
