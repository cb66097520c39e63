//! Drives the real Paddock window: a private X display, real mouse, keyboard, clipboard and drag and drop, and WebKit's
//! own WebDriver for looking inside the page. What Paddock's page looks like (its test ids) is in `app`; nothing here
//! knows what a test wants to see.
//!
//! Needs Xvfb, WebKitWebDriver, xdotool, xclip and python3 with GTK 3 bindings; `./test` installs them.

pub mod app;
pub mod client;
pub mod desktop;
pub mod process;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that anything started for one test may live, even if the test itself is killed.
const LIFETIME: &str = "600";

/// A child process that leads its own process group, which ends with this value.
#[derive(Debug)]
pub struct Group {
    child: Child,
    name: String,
}

impl Group {
    /// Starts `command` under `timeout`, so that it ends even when the test is killed before it can clean up. What it
    /// prints goes to the `stdio` set on the command; standard input is closed unless set.
    ///
    /// # Panics
    /// If the program cannot be started: a window test without its tools has nothing to say.
    #[must_use]
    pub fn start(program: &str, configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("timeout");
        // `timeout` makes itself the leader of a new group.
        command
            .args(["--kill-after=2", LIFETIME, program])
            .stdin(Stdio::null());
        configure(&mut command);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{program} could not be started: {error}"));
        Self {
            child,
            name: program.to_owned(),
        }
    }

    /// The process, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether the process is still running.
    #[must_use]
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        else {
            return;
        };
        for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
            // Failing means that nobody is left in the group.
            let _ = rustix::process::kill_process_group(group, signal);
            let _ = wait_until(Duration::from_secs(3), || (!self.alive()).then_some(()));
        }
        if self.alive() {
            eprintln!("{} could not be ended", self.name);
        }
    }
}

/// Asks `probe` every 20 ms until it has an answer or `limit` has passed.
pub fn wait_until<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a small tool to its end and returns what it printed.
///
/// # Panics
/// If it cannot be started, fails, or takes longer than ten seconds (`timeout` then ends it).
pub(crate) fn tool(program: &str, configure: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new("timeout");
    command.args(["10", program]).stdin(Stdio::null());
    configure(&mut command);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program} could not be started: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
