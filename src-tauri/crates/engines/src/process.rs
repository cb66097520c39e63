//! One engine process: started with a clean environment, read line by line, ended gently and then firmly.
//!
//! Outside: when to start and what its lines mean (the supervisor).

use std::collections::VecDeque;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use paddock_protocol::engine::{EngineLine, TOKEN_VARIABLE};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::{EngineError, environment};

/// How long the process may take to end itself after its standard input was closed.
const GRACE: Duration = Duration::from_secs(3);
/// How long the system may take to end it after it was killed. A process that waits for a driver or a disk (state D) does not
/// end before that answers; nobody waits for it.
const KILLED: Duration = Duration::from_secs(2);
/// How long lines that are still in the pipe are read after the process ended.
const DRAIN: Duration = Duration::from_millis(500);
/// Lines of standard error that are kept for the log.
const KEPT_LOG_LINES: usize = 40;

#[derive(Debug)]
pub enum ProcessEvent {
    Line(EngineLine),
    Exited(Exit),
}

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    pub status: Option<ExitStatus>,
    /// The kernel counted an out-of-memory kill while the process lived.
    pub oom_counted: bool,
    /// Its last lines on standard error.
    pub log: Vec<String>,
}

/// The supervisor's end of a running process. Dropping it ends the process.
#[derive(Debug)]
pub struct Process {
    /// The system's number of it.
    pub id: Option<u32>,
    stop: Option<oneshot::Sender<()>>,
}

impl Process {
    /// Starts `program`; its events come tagged with `epoch`.
    ///
    /// # Errors
    /// The program is missing or cannot be run.
    pub fn spawn(
        program: &Path,
        arguments: &[String],
        token: &str,
        epoch: u64,
        events: mpsc::Sender<(u64, ProcessEvent)>,
    ) -> Result<Self, EngineError> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment::clean(std::env::vars_os()))
            .env(TOKEN_VARIABLE, token)
            .env("HF_HUB_OFFLINE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let oom_before = oom_kills();
        let child = command.spawn().map_err(|e| EngineError::NotStarted {
            detail: format!("{}: {e}", program.display()),
        })?;
        let id = child.id();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(watch(child, oom_before, stopped, epoch, events));
        Ok(Self {
            id,
            stop: Some(stop),
        })
    }

    /// Asks the process to end; `Exited` follows.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

async fn watch(
    mut child: Child,
    oom_before: Option<u64>,
    mut stop: oneshot::Receiver<()>,
    epoch: u64,
    events: mpsc::Sender<(u64, ProcessEvent)>,
) {
    let stdin = child.stdin.take();
    let lines = tokio::spawn(forward_lines(child.stdout.take(), epoch, events.clone()));
    let log = tokio::spawn(keep_log(child.stderr.take()));

    let status = tokio::select! {
        status = child.wait() => status.ok(),
        // Also when the supervisor is gone.
        _ = &mut stop => {
            drop(stdin);
            match tokio::time::timeout(GRACE, child.wait()).await {
                Ok(status) => status.ok(),
                Err(_) => {
                    tracing::warn!("the engine did not end by itself and is killed");
                    let _ = child.start_kill();
                    match tokio::time::timeout(KILLED, child.wait()).await {
                        Ok(status) => status.ok(),
                        Err(_) => {
                            tracing::error!("the engine's process does not end although it was killed");
                            None
                        }
                    }
                }
            }
        }
    };
    // A `failed` line explains an exit better than its status does, so it goes first.
    let _ = tokio::time::timeout(DRAIN, lines).await;
    let log = match tokio::time::timeout(DRAIN, log).await {
        Ok(Ok(log)) => log,
        _ => Vec::new(),
    };
    let oom_counted =
        matches!((oom_before, oom_kills()), (Some(before), Some(after)) if after > before);
    let _ = events
        .send((
            epoch,
            ProcessEvent::Exited(Exit {
                status,
                oom_counted,
                log,
            }),
        ))
        .await;
}

async fn forward_lines(
    stdout: Option<impl AsyncRead + Unpin>,
    epoch: u64,
    events: mpsc::Sender<(u64, ProcessEvent)>,
) {
    let Some(stdout) = stdout else { return };
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(line) => {
                if events
                    .send((epoch, ProcessEvent::Line(line)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%line, %error, "the engine wrote a line that is not of the protocol")
            }
        }
    }
}

async fn keep_log(stderr: Option<impl AsyncRead + Unpin>) -> Vec<String> {
    let mut kept = VecDeque::new();
    if let Some(stderr) = stderr {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            tracing::debug!(target: "paddock_engine", "{line}");
            if kept.len() == KEPT_LOG_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }
    kept.into()
}

/// Out-of-memory kills since the computer started, where the system counts them (Linux: proc_vmstat(5)).
fn oom_kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}
