//! The command line on the same use cases as the window.
//!
//! Outside: the use cases. Exit codes: 0 done, 1 a failure, 2 bad input; the reason is one sentence (and
//! one next step) on standard error.

mod ask;
mod bench;
mod download;
mod fit;
mod loading;
mod look;
mod manual;
mod models;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use paddock_conversation::ModelId;

use crate::{error::CommandError, places::Places};

#[derive(Debug, Parser)]
#[command(
    name = "paddock",
    version,
    about = "An assistant for text and images whose model runs on your own computer. Without a command the window opens."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask one question, with pictures if you like; the answer streams to the terminal.
    Ask(ask::Ask),
    /// Show what a model gets of pictures: size, tiles, tokens, and the exact pixels.
    Look(look::Look),
    /// List the models that can be run here, or add one.
    Models(models::Models),
    /// Measure how fast a model is here: loading, first word, reading, writing, looking at pictures.
    Bench(bench::Bench),
    /// Say whether a model fits this computer, or an imagined one, before anything is downloaded.
    Fit(fit::Fit),
    /// Write the manual pages and the shell completions into a folder.
    #[command(hide = true)]
    Manual(manual::Manual),
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Stop {
    /// Exit code 1.
    Failed(CommandError),
    /// Exit code 2.
    BadInput(CommandError),
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

pub fn run(command: Command) -> ExitCode {
    let places = match Places::find() {
        Ok(places) => places,
        Err(sentence) => {
            eprintln!("paddock: {sentence}");
            return ExitCode::from(1);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("paddock: The system gave no threads to work with ({error}).");
            return ExitCode::from(1);
        }
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Ask(ask) => ask.run(&places).await,
            Command::Look(look) => look.run(&places).await,
            Command::Models(models) => models.run(&places).await,
            Command::Bench(bench) => bench.run(&places).await,
            Command::Fit(fit) => fit.run(&places).await,
            Command::Manual(manual) => manual.run(),
        }
    });
    let (code, error) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Stop::Failed(error)) => (1, error),
        Err(Stop::BadInput(error)) => (2, error),
    };
    eprintln!("paddock: {} {}", error.message, error.next_step);
    ExitCode::from(code)
}

impl Stop {
    /// Bad pictures, bad models and prompts that cannot be asked are the caller's to mend: exit code 2.
    pub fn of(error: &paddock_chat::ChatError) -> Self {
        let failure = error.failure();
        if error.is_bad_input() {
            Self::BadInput(failure.into())
        } else {
            Self::Failed(failure.into())
        }
    }
}

/// What the user named (`demo`, an id of `paddock models`, a folder, a GGUF file), as an id and a path.
pub fn resolve(model: &str, places: &Places) -> Result<(ModelId, PathBuf), Stop> {
    let named = ModelId::new(model);
    if named.is_demo() {
        return Ok((named, places.demo_model.clone()));
    }
    let path = paddock_models::model_path(Path::new(named.local_path().unwrap_or(model)));
    match std::path::absolute(&path) {
        Ok(path) if path.exists() => Ok((ModelId::local(&path.to_string_lossy()), path)),
        _ => Err(Stop::BadInput(CommandError::new(
            "model_not_found",
            format!("There is no model at {}.", path.display()),
            "Give a model's folder or a GGUF file, or see `paddock models`.",
        ))),
    }
}

pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Prints to standard output; a reader that went away (`| head`) ends the command quietly.
pub fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A picture file's bytes, never more than are taken, or the sentence for exit code 2.
pub fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    paddock_pictures::read_file(path).map_err(|failure| Stop::BadInput(failure.into()))
}
