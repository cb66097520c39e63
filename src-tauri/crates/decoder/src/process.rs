//! The window's side of one decoder process: started with next to no environment, spoken to, timed, ended.
//!
//! Outside: how many there are and who gets one (`pool.rs`).

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paddock_decode::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::confine::Confinement;
use crate::pool::DecoderConfig;
use crate::wire::{self, Answer, PREFIX_BYTES, Prefix, Request};
use crate::{DecoderError, Job, KEPT_PIXELS, Output, WORKER};

/// How long a process may take to say hello, on a computer that is busy with other things.
const STARTING: Duration = Duration::from_secs(20);
/// How long it may take to get a job and begin: the pipe, and once in its life the computer's fonts.
const HANDING_OVER: Duration = Duration::from_secs(20);
/// How long decoding may take, and what it may take longer for each pixel that the header announces. Both together
/// leave a small hostile file six seconds, and 108 megapixels eleven.
const WORKING: Duration = Duration::from_secs(5);
const WORKING_A_PIXEL: Duration = Duration::from_nanos(50);
/// How long the end of a process that broke off is waited for.
const ENDING: Duration = Duration::from_secs(2);
/// Last words that are kept, in bytes.
const KEPT_WORDS: usize = 4096;
/// As much as Linux lets anybody ask for; less means more turns between the processes.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1 << 20;
/// Names of variables that it is given: where fonts are, and where the system's libraries are.
const ENVIRONMENT: [&str; 6] = [
    "HOME",
    "LD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "SYSTEMROOT",
    "WINDIR",
    "USERPROFILE",
];

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    words: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
    /// Jobs it has done.
    pub jobs: u32,
    pub confinement: Confinement,
}

/// How a process ended.
#[derive(Debug)]
struct End {
    /// None if it had to be ended.
    status: Option<ExitStatus>,
    /// Its last words.
    words: String,
}

/// Why a job was not done, and what is left of the process.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It said no, and can go on.
    Answered(DecoderError),
    /// It is gone.
    Lost {
        error: DecoderError,
        /// It had begun with the job, so the file may be at fault.
        began: bool,
    },
}

