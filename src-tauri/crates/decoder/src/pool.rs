//! The decoder processes there are, and who may use one.
//!
//! Outside: what one process is told and how it is timed (`process.rs`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::process::{Failed, Process};
use crate::{DecoderError, Job, Output};

/// Jobs after which a process is replaced: what leaks in a decoder, or was left behind by a file, goes with it.
const JOBS_OF_ONE: u32 = 200;

/// Which program decodes, and how many at a time.
#[derive(Clone, Debug)]
pub struct DecoderConfig {
    /// A program that calls [`crate::worker::main`] when its first argument is [`crate::WORKER`].
    pub program: PathBuf,
    /// Processes at the same time, at least 1: each may take gigabytes for a moment.
    pub processes: usize,
}

impl DecoderConfig {
    /// Two processes of `program`.
    #[must_use]
    pub const fn new(program: PathBuf) -> Self {
        Self {
            program,
            processes: 2,
        }
    }
}

/// The decoders of one window or command. Processes are started when they are needed, kept warm, and replaced when they
/// hang or die; they end with the last clone of this. Cheap to clone; needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct Decoders(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: DecoderConfig,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Process>>,
}

/// Leave to use a decoder. Taken before a file is read, it bounds how many files are in memory.
#[derive(Debug)]
pub struct Turn {
    decoders: Decoders,
    _permit: OwnedSemaphorePermit,
}

impl Decoders {
    /// Starts nothing yet.
    #[must_use]
    pub fn new(config: DecoderConfig) -> Self {
        let turns = Arc::new(Semaphore::new(config.processes.max(1)));
        Self(Arc::new(Inner {
            config,
            turns,
            idle: Mutex::default(),
        }))
    }

    /// How many jobs are done at the same time.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.0.config.processes.max(1)
    }

    /// Waits until a decoder is free, first come, first served.
    ///
    /// # Errors
    /// [`DecoderError::Closed`].
    pub async fn turn(&self) -> Result<Turn, DecoderError> {
        let permit = self.0.turns.clone().acquire_owned().await;
        Ok(Turn {
            decoders: self.clone(),
            _permit: permit.map_err(|_| DecoderError::Closed)?,
        })
    }

    /// [`Decoders::turn`] and one job.
    ///
    /// # Errors
    /// As [`Turn::run`].
    pub async fn run(&self, job: &Job, bytes: &[u8]) -> Result<Output, DecoderError> {
        self.turn().await?.run(job, bytes).await
    }

    /// Starts a process ahead, so that the first picture does not wait for it.
    pub async fn warm(&self) {
        let Ok(_turn) = self.turn().await else { return };
        if !self.idle().is_empty() {
            return;
        }
        match Process::start(&self.0.config).await {
            Ok(process) => self.put_back(process),
            // The first picture will say it.
            Err(error) => tracing::warn!(%error, "no decoder could be started ahead"),
        }
    }

    /// Lets nobody have a turn any more and ends the processes that wait.
    pub fn close(&self) {
        self.0.turns.close();
        self.idle().clear();
    }

    /// The system's numbers of the processes that wait.
    #[must_use]
    pub fn waiting_processes(&self) -> Vec<u32> {
        self.idle().iter().filter_map(Process::id).collect()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, process: Process) {
        if process.jobs < JOBS_OF_ONE && !self.0.turns.is_closed() {
            self.idle().push(process);
        }
    }
}

impl Turn {
    /// Does `job` with the file `bytes`. A process that is lost costs this picture only; the next one gets another.
    ///
    /// # Errors
    /// The file cannot be taken, or what it did to its decoder.
    pub async fn run(&self, job: &Job, bytes: &[u8]) -> Result<Output, DecoderError> {
        loop {
            let waiting = self.decoders.idle().pop();
            let mut process = match waiting {
                Some(process) => process,
                None => {
                    let process = Process::start(&self.decoders.0.config).await?;
                    tracing::debug!(confinement = ?process.confinement, "a decoder was started");
                    process
                }
            };
            let used = process.jobs > 0;
            match process.run(job, bytes).await {
                Ok(output) => {
                    self.decoders.put_back(process);
                    return Ok(output);
                }
                Err(Failed::Answered(error)) => {
                    self.decoders.put_back(process);
                    return Err(error);
                }
                // One that died while it waited is no fault of this file.
                Err(Failed::Lost { began: false, .. }) if used => {}
                Err(Failed::Lost { error, .. }) => return Err(error),
            }
        }
    }
}
