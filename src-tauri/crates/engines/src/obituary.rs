//! How a process ended, as a sentence for people.
//!
//! Outside: what follows from it (the supervisor).

use crate::EngineError;
use crate::process::Exit;

/// Why the engine is gone, from how its process ended.
pub fn obituary(exit: &Exit, was_ready: bool) -> EngineError {
    let when = if was_ready {
        "The engine"
    } else {
        "The engine, while loading the model,"
    };
    let signal = exit.status.and_then(signal_of);
    let (message, out_of_memory) = match signal {
        Some(9) if exit.oom_counted => (
            format!("{when} was ended by the system because the memory ran out."),
            true,
        ),
        Some(9) => (
            format!(
                "{when} was ended from outside (signal 9); most often that means the memory ran out."
            ),
            true,
        ),
        Some(signal) => (format!("{when} crashed (signal {signal})."), false),
        None => match exit.status.and_then(|status| status.code()) {
            Some(code) => (
                format!("{when} ended unexpectedly (exit code {code})."),
                false,
            ),
            None => (format!("{when} ended unexpectedly."), false),
        },
    };
    EngineError::Ended {
        message,
        out_of_memory,
    }
}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: std::process::ExitStatus) -> Option<i32> {
    None
}
