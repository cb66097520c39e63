//! Paddock's shell: the composition root, the window with its commands, and the command line.
//!
//! Outside: every domain rule. A command unpacks, calls one use case of `paddock_chat`, and maps the error.

mod bindings;
mod cli;
mod clipboard;
mod commands;
mod diagnostics;
mod dialogs;
mod drop;
mod error;
mod events;
mod navigation;
mod notice;
mod places;
#[expect(
    dead_code,
    reason = "asked once the store tells damage from other failures"
)]
mod recovery;
mod scheme;
mod single;
mod window;

use std::process::ExitCode;

use clap::Parser;

/// The whole program.
pub fn main() -> ExitCode {
    match cli::Arguments::parse().command {
        Some(command) => cli::run(command),
        None => window::run(),
    }
}
