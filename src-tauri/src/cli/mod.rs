//! The command line on the same use cases as the window.
//!
//! Outside: the use cases. Exit codes: 0 done, 1 a failure, 2 bad input, 141 (quietly) if whoever read the output went
//! away; the reason is one sentence (and one next step) on standard error.

mod ask;
mod bench;
mod diagnostics;
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

use paddock_decode::Limits;

use crate::{diagnostics as log, error::CommandError, places::Places};

/// What a shell reports of a program whose reader went away: 128 and SIGPIPE.
const READER_GONE: u8 = 141;

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
    /// Print what somebody who helps needs to know: versions, hardware, model, settings, the end of the log; without secrets,
    /// names, and anything of a conversation.
    Diagnostics(diagnostics::Diagnostics),
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Stop {
    /// Exit code 1.
    Failed(CommandError),
    /// Exit code 2.
    BadInput(CommandError),
    /// Nobody reads what is printed: nothing to say, and nobody to say it to.
    ReaderGone,
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
    // Quietly: a command that only looks makes no folder.
    if places.data.is_dir() {
        log::start(&places.data, log::COMMAND_LOG);
    }
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
            Command::Diagnostics(diagnostics) => diagnostics.run(&places).await,
        }
    });
    let (code, error) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Stop::Failed(error)) => (1, error),
        Err(Stop::BadInput(error)) => (2, error),
        Err(Stop::ReaderGone) => return ExitCode::from(READER_GONE),
    };
    tracing::warn!(code = %error.code, exit = code, "a command stopped");
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

/// Prints to standard output.
///
/// # Errors
/// The reader went away (`| head`), or what was printed could not be written: the command has not done what it was asked.
pub fn print(text: &str) -> Result<(), Stop> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Stop::ReaderGone,
            _ => Stop::Failed(CommandError::new(
                "not_printed",
                format!("The output could not be written ({error})."),
                "Check the free space where it goes, then give the command again.",
            )),
        })
}

/// A picture file's bytes, never more than are taken, or the sentence for exit code 2.
pub fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    if path.as_os_str().is_empty() {
        return Err(Stop::BadInput(CommandError::new(
            "file_unnamed",
            "The name of a file is empty.",
            "Write the file's name; in a script, check the variable that it comes from.",
        )));
    }
    paddock_pictures::read_file(path).map_err(|failure| Stop::BadInput(failure.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_name_is_refused_in_a_sentence() {
        match read(Path::new("")) {
            Err(Stop::BadInput(error)) => assert_eq!(error.code, "file_unnamed"),
            other => panic!("{:?}", other.map(|bytes| bytes.len())),
        }
    }
}
