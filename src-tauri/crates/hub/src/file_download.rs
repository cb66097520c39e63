//! One file of a repository, by several connections, until its checksum is the publisher's.
//!
//! Outside: which files (`repository_download`), and what to do about bytes that came wrong (`repair`).

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::Patience;
use crate::fetch::{Body, RemoteContent};
use crate::part_file::PartFile;
use crate::part_writer::PartWriter;
use crate::{Hash, HubError, Throttle};

/// Times that parts which the disk spoiled are loaded again before the disk is given up.
const MOST_ROUNDS: u32 = 4;

/// What all files of a download share.
#[derive(Debug)]
pub struct Shared {
    pub throttle: Arc<Throttle>,
    pub connections: Semaphore,
    /// Bytes that are here, those of unfinished parts included.
    pub done: AtomicU64,
    /// Bytes that came through the network.
    pub received: AtomicU64,
}

/// One file under way.
#[derive(Debug)]
pub struct Job {
    pub shared: Arc<Shared>,
    pub content: RemoteContent,
    pub file: Arc<PartFile>,
    queue: Mutex<BTreeSet<u64>>,
    /// Parts that more than one connection brought: they are looked at first if the checksum is wrong.
    suspects: Mutex<BTreeSet<u64>>,
    /// One connection reads the whole file, because the server knows no ranges.
    sequential: tokio::sync::Mutex<()>,
    pub ignores_ranges: AtomicBool,
}

/// Ends the thread that follows the parts when nobody waits for it any more.
struct StopOnDrop(Arc<PartFile>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Puts one file into a folder, whole and verified. What is there already is used.
pub async fn download_file(
    shared: Arc<Shared>,
    content: RemoteContent,
    target: &Path,
) -> Result<(), HubError> {
    let name = content.file().path.clone();
    let hash = content
        .file()
        .hash
        .clone()
        .ok_or(HubError::Unverifiable { file: name.clone() })?;
    let (bytes, part_bytes) = (content.file().bytes, content.hub().options().part_bytes);
    let path = target.to_owned();
    let file = on_disk(&name, move || PartFile::open(&path, bytes, part_bytes)).await?;
    let job = Arc::new(Job {
        shared,
        content,
        file: Arc::new(file),
        queue: Mutex::default(),
        suspects: Mutex::default(),
        sequential: tokio::sync::Mutex::default(),
        ignores_ranges: AtomicBool::new(false),
    });
    job.count(job.file.done_bytes());
    for _ in 0..MOST_ROUNDS {
        let whole = job.fetch_and_verify(&hash).await? || job.mend(&hash).await?;
        if whole {
            let file = job.file.clone();
            return on_disk(&name, move || file.complete()).await;
        }
    }
    Err(HubError::WrongContent { file: name })
}

/// Runs what waits for the disk where nobody waits for the thread.
pub async fn on_disk<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, HubError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error.to_string())))
        .map_err(|error| HubError::from_io(name, &error))
}

