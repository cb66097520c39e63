//! The command line on the same use cases as the window.
//!
//! Outside: the use cases. Exit codes: 0 done, 1 a failure, 2 bad input; the reason is one sentence (and
//! one next step) on standard error.

mod ask;
mod models;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{error::CommandError, places::Places};

#[derive(Debug, Parser)]
#[command(name = "paddock", version, about = "An assistant for text and images whose model runs on your own computer. Without a command the window opens.")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask one question, with pictures if you like; the answer streams to the terminal.
    Ask(ask::Ask),
    /// List the models that can be run here.
    Models(models::Models),
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("paddock: The system gave no threads to work with ({error}).");
            return ExitCode::from(1);
        }
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Ask(ask) => ask.run(&places).await,
            Command::Models(models) => models.run(&places).await,
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

/// A file's bytes, or the sentence for exit code 2.
pub fn read(path: &PathBuf) -> Result<Vec<u8>, Stop> {
    std::fs::read(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "does not exist",
            std::io::ErrorKind::PermissionDenied => "may not be read by you",
            std::io::ErrorKind::IsADirectory => "is a folder",
            _ => "could not be read",
        };
        Stop::BadInput(CommandError::new("file_unreadable", format!("{} {why}.", path.display()), "Check the path."))
    })
}
