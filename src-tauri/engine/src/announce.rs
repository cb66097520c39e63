//! The two lines to the parent: JSON lines out, and the end of standard input as the order to stop.
//!
//! Outside: requests, which come over HTTP.

use std::io::{Read, Write};

use paddock_protocol::engine::EngineLine;

/// One JSON object on one line of standard output. A parent that no longer reads has gone; so will we.
pub fn line(line: &EngineLine) {
    let Ok(json) = serde_json::to_string(line) else {
        return;
    };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{json}").and_then(|()| out.flush());
}

/// The engine must not outlive the app, however the app ended: a closed pipe is seen even after a kill.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut input = std::io::stdin().lock();
        let mut byte = [0];
        loop {
            match input.read(&mut byte) {
                Ok(0) => std::process::exit(0),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => std::process::exit(0),
            }
        }
    });
}
