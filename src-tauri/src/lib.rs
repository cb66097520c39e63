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
mod platform;
mod recovery;
mod scheme;
mod single;
mod window;

use std::process::ExitCode;

use clap::Parser;

/// The whole program.
pub fn main() -> ExitCode {
    // Before anything else is set up: a decoder needs none of it.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == paddock_decoder::WORKER)
    {
        return paddock_decoder::worker::main();
    }
    match cli::Arguments::parse().command {
        Some(command) => cli::run(command),
        None => platform::prepare().map_or_else(|stop| stop, |()| window::run()),
    }
}
