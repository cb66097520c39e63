//! What other programs and the kernel do to Paddock's processes: kill them, or leave them little processor time.

use rustix::process::{Pid, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ends a process at once, as the kernel's out-of-memory killer would.
///
/// # Panics
/// If there is no such process.
pub fn kill_9(process: i32) {
    rustix::process::kill_process(pid(process), Signal::KILL).expect("the process is there");
}

/// Whether the process runs (or is stopped): one that has ended and merely waits to be collected does not.
#[must_use]
pub fn running(process: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/status")).is_ok_and(|status| {
        !status
            .lines()
            .any(|line| line.starts_with("State:") && line.contains('Z'))
    })
}

/// A process that gets to run a tenth of the time, as on a slow computer: short answers become long enough to be
/// watched and interrupted. Back to full speed with the end of this value.
#[derive(Debug)]
pub struct Slowed {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Slowed {
    /// Slows the process down.
    #[must_use]
    pub fn new(process: i32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let process = pid(process);
        let thread = std::thread::spawn(move || {
            // A process that has ended takes no signals; that is then the test's concern.
            while !stopped.load(Ordering::Relaxed) {
                let _ = rustix::process::kill_process(process, Signal::STOP);
                std::thread::sleep(Duration::from_millis(36));
                let _ = rustix::process::kill_process(process, Signal::CONT);
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pid(process: i32) -> Pid {
    Pid::from_raw(process).expect("a process id")
}
