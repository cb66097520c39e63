//! `paddock models download`: a model from the Hub, with its progress on standard error.
//!
//! Outside: the download itself (the hub crate). Stopping it (Ctrl+C) keeps what came; the same command goes on.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use clap::Args;
use paddock_chat::{Chat, ChatError, HubWish};
use paddock_hub::{Download as Line, DownloadState, Gate, Preflight};
use paddock_models::fit::parse_bytes;
use serde_json::json;

use super::{Stop, print};
use crate::{error::CommandError, places::Places};

/// How often a line is written where lines are kept (a log, a pipe).
const LINE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct Download {
    /// owner/name, or the address of a model's page or of one GGUF file. The same command goes on after a stop.
    repository: String,
    /// A mirror of the Hub; default: the settings', HF_ENDPOINT, then the Hub itself.
    #[arg(long)]
    endpoint: Option<String>,
    /// Accept the licence of a model whose publisher asks for it. Read it on the model's page first.
    #[arg(long, alias = "accept-license")]
    accept_licence: bool,
    /// Most bytes a second: 10MB, 500kB.
    #[arg(long, value_parser = limit)]
    limit: Option<u64>,
}

fn limit(text: &str) -> Result<u64, String> {
    match parse_bytes(text) {
        Ok(bytes) if bytes >= 1024 => Ok(bytes),
        _ => Err("an amount from 1KiB on, like 10MB".into()),
    }
}

impl Download {
    pub async fn run(self, places: &Places, json: bool) -> Result<(), Stop> {
        let chat = Chat::open(places.chat_config())
            .await
            .map_err(|error| Stop::of(&error))?;
        let done = self.download(&chat).await;
        chat.shutdown().await;
        let (preflight, line) = done?;
        let DownloadState::Done { model } = line.state else {
            return Ok(());
        };
        print(&if json {
            let object = json!({
                "id": model.to_string(),
                "repository": preflight.repository,
                "revision": preflight.revision,
                "licence": preflight.licence,
                "files": preflight.files.len(),
                "bytes": preflight.bytes,
            });
            format!("{object}\n")
        } else {
            format!("{model}\n")
        })?;
        Ok(())
    }

    async fn download(&self, chat: &Chat) -> Result<(Preflight, Line), Stop> {
        let failed = |error: ChatError| Stop::of(&error);
        let wish = HubWish {
            endpoint: self.endpoint.clone(),
            bytes_per_second: self.limit,
        };
        let preflight = chat
            .hub_preflight(&self.repository, &wish)
            .await
            .map_err(failed)?;
        tell(&preflight, self.accept_licence);
        let id = chat
            .start_download(&self.repository, self.accept_licence, &wish)
            .await
            .map_err(failed)?;
        let mut changes = chat.download_changes();
        let mut meter = Meter::default();
        loop {
            let line = changes
                .borrow_and_update()
                .iter()
                .find(|line| line.id == id)
                .cloned();
            if let Some(line) = line {
                meter.show(&line);
                match &line.state {
                    DownloadState::Failed { failure } => {
                        meter.end();
                        return Err(Stop::Failed(failure.clone().into()));
                    }
                    DownloadState::Done { .. } => {
                        meter.end();
                        return Ok((preflight, line));
                    }
                    _ => {}
                }
            }
            if changes.changed().await.is_err() {
                return Err(Stop::Failed(CommandError::new(
                    "task_ended",
                    "The download ended early.",
                    "Give the same command again; what came is kept.",
                )));
            }
        }
    }
}

fn tell(preflight: &Preflight, accepted: bool) {
    let licence = preflight.licence.as_deref().unwrap_or("not named");
    eprintln!(
        "{} from {}: {} files, {} ({} here already), licence: {licence}",
        preflight.repository,
        preflight.host,
        preflight.files.len(),
        size(preflight.bytes),
        size(preflight.present_bytes),
    );
    for note in &preflight.notes {
        eprintln!("{note}");
    }
    if preflight.gate != Gate::Open && !accepted {
        eprintln!("With --accept-licence you say that you have read and accept it.");
    }
}

/// The line that shows how far it is: one that changes in a terminal, one every few seconds elsewhere.
#[derive(Debug, Default)]
struct Meter {
    last: Option<Instant>,
    open: bool,
}

impl Meter {
    fn show(&mut self, line: &Line) {
        let terminal = std::io::stderr().is_terminal();
        let due = self.last.is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if !terminal && !due {
            return;
        }
        self.last = Some(Instant::now());
        let text = words(line);
        let mut err = std::io::stderr().lock();
        // Nobody to read it is no reason to stop.
        let _ = if terminal {
            self.open = true;
            write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{text}")
        };
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            eprintln!();
        }
    }
}

fn words(line: &Line) -> String {
    let percent = (line.bytes_done * 100)
        .checked_div(line.bytes_total)
        .unwrap_or(100);
    let amount = format!(
        "{percent:>3} %  {} of {}",
        size(line.bytes_done),
        size(line.bytes_total)
    );
    match &line.state {
        DownloadState::Waiting => format!("{amount}, waiting"),
        DownloadState::Verifying => format!("{amount}, verifying"),
        DownloadState::Done { .. } => format!("{amount}, verified"),
        DownloadState::Paused | DownloadState::Failed { .. } => format!("{amount}, stopped"),
        DownloadState::Running => {
            let left = line
                .seconds_left
                .map_or_else(String::new, |seconds| format!(", {} left", time(seconds)));
            format!("{amount}, {}/s{left}", size(line.bytes_per_second))
        }
    }
}

fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b >= 1e9 => format!("{:.2} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.0} kB", b / 1e3),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        s if s >= 3600 => format!("{} h {:02} min", s / 3600, s / 60 % 60),
        s if s >= 60 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_well() {
        let line = |state, done, left| Line {
            id: "a/b".into(),
            repository: "a/b".into(),
            state,
            bytes_done: done,
            bytes_total: 2_000_000_000,
            bytes_per_second: 12_300_000,
            seconds_left: left,
        };
        assert_eq!(
            words(&line(DownloadState::Running, 500_000_000, Some(125))),
            " 25 %  500.0 MB of 2.00 GB, 12.3 MB/s, 2 min 05 s left"
        );
        assert_eq!(
            words(&line(DownloadState::Verifying, 2_000_000_000, None)),
            "100 %  2.00 GB of 2.00 GB, verifying"
        );
    }

    #[test]
    fn a_limit_is_an_amount() {
        assert_eq!(limit("10MB"), Ok(10_000_000));
        assert!(limit("fast").is_err() && limit("10").is_err());
    }
}
