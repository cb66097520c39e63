//! What can be said afterwards: a log on this computer, and a report to copy, both without what is private.
//!
//! Outside: what is worth a line (whoever does it), and what the sections of a report hold (the shell). Nothing here opens
//! a connection.

mod log;
mod redact;
mod report;
mod rotating;

pub use log::{CONTENT_VARIABLE, LEVEL_VARIABLE, Log, start};
pub use redact::Redactor;
pub use report::{Report, named_variables, system};
