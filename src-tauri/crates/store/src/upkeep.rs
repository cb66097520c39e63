//! What runs beside the user's work: the check of a large database, the daily copy, the sweep.
//!
//! Outside: what each of them does; when the store is opened (the check of a small database is done there).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use crate::blobs::Blobs;
use crate::check::{Finding, quick_check};
use crate::error::StoreError;
use crate::schema::{self, transact};
use crate::tables::search;
use crate::{backups, files, recovery, sweep};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// What is known of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub check: CheckState,
    pub backup: BackupState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckState {
    /// It is large; the check has not ended yet.
    Running,
    Passed,
    /// The check could not be done.
    NotDone {
        detail: String,
    },
    /// By the check, or by what was read since. Nothing is written to it by Paddock itself any more; the next
    /// [`crate::Store::open`] says so and leaves the choice.
    Damaged {
        detail: String,
    },
}

/// The daily copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupState {
    NotDue,
    Running,
    Done { path: PathBuf },
    Failed { detail: String },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Job {
    pub check: bool,
    pub back_up: bool,
    pub sweep: bool,
}

#[derive(Debug)]
pub struct Upkeep {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    folder: PathBuf,
    blobs: Arc<Blobs>,
    health: Mutex<Health>,
    /// When the last copy was begun.
    backed_up_ms: AtomicU64,
    stop: AtomicBool,
    interrupt: Mutex<Option<InterruptHandle>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A connection's interrupt handle has no words.
        f.debug_struct("Shared")
            .field("folder", &self.folder)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// Whether a day has passed since a moment. A moment to come was told by a wrong clock.
pub fn is_due(last_ms: u64, now_ms: u64) -> bool {
    now_ms < last_ms || now_ms - last_ms >= DAY_MS
}

impl Upkeep {
    /// `backed_up_ms` is when the newest copy was made.
    pub fn new(folder: &Path, blobs: Arc<Blobs>, check: CheckState, backed_up_ms: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                blobs,
                health: Mutex::new(Health {
                    check,
                    backup: BackupState::NotDue,
                }),
                backed_up_ms: AtomicU64::new(backed_up_ms),
                stop: AtomicBool::new(false),
                interrupt: Mutex::new(None),
            }),
            worker: Mutex::new(None),
        }
    }

    pub fn health(&self) -> Health {
        hold(&self.shared.health).clone()
    }

    pub fn found_damaged(&self, detail: &str) {
        self.shared.found_damaged(detail);
    }

    /// Does a job in the background, unless one runs.
    pub fn begin(&self, job: Job, now_ms: u64) {
        let mut worker = hold(&self.worker);
        if worker.as_ref().is_some_and(|worker| !worker.is_finished()) {
            return;
        }
        if job.back_up {
            self.shared.backed_up_ms.store(now_ms, Ordering::Relaxed);
            hold(&self.shared.health).backup = BackupState::Running;
        }
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("store-upkeep".into());
        match thread.spawn(move || shared.run(job, now_ms)) {
            Ok(thread) => *worker = Some(thread),
            Err(error) => self.shared.not_done(job, &error.into()),
        }
    }

    pub fn back_up_if_due(&self, now_ms: u64) {
        let last_ms = self.shared.backed_up_ms.load(Ordering::Relaxed);
        if is_due(last_ms, now_ms) && self.health().check == CheckState::Passed {
            let back_up = true;
            self.begin(
                Job {
                    back_up,
                    ..Job::default()
                },
                now_ms,
            );
        }
    }

    /// Waits for what runs.
    pub fn settle(&self) {
        let worker = hold(&self.worker).take();
        if let Some(worker) = worker {
            // A panic is told by its hook; the health says what was not done.
            let _ = worker.join();
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let Some(worker) = hold(&self.worker).take() else {
            return;
        };
        // An interrupt ends only the statement that runs; the next one may have begun just after it.
        while !worker.is_finished() {
            if let Some(interrupt) = hold(&self.shared.interrupt).as_ref() {
                interrupt.interrupt();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = worker.join();
    }
}

impl Shared {
    fn run(&self, job: Job, now_ms: u64) {
        let done = self.connect().and_then(|mut connection| {
            *hold(&self.interrupt) = Some(connection.get_interrupt_handle());
            let done = self.work(&mut connection, job, now_ms);
            *hold(&self.interrupt) = None;
            done
        });
        if let Err(error) = done {
            self.not_done(job, &error);
        }
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        schema::look_into(&self.folder)?.ok_or_else(|| StoreError::damaged("its file is missing"))
    }

    fn work(&self, connection: &mut Connection, job: Job, now_ms: u64) -> Result<(), StoreError> {
        if job.check && !self.stopped() {
            match quick_check(connection)? {
                Finding::Whole => {}
                Finding::SearchIndex(detail) => {
                    tracing::warn!(detail, "the search index is damaged and made anew");
                    transact(connection, search::rebuild)?;
                }
                Finding::Damaged(detail) => return Err(StoreError::damaged(detail)),
            }
            hold(&self.health).check = CheckState::Passed;
        }
        if job.back_up && !self.stopped() {
            let made = backups::make(connection, &self.folder, now_ms)?;
            hold(&self.health).backup = BackupState::Done { path: made.path };
        }
        if job.sweep && !self.stopped() {
            let spare_before_ms = recovery::last_set_aside_ms(&self.folder);
            sweep::sweep(connection, &self.blobs, spare_before_ms, now_ms, || {
                self.stopped()
            })?;
        }
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn found_damaged(&self, detail: &str) {
        tracing::error!(detail, "the database is damaged");
        hold(&self.health).check = CheckState::Damaged {
            detail: detail.to_owned(),
        };
        files::mark_suspect(&self.folder);
    }

    fn not_done(&self, job: Job, error: &StoreError) {
        if self.stopped() {
            return;
        }
        let detail = error.to_string();
        if let StoreError::Damaged { detail, .. } = error {
            self.found_damaged(detail);
        } else {
            tracing::warn!(detail, "the database could not be checked, copied or swept");
        }
        let mut health = hold(&self.health);
        if job.check && health.check == CheckState::Running {
            let detail = detail.clone();
            health.check = CheckState::NotDone { detail };
        }
        if job.back_up && health.backup == BackupState::Running {
            health.backup = BackupState::Failed { detail };
            // Tried again at the next turn that begins.
            self.backed_up_ms.store(0, Ordering::Relaxed);
        }
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is held is replaced as a whole; a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