fn lock(set: &Mutex<BTreeSet<u64>>) -> MutexGuard<'_, BTreeSet<u64>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    pub fn name(&self) -> &str {
        &self.content.file().path
    }

    fn count(&self, bytes: u64) {
        self.shared.done.fetch_add(bytes, Ordering::Relaxed);
    }

    fn uncount(&self, bytes: u64) {
        self.shared.done.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Makes parts missing again.
    pub async fn forget(&self, parts: Vec<u64>) -> Result<(), HubError> {
        let bytes: u64 = parts
            .iter()
            .filter(|index| self.file.is_done(**index))
            .map(|index| self.file.range(*index))
            .map(|(from, to)| to - from)
            .sum();
        let file = self.file.clone();
        on_disk(self.name(), move || file.forget(&parts)).await?;
        self.uncount(bytes);
        Ok(())
    }

    pub fn suspects(&self) -> BTreeSet<u64> {
        lock(&self.suspects).clone()
    }

    async fn fetch_and_verify(self: &Arc<Self>, hash: &Hash) -> Result<bool, HubError> {
        self.file.go_on();
        let stop = StopOnDrop(self.file.clone());
        let (file, hash) = (self.file.clone(), hash.clone());
        let following = tokio::task::spawn_blocking(move || file.verify(&hash));
        self.fetch_missing().await?;
        let verified = following
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error.to_string())))
            .map_err(|error| HubError::from_io(self.name(), &error))?;
        drop(stop);
        Ok(verified == Some(true))
    }

    pub async fn verify(&self, hash: &Hash) -> Result<bool, HubError> {
        self.file.go_on();
        // Whoever pauses the download meanwhile does not wait for gigabytes to be read.
        let stop = StopOnDrop(self.file.clone());
        let (file, hash) = (self.file.clone(), hash.clone());
        let verified = on_disk(self.name(), move || file.verify(&hash)).await?;
        drop(stop);
        Ok(verified == Some(true))
    }

    /// Loads all parts that are not there.
    async fn fetch_missing(self: &Arc<Self>) -> Result<(), HubError> {
        *lock(&self.queue) = self.file.missing().into_iter().collect();
        let options = self.content.hub().options();
        let parts = lock(&self.queue).len();
        let mut workers = JoinSet::new();
        for _ in 0..parts.min(options.connections.max(1)) {
            let job = self.clone();
            workers.spawn(async move { job.work().await });
        }
        // Dropping the set ends the others.
        while let Some(ended) = workers.join_next().await {
            ended.unwrap_or_else(|error| {
                Err(HubError::Disk {
                    file: self.name().to_owned(),
                    detail: error.to_string(),
                })
            })?;
        }
        if self.file.missing().is_empty() {
            Ok(())
        } else {
            Err(HubError::BadAnswer {
                host: self.content.hub().host(),
                detail: format!("parts of {} were left out", self.name()),
            })
        }
    }

    async fn work(&self) -> Result<(), HubError> {
        loop {
            let Ok(_connection) = self.shared.connections.acquire().await else {
                return Ok(());
            };
            let Some(run) = self.take_run() else {
                return Ok(());
            };
            self.fetch_run(run).await?;
        }
    }

    /// The first missing parts that follow each other; fewer towards the end, so that no connection is left alone with much
    /// and the checksum, which needs the parts in order, is not far behind the last of them.
    fn take_run(&self) -> Option<Range<u64>> {
        let options = self.content.hub().options();
        let mut queue = lock(&self.queue);
        let share = queue.len() as u64 / (2 * options.connections.max(1) as u64);
        let most = share.clamp(1, options.run_parts.max(1));
        let first = queue.pop_first()?;
        let mut end = first + 1;
        while end - first < most && queue.remove(&end) {
            end += 1;
        }
        Some(first..end)
    }

    async fn fetch_run(&self, run: Range<u64>) -> Result<(), HubError> {
        let options = self.content.hub().options();
        let mut patience = Patience::new(options);
        let mut writer = PartWriter::new(&self.file, self.name(), self.file.range(run.start).0);
        let mut seen = self.shared.done.load(Ordering::Relaxed);
        loop {
            let error = match self.fetch_once(&run, &mut writer).await {
                Ok(true) => return writer.write_all().await,
                Ok(false) => continue,
                Err(error) => error,
            };
            // What came stays; the next connection goes on behind it.
            writer.write_all().await?;
            if writer.in_part() > 0 {
                lock(&self.suspects).insert(self.file.part_of(writer.position()));
            }
            // Bytes that came once more are no progress.
            let now = self.shared.done.load(Ordering::Relaxed);
            let attempts = patience.attempts();
            patience
                .wait(error, now > seen)
                .await
                .map_err(|error| match error {
                    HubError::Unreachable { .. } | HubError::Stalled { .. } => {
                        HubError::NoProgress {
                            file: self.name().to_owned(),
                            attempts,
                            detail: error.to_string().trim_end_matches('.').to_owned(),
                        }
                    }
                    other => other,
                })?;
            seen = now;
        }
    }

    /// One connection. False: ask again at once.
    async fn fetch_once(
        &self,
        run: &Range<u64>,
        writer: &mut PartWriter,
    ) -> Result<bool, HubError> {
        let end = self.file.range(run.end - 1).1;
        if writer.position() >= end {
            return Ok(true);
        }
        let body = self.content.open(writer.position(), end).await?;
        if body.whole {
            return self.fetch_whole(run, body).await;
        }
        self.stream(body, writer, end).await?;
        Ok(true)
    }

    /// Reads until `end`.
    async fn stream(
        &self,
        mut body: Body,
        writer: &mut PartWriter,
        end: u64,
    ) -> Result<(), HubError> {
        while writer.position() < end {
            let Some(mut bytes) = body.next().await? else {
                return Err(HubError::Unreachable {
                    host: body.host(),
                    detail: "it ended the answer too early".to_owned(),
                });
            };
            // A server that sends more than was asked for is not believed.
            bytes.truncate((end - writer.position()) as usize);
            self.shared
                .received
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            self.shared.throttle.pass(bytes.len() as u64).await;
            self.count(writer.take(bytes));
            writer.write_some().await?;
        }
        Ok(())
    }

    /// The server sends the whole file whatever it is asked for: one connection takes it, the others wait.
    async fn fetch_whole(&self, run: &Range<u64>, body: Body) -> Result<bool, HubError> {
        self.ignores_ranges.store(true, Ordering::Relaxed);
        let done = || run.clone().all(|index| self.file.is_done(index));
        let Ok(_turn) = self.sequential.try_lock() else {
            drop(body);
            drop(self.sequential.lock().await);
            return Ok(done());
        };
        if done() {
            return Ok(true);
        }
        lock(&self.queue).clear();
        let mut writer = PartWriter::new(&self.file, self.name(), 0);
        let streamed = self.stream(body, &mut writer, self.file.bytes()).await;
        // The next attempt begins at the file's start: of a part that is not whole, nothing can be used.
        self.uncount(writer.in_part());
        writer.write_all().await?;
        if streamed.is_err() {
            // Somebody has to go on with what was taken from the queue.
            lock(&self.queue).extend(self.file.missing());
        }
        streamed.map(|()| done())
    }
}
