//! `paddock ask`: one question to one model, without a conversation being kept.
//!
//! Outside: the window's conversations; nothing here touches the user's data.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use paddock_chat::{AskOutcome, AskRequest, ask};
use paddock_conversation::FinishReason;
use serde_json::json;

use super::{Stop, file_name, loading::Loading, print, read};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Ask {
    /// Pictures to ask about, in this order.
    #[arg(long = "image", value_name = "FILE", num_args = 1.., value_parser = OsStringValueParser::new().map(PathBuf::from))]
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
    /// Without one, the model is shown the pictures and says what it likes.
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
        let mut printed = Ok(());
        let outcome = ask(config, request, |text| {
            if !json {
                printed = print(text);
            }
            // Nobody has to calculate what nobody can read.
            match printed {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
        .await
        .map_err(|error| Stop::of(&error))?;
        printed?;
        print(&if json {
            format!("{}\n", report(&outcome))
        } else {
            "\n".to_owned()
        })?;
        match outcome.failure {
            Some(failure) => Err(Stop::Failed(failure.into())),
            None => Ok(()),
        }
    }

    /// `--image a.png b.png "What is this?"` leaves the question among the files; it is the last one, is not there and does
    /// not look like a file. Pictures alone are a question, too.
    fn question(&mut self) -> Result<String, Stop> {
        if let Some(question) = self.question.take() {
            return Ok(question);
        }
        if self.images.len() > 1
            && let Some(last) = self
                .images
                .pop_if(|last| !last.exists() && !looks_like_a_file(last))
        {
            return Ok(last.to_string_lossy().into_owned());
        }
        if !self.images.is_empty() {
            return Ok(String::new());
        }
        Err(Stop::BadInput(CommandError::new(
            "no_question",
            "There is no question.",
            "Write it as the last argument, in quotation marks.",
        )))
    }
}

/// Whether somebody meant a file by it: an empty name, the ending of a picture, or folders without a space.
fn looks_like_a_file(text: &Path) -> bool {
    let ending = text.extension().is_some_and(|ending| {
        let ending = ending.to_string_lossy().to_ascii_lowercase();
        paddock_decode::Format::EXTENSIONS.contains(&ending.as_str())
    });
    let words = text.to_string_lossy();
    let folders = words.contains(std::path::is_separator) && !words.contains(char::is_whitespace);
    ending || folders || words.is_empty()
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        ask: Ask,
    }

    /// The question and the pictures that the words after `ask` mean.
    fn meant(words: &[&str]) -> Result<(String, Vec<PathBuf>), Stop> {
        let words = ["ask"].iter().chain(words);
        let mut ask = Program::try_parse_from(words).expect("arguments").ask;
        Ok((ask.question()?, ask.images))
    }

    #[test]
    fn the_question_is_what_is_no_file() {
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (words, question, pictures) in [
            (
                vec!["--image", picture, "What is this?"],
                "What is this?",
                1,
            ),
            (
                vec!["What is this?", "--image", picture],
                "What is this?",
                1,
            ),
            (vec!["--image", picture, "and/or what?"], "and/or what?", 1),
            (vec!["--image", picture], "", 1),
            (vec!["--image", picture, picture], "", 2),
            // A mistyped name stays a file, which is then said not to exist.
            (vec!["--image", picture, "reb_circle.PNG"], "", 2),
            (vec!["--image", picture, "my holiday.jpg"], "", 2),
            (vec!["--image", picture, "pictures/red"], "", 2),
            (vec!["--image", picture, ""], "", 2),
            (vec!["--image", "nothing here"], "", 1),
            (vec!["Why?"], "Why?", 0),
        ] {
            let (asked, images) = meant(&words).unwrap();
            assert_eq!(
                (asked.as_str(), images.len()),
                (question, pictures),
                "{words:?}"
            );
        }
        assert!(matches!(meant(&[]), Err(Stop::BadInput(error)) if error.code == "no_question"));
    }
}
