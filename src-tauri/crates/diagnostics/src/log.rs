//! The log: every event of the program as a line of a file in the data folder, panics included.
//!
//! Outside: the data folder itself.
//!
//! Nothing is written that was not taken through [`Redactor`]: a log is made to be shown to somebody. A line goes to the
//! file at once; what a program said before it died is there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::redact::Redactor;
use crate::rotating::{RotatingFile, last_lines};

/// What is written, as `target=level` with commas between: `info,paddock_hub=debug`.
pub const LEVEL_VARIABLE: &str = "PADDOCK_LOG";
/// Set to 1, names of pictures and long quotations stay in the log. Secrets never do.
pub const CONTENT_VARIABLE: &str = "PADDOCK_LOG_CONTENT";

/// Bytes of one file.
const MOST_BYTES: u64 = 1 << 20;
/// Files of one program: four megabytes are weeks of a window's life.
const MOST_FILES: usize = 4;
/// Longest line, in bytes; what is behind is cut off.
const LONGEST_LINE: usize = 4096;

/// A log that is being written. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    folder: PathBuf,
    name: &'static str,
    file: Arc<Mutex<RotatingFile>>,
    redactor: Arc<Redactor>,
}

impl Log {
    /// Opens `<name>.log` in a folder, which is made.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(
        folder: &Path,
        name: &'static str,
        redactor: Redactor,
    ) -> Result<Self, std::io::Error> {
        let file = RotatingFile::open(folder, name, MOST_BYTES, MOST_FILES)?;
        Ok(Self {
            folder: folder.to_owned(),
            name,
            file: Arc::new(Mutex::new(file)),
            redactor: Arc::new(redactor),
        })
    }

    /// The newest lines of a folder's log, oldest first.
    #[must_use]
    pub fn last_lines(folder: &Path, name: &str, count: usize) -> Vec<String> {
        last_lines(folder, name, MOST_FILES, count)
    }

    /// The newest lines, oldest first.
    #[must_use]
    pub fn tail(&self, count: usize) -> Vec<String> {
        Self::last_lines(&self.folder, self.name, count)
    }

    /// What turns events into its lines. `levels` as in [`LEVEL_VARIABLE`]; none or nonsense: what is worth reading.
    pub fn subscriber(&self, levels: Option<&str>) -> impl Subscriber + Send + Sync + use<> {
        let levels = levels
            .and_then(|text| text.parse::<Targets>().ok())
            .unwrap_or_else(usual_levels);
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_timer(SystemTime)
            .with_writer(self.clone());
        tracing_subscriber::registry().with(levels).with(lines)
    }

    fn line(&self, text: &str) {
        let mut text = self.redactor.text(text.trim_end()).into_owned();
        if text.len() > LONGEST_LINE {
            text.truncate(text.floor_char_boundary(LONGEST_LINE));
            text.push('…');
        }
        // One event, one line.
        let mut line = text.replace('\n', "\\n").replace('\r', "");
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nowhere left to say that nothing can be said.
        let _ = file.write_all(line.as_bytes());
    }
}

/// Our own words, what the engine and the decoder say, and what went wrong in libraries.
fn usual_levels() -> Targets {
    let ours = ["paddock", "decoder"];
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(ours.map(|target| (target, LevelFilter::INFO)))
        .with_target("paddock_engine", LevelFilter::DEBUG)
}

/// Collects one event and writes it as one line.
#[derive(Debug)]
pub struct Line<'a> {
    log: &'a Log,
    text: Vec<u8>,
}

impl std::io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.log.line(&String::from_utf8_lossy(&self.text));
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            log: self,
            text: Vec::new(),
        }
    }
}

/// Writes the program's events and panics to `<name>.log` in a folder from now on, for the whole process.
///
/// # Errors
/// The folder cannot be written; the program goes on without a log.
pub fn start(folder: &Path, name: &'static str) -> Result<Log, std::io::Error> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let keep_content = set(CONTENT_VARIABLE).is_some_and(|text| text != "0");
    let log = Log::open(folder, name, Redactor::of_this_computer(keep_content))?;
    let subscriber = log.subscriber(set(LEVEL_VARIABLE).as_deref());
    tracing::subscriber::set_global_default(subscriber).map_err(std::io::Error::other)?;
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        let words = panic.payload_as_str().unwrap_or("(no words)");
        tracing::error!(
            target: "paddock",
            thread = thread.name().unwrap_or("unnamed"),
            place,
            "panic: {words}"
        );
        before(panic);
    }));
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path) -> Log {
        let users = ["annabell".to_owned()];
        let redactor = Redactor::new(Some("/home/annabell"), &users, "annas-laptop", false);
        Log::open(folder, "window", redactor).unwrap()
    }

    #[test]
    fn an_event_is_one_line_without_what_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        tracing::subscriber::with_default(log.subscriber(None), || {
            tracing::info!(target: "paddock_hub", token = "hf_abcdef123", "two\nlines of annabell");
            tracing::debug!(target: "paddock_engine", "a word of the engine");
            tracing::debug!(target: "paddock_hub", "not worth a line");
            tracing::info!(target: "hyper", "not ours");
            tracing::warn!(target: "hyper", "but that is");
        });
        let lines = log.tail(10);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].contains("two\\nlines of <user>"), "{lines:?}");
        assert!(lines[1].contains("a word of the engine"), "{lines:?}");
        assert!(lines[2].contains("but that is"), "{lines:?}");
        let whole = std::fs::read_to_string(folder.path().join("window.log")).unwrap();
        assert!(!whole.contains("abcdef") && !whole.contains("annabell"));
    }

    #[test]
    fn levels_are_chosen_by_name_and_nonsense_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        tracing::subscriber::with_default(log.subscriber(Some("warn,paddock_hub=trace")), || {
            tracing::trace!(target: "paddock_hub", "fine");
            tracing::info!(target: "paddock_chat", "too much");
        });
        tracing::subscriber::with_default(log.subscriber(Some("paddock=loud")), || {
            tracing::info!(target: "paddock_chat", "as ever");
        });
        let lines = log.tail(10);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with("fine") && lines[1].ends_with("as ever"));
    }

    #[test]
    fn a_line_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        tracing::subscriber::with_default(log.subscriber(None), || {
            tracing::warn!("{}", "ä ".repeat(100_000));
        });
        let lines = log.tail(10);
        assert!(lines.len() == 1 && lines[0].len() < LONGEST_LINE + 10);
    }
}
