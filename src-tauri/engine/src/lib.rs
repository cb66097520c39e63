//! `paddock-engine`: one model, hosted with mistral.rs, behind the OpenAI chat-completions protocol on
//! loopback.
//!
//! Outside: choosing a model, keeping conversations, talking to other servers. A process of its own, so that
//! a panic, an abort or the kernel's out-of-memory killer takes the engine and never the app, and so that
//! ending it gives every byte of memory back.

mod announce;
mod arguments;
pub mod checkpoint;
mod cpu;
mod environment;
mod failure;
pub mod host;
pub mod images;
pub mod load;
pub mod prompt;
mod sampling;
mod server;
mod stop_strings;

use std::process::ExitCode;

use clap::Parser;
use paddock_protocol::engine::{EngineLine, Failed, LoadErrorCode};

pub use arguments::Arguments;
pub use failure::LoadFailure;
pub use paddock_checkpoint::Quant;

/// The whole program.
pub fn main() -> ExitCode {
    if let Err(message) = cpu::check() {
        return fail(LoadErrorCode::CpuTooOld, message);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(LoadErrorCode::BadArguments, error.to_string()),
    };
    let token = match environment::take_token() {
        Ok(token) => token,
        Err(message) => return fail(LoadErrorCode::BadArguments, message),
    };
    environment::set_threads(arguments.threads);
    cpu::install_kernels();
    announce::end_with_parent();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(
                LoadErrorCode::LoadFailed,
                format!("The system gave no threads: {error}."),
            );
        }
    };
    match runtime.block_on(server::run(arguments, token)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(failure.code, failure.message),
    }
}

fn fail(code: LoadErrorCode, message: String) -> ExitCode {
    announce::line(&EngineLine::Failed(Failed { code, message }));
    ExitCode::from(1)
}