impl Process {
    pub async fn start(config: &DecoderConfig) -> Result<Self, DecoderError> {
        let mut command = Command::new(&config.program);
        command
            .arg(WORKER)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for name in ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let not_started = |detail: String| DecoderError::NotStarted {
            detail: format!("{}: {detail}", config.program.display()),
        };
        let mut child = command.spawn().map_err(|e| not_started(e.to_string()))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(to), Some(from), Some(words)) = pipes else {
            return Err(not_started("it has no pipes".into()));
        };
        #[cfg(target_os = "linux")]
        {
            // Smaller pipes work as well.
            let _ = rustix::pipe::fcntl_setpipe_size(&to, PIPE_BYTES);
            let _ = rustix::pipe::fcntl_setpipe_size(&from, PIPE_BYTES);
        }
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut process = Self {
            child,
            to,
            from,
            listening: tokio::spawn(listen(words, kept.clone())),
            words: kept,
            jobs: 0,
            confinement: Confinement::default(),
        };
        match timeout(STARTING, process.answer(0)).await {
            Ok(Ok((Answer::Hello { confinement }, _))) => {
                process.confinement = confinement;
                Ok(process)
            }
            Err(_) => Err(not_started("it says nothing".into())),
            Ok(_) => {
                let End { status, words } = process.end(ENDING).await;
                let status = status.map_or_else(|| "it is no decoder".into(), |s| s.to_string());
                Err(not_started(format!("{status} {words}").trim().to_owned()))
            }
        }
    }

    /// The system's number of it.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub async fn run(&mut self, job: &Job, bytes: &[u8]) -> Result<Output, Failed> {
        self.jobs += 1;
        let most = most_bytes(job);
        let begun = timeout(HANDING_OVER, async {
            let request = Request { job: job.clone() };
            self.to
                .write_all(&wire::head(&request, bytes.len() as u64)?)
                .await?;
            self.to.write_all(bytes).await?;
            self.to.flush().await?;
            self.answer(0).await
        })
        .await;
        match begun {
            Ok(Ok((Answer::Began, _))) => {}
            Ok(other) => return Err(self.lost(other.err(), false).await),
            Err(_) => return Err(self.too_slow(HANDING_OVER, false).await),
        }
        let began = Instant::now();
        let mut patience = WORKING;
        loop {
            match timeout_at(began + patience, self.answer(most)).await {
                Err(_) => return Err(self.too_slow(patience, true).await),
                // Said more than once it changes nothing.
                Ok(Ok((Answer::Sized { pixels }, _))) => {
                    let pixels = pixels.min(Limits::DEFAULT.max_pixels);
                    let pixels = u32::try_from(pixels).unwrap_or(u32::MAX);
                    patience = WORKING + WORKING_A_PIXEL * pixels;
                }
                Ok(Ok((
                    Answer::Done {
                        taken,
                        report,
                        lengths,
                    },
                    bytes,
                ))) => match wire::output(taken, report, &lengths, bytes) {
                    Ok(output) => return Ok(output),
                    Err(error) => return Err(self.lost(Some(error), true).await),
                },
                Ok(Ok((Answer::Refused { error }, _))) => return Err(Failed::Answered(error)),
                Ok(Ok((Answer::Hello { .. } | Answer::Began, _))) => {
                    return Err(self.lost(None, true).await);
                }
                Ok(Err(error)) => return Err(self.lost(Some(error), true).await),
            }
        }
    }

    async fn answer(&mut self, most: u64) -> io::Result<(Answer, Vec<u8>)> {
        let mut prefix = [0; PREFIX_BYTES];
        self.from.read_exact(&mut prefix).await?;
        let prefix = Prefix::read(prefix, most)?;
        let mut head = vec![0; prefix.head];
        self.from.read_exact(&mut head).await?;
        let mut bytes = Vec::with_capacity(usize::try_from(prefix.bytes).unwrap_or(0));
        (&mut self.from)
            .take(prefix.bytes)
            .read_to_end(&mut bytes)
            .await?;
        if bytes.len() as u64 != prefix.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((wire::parse(&head)?, bytes))
    }

    async fn too_slow(&mut self, patience: Duration, began: bool) -> Failed {
        self.end(Duration::ZERO).await;
        Failed::Lost {
            error: DecoderError::TooSlow {
                seconds: patience.as_secs(),
            },
            began,
        }
    }

    async fn lost(&mut self, error: Option<io::Error>, began: bool) -> Failed {
        // One that has closed its pipe is ending: how, says why.
        let end = self.end(ENDING).await;
        let error = cause(&end, error);
        tracing::warn!(%error, ?end, "a decoder ended");
        Failed::Lost { error, began }
    }

    /// Waits for `patience` for its end, and makes it where it does not come.
    async fn end(&mut self, patience: Duration) -> End {
        let by_itself = timeout(patience, self.child.wait()).await;
        let status = match by_itself {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = self.child.start_kill();
                let _ = timeout(ENDING, self.child.wait()).await;
                None
            }
        };
        let _ = timeout(ENDING, &mut self.listening).await;
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        End {
            status,
            words: String::from_utf8_lossy(&words).trim().to_owned(),
        }
    }
}

/// Most bytes that an answer to `job` may bring, so that a decoder that was taken over cannot fill the window's memory.
const fn most_bytes(job: &Job) -> u64 {
    match job {
        // PNG is never longer than its pixels by more than a little; so is a small JPEG.
        Job::Take { .. } | Job::Seen { .. } => 4 * KEPT_PIXELS,
        Job::Edit { .. } | Job::Look { save: true, .. } => 8 * Limits::DEFAULT.max_pixels,
        Job::Look { save: false, .. } => 0,
    }
}

/// What ended the process. The words are its own or its C library's; they only choose between reasons.
fn cause(end: &End, error: Option<io::Error>) -> DecoderError {
    if end.words.contains("memory allocation of") {
        return DecoderError::TooMuchMemory;
    }
    #[cfg(unix)]
    {
        use rustix::process::Signal;
        use std::os::unix::process::ExitStatusExt as _;
        let signal = end.status.and_then(|status| status.signal());
        // Nobody here sent it: it was the kernel, out of memory.
        if signal == Some(Signal::KILL.as_raw()) {
            return DecoderError::TooMuchMemory;
        }
        if signal == Some(Signal::XCPU.as_raw()) {
            let seconds = crate::confine::PROCESSOR_SECONDS;
            return DecoderError::TooSlow { seconds };
        }
    }
    let ended = end.status.map(|status| status.to_string());
    let said = error.map_or_else(|| "it spoke out of turn".to_owned(), |e| e.to_string());
    DecoderError::Died {
        detail: format!("{}; {said}", ended.unwrap_or_else(|| "it was ended".into())),
    }
}

/// Keeps the end of what it says on standard error.
async fn listen(mut from: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&piece[..length]);
        let over = kept.len().saturating_sub(KEPT_WORDS);
        kept.drain(..over);
    }
}
