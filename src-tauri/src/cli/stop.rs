//! How a command ends: printing what it was asked for, or the reason why not.
//!
//! Outside: exit codes (`cli`).

use crate::error::CommandError;

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
