//! `paddock ask`: one question to one model, without a conversation being kept.
//!
//! Outside: the window's conversations; nothing here touches the user's data.

use std::path::PathBuf;

use clap::Args;
use paddock_chat::{AskOutcome, AskRequest, ask};
use paddock_conversation::FinishReason;
use serde_json::json;

use super::{Stop, file_name, loading::Loading, print, read};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Ask {
    /// Pictures to ask about, in this order.
    #[arg(long = "image", value_name = "FILE", num_args = 1..)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    loading: Loading,
    /// Print one JSON object instead of streaming the text.
    #[arg(long)]
    json: bool,
    /// 0 always takes the likeliest token; up to 2.
    #[arg(long, default_value_t = 0.0, value_parser = temperature)]
    temperature: f32,
    /// Most tokens of the answer.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// Instructions that go before the question.
    #[arg(long, default_value = "")]
    system: String,
    question: Option<String>,
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=2.0).contains(&value) => Ok(value),
        _ => Err("a number from 0 to 2".into()),
    }
}

impl Ask {
    pub async fn run(mut self, places: &Places) -> Result<(), Stop> {
        let question = self.question()?;
        let images = self
            .images
            .iter()
            .map(|path| Ok((file_name(path), read(path)?)))
            .collect::<Result<Vec<_>, Stop>>()?;
        let config = self.loading.config(places)?;
        let request = AskRequest {
            question,
            images,
            system_prompt: self.system,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
        };
        let json = self.json;
        let outcome = ask(config, request, |text| {
            if !json {
                print(text);
            }
        })
        .await
        .map_err(|error| Stop::of(&error))?;
        print(&if json {
            format!("{}\n", report(&outcome))
        } else {
            "\n".to_owned()
        });
        match outcome.failure {
            Some(failure) => Err(Stop::Failed(failure.into())),
            None => Ok(()),
        }
    }

    /// `--image a.png b.png "What is this?"` leaves the question among the files; it is the one that is not there.
    fn question(&mut self) -> Result<String, Stop> {
        if let Some(question) = self.question.take() {
            return Ok(question);
        }
        if self.images.len() > 1
            && let Some(last) = self.images.pop_if(|last| !last.exists())
        {
            return Ok(last.to_string_lossy().into_owned());
        }
        Err(Stop::BadInput(CommandError::new(
            "no_question",
            "There is no question.",
            "Write it as the last argument, in quotation marks.",
        )))
    }
}

fn report(outcome: &AskOutcome) -> serde_json::Value {
    json!({
        "text": outcome.text,
        "finish_reason": match outcome.finish_reason {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Cancelled => "cancelled",
            FinishReason::Interrupted => "interrupted",
            FinishReason::Failed => "failed",
        },
        "usage": outcome.usage.map(|usage| json!({
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
        })),
        "timings": {
            "load_ms": outcome.load_ms.round(),
            "first_token_ms": outcome.timings.first_token_ms.round(),
            "total_ms": outcome.timings.total_ms.round(),
        },
        "images": outcome.images.iter().map(|image| json!({
            "width_px": image.seen.width_px,
            "height_px": image.seen.height_px,
            "tokens": image.tokens,
        })).collect::<Vec<_>>(),
    })
}
