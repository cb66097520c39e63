//! The command line on the same use cases as the window.
//!
//! Outside: the use cases. Exit codes: 0 done, 1 a failure, 2 bad input, 141 (quietly) if whoever read the output went
//! away; the reason is one sentence (and one next step) on standard error.

mod ask;
mod bench;
mod diagnostics;
mod download;
mod fit;
mod input;
mod loading;
mod look;
mod manual;
mod models;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::input::{file_name, read, resolve};
use self::stop::{Stop, print};
use crate::{diagnostics as log, places::Places};

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
