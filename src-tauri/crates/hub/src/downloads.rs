//! The owner of all downloads: one repository at a time, kept over restarts, told to whoever watches.
//!
//! Outside: how one repository is downloaded (`repository_download`), and the list of models that a finished one joins.
//!
//! After a restart every unfinished download is there, paused: no connection is opened that nobody asked for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use paddock_conversation::{Failure, ModelId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::download::SpeedMeter;
use crate::models_folder::ModelsFolder;
use crate::queue_file::{KeptItem, Pending, QueueFile};
use crate::settle::settle_all;
use crate::{
    Download, DownloadState, Hub, HubError, HubOptions, Plan, Progress, Throttle,
    download_repository,
};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(250);

/// Called when a model is in its place, before the download counts as done: it joins the list of models.
pub type Arrived =
    Arc<dyn Fn(PathBuf) -> BoxFuture<'static, Result<ModelId, Failure>> + Send + Sync>;

/// All downloads into one models folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Downloads(Arc<Inner>);

struct Inner {
    models: ModelsFolder,
    kept: QueueFile,
    throttle: Arc<Throttle>,
    arrived: Arrived,
    items: Mutex<Vec<Item>>,
    list: watch::Sender<Vec<Download>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Downloads")
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Item {
    id: String,
    plan: Plan,
    state: DownloadState,
    /// None after a restart, until it is resumed.
    hub: Option<Hub>,
    /// Bytes that were here when it last stopped.
    kept_bytes: u64,
    progress: Arc<Progress>,
    cancel: CancellationToken,
    speed: SpeedMeter,
}

fn id_of(plan: &Plan) -> String {
    match &plan.model_file {
        Some(file) => format!("{}/{file}", plan.repository),
        None => plan.repository.clone(),
    }
}

impl Downloads {
    /// Reads what was unfinished when the program ended; nothing starts. Must be called inside a tokio runtime. Blocks
    /// for a small file.
    #[must_use]
    pub fn open(models: &Path, throttle: Arc<Throttle>, arrived: Arrived) -> Self {
        let file = QueueFile::of(models);
        let part_bytes = HubOptions::default().part_bytes;
        let items = file
            .read()
            .into_iter()
            .map(|kept| Item {
                kept_bytes: kept.plan.present_bytes(models, part_bytes),
                state: kept.failure.map_or(DownloadState::Paused, |failure| {
                    DownloadState::Failed { failure }
                }),
                ..Item::new(kept.plan)
            })
            .collect();
        let downloads = Self(Arc::new(Inner {
            models: ModelsFolder::new(models),
            kept: file,
            throttle,
            arrived,
            items: Mutex::new(items),
            list: watch::Sender::new(Vec::new()),
        }));
        downloads.publish();
        downloads.look_after();
        downloads
    }

    /// Looks after models that the last run did not bring to the disk, where nobody waits for it.
    fn look_after(&self) {
        let downloads = self.clone();
        tokio::task::spawn_blocking(move || {
            for plan in settle_all(&downloads.0.models) {
                let error = HubError::Damaged {
                    repository: plan.repository.clone(),
                };
                let pending = {
                    let mut items = downloads.items();
                    if !items.iter().any(|item| item.id == id_of(&plan)) {
                        items.push(Item {
                            state: DownloadState::Failed {
                                failure: error.failure(),
                            },
                            ..Item::new(plan)
                        });
                    }
                    downloads.pending(&items)
                };
                downloads.write(&pending);
                downloads.publish();
            }
        });
    }

    /// The list as it is.
    #[must_use]
    pub fn list(&self) -> Vec<Download> {
        self.0.list.borrow().clone()
    }

    /// The list after every change, about four times a second while bytes come.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Vec<Download>> {
        self.0.list.subscribe()
    }

    fn items(&self) -> MutexGuard<'_, Vec<Item>> {
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a download, or resumes the one that is there; the rest of the queue comes first. Returns its id.
    pub async fn start(&self, hub: &Hub, plan: Plan) -> String {
        let id = id_of(&plan);
        let pending = {
            let mut items = self.items();
            match items.iter_mut().find(|item| item.id == id) {
                // Under way: nothing to do.
                Some(item) if item.is_active() => {}
                Some(item) => {
                    item.plan = plan;
                    item.wait_for(hub);
                }
                None => {
                    let mut item = Item::new(plan);
                    item.wait_for(hub);
                    items.push(item);
                }
            }
            self.pending(&items)
        };
        self.go_on();
        self.keep(pending).await;
        id
    }

    /// Stops a download; what came stays.
    ///
    /// # Errors
    /// There is no such download.
    pub async fn pause(&self, id: &str) -> Result<(), HubError> {
        let pending = {
            let mut items = self.items();
            let item = find(&mut items, id)?;
            if item.is_active() {
                item.stop();
                item.state = DownloadState::Paused;
            }
            self.pending(&items)
        };
        self.go_on();
        self.keep(pending).await;
        Ok(())
    }

    /// Goes on with a paused or failed download.
    ///
    /// # Errors
    /// There is no such download.
    pub async fn resume(&self, id: &str, hub: &Hub) -> Result<(), HubError> {
        let pending = {
            let mut items = self.items();
            let item = find(&mut items, id)?;
            if matches!(
                item.state,
                DownloadState::Paused | DownloadState::Failed { .. }
            ) {
                item.wait_for(hub);
            }
            self.pending(&items)
        };
        self.go_on();
        self.keep(pending).await;
        Ok(())
    }

    /// Takes a download out of the list, and what came of it off the disk; a model that is whole stays.
    ///
    /// # Errors
    /// There is no such download.
    pub async fn remove(&self, id: &str) -> Result<(), HubError> {
        let (pending, unfinished) = {
            let mut items = self.items();
            let item = find(&mut items, id)?;
            let done = matches!(item.state, DownloadState::Done { .. });
            item.stop();
            let unfinished = (!done).then(|| item.plan.clone());
            items.retain(|item| item.id != id);
            (self.pending(&items), unfinished)
        };
        if let Some(plan) = unfinished {
            let models = self.0.models.clone();
            let discarded = tokio::task::spawn_blocking(move || plan.discard(models.path()))
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error.to_string())));
            if let Err(error) = discarded {
                tracing::warn!(%error, id, "the unfinished files could not be removed");
            }
        }
        self.go_on();
        self.keep(pending).await;
        Ok(())
    }

    /// Starts the next one that waits, if none is running, and tells the list.
    fn go_on(&self) {
        {
            let mut items = self.items();
            let running = items.iter().any(|item| {
                matches!(
                    item.state,
                    DownloadState::Running | DownloadState::Verifying
                )
            });
            if !running
                && let Some(item) = items
                    .iter_mut()
                    .find(|item| item.state == DownloadState::Waiting)
                && let Some(hub) = item.hub.clone()
            {
                item.state = DownloadState::Running;
                item.progress = Arc::default();
                item.speed = SpeedMeter::default();
                item.cancel = CancellationToken::new();
                self.run(item, hub);
            }
        }
        self.publish();
    }

    fn run(&self, item: &Item, hub: Hub) {
        let (id, plan) = (item.id.clone(), item.plan.clone());
        let (progress, cancel) = (item.progress.clone(), item.cancel.clone());
        let downloads = self.clone();
        let ticking = cancel.clone();
        tokio::spawn(tick(Arc::downgrade(&self.0), ticking));
        tokio::spawn(async move {
            let inner = &downloads.0;
            let work = async {
                let throttle = inner.throttle.clone();
                let path = download_repository(&hub, &plan, &inner.models, throttle, &progress)
                    .await
                    .map_err(|error| error.failure())?;
                (inner.arrived)(path).await
            };
            let ended = tokio::select! {
                ended = work => ended,
                () = cancel.cancelled() => return,
            };
            cancel.cancel();
            downloads.ended(&id, &progress, ended).await;
        });
    }

    async fn ended(&self, id: &str, progress: &Arc<Progress>, ended: Result<ModelId, Failure>) {
        if let Err(failure) = &ended {
            tracing::warn!(code = %failure.code, message = %failure.message, id, "a download stopped");
        }
        let pending = {
            let mut items = self.items();
            let run = items
                .iter_mut()
                // It may have been paused and resumed in this very moment.
                .find(|item| item.id == id && Arc::ptr_eq(&item.progress, progress));
            if let Some(item) = run {
                item.remember();
                item.state = match ended {
                    Ok(model) => DownloadState::Done { model },
                    Err(failure) => DownloadState::Failed { failure },
                };
            }
            self.pending(&items)
        };
        // Whoever is told that it ended finds it so after a restart, too.
        self.keep(pending).await;
        self.go_on();
    }

    /// Writes the list down where nobody waits for the thread; back when it is on the disk.
    async fn keep(&self, pending: Pending) {
        let downloads = self.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || downloads.write(&pending)).await {
            tracing::warn!(%error, "the list of downloads could not be kept");
        }
    }

    /// What cannot be kept is not worth stopping a download for. Blocks.
    fn write(&self, pending: &Pending) {
        if let Err(error) = self.0.kept.write(pending) {
            tracing::warn!(%error, "the list of downloads could not be kept");
        }
    }

    /// The list as it is to be kept; the caller holds the items.
    fn pending(&self, items: &[Item]) -> Pending {
        let downloads = items
            .iter()
            .filter_map(|item| {
                let failure = match &item.state {
                    DownloadState::Done { .. } => return None,
                    DownloadState::Failed { failure } => Some(failure.clone()),
                    _ => None,
                };
                Some(KeptItem {
                    plan: item.plan.clone(),
                    failure,
                })
            })
            .collect();
        self.0.kept.pending(downloads)
    }

    fn publish(&self) {
        let list: Vec<Download> = self.items().iter_mut().map(Item::line).collect();
        self.0.list.send_if_modified(|before| {
            let changed = *before != list;
            *before = list;
            changed
        });
    }
}

async fn tick(downloads: Weak<Inner>, until: CancellationToken) {
    while until
        .run_until_cancelled(tokio::time::sleep(TICK))
        .await
        .is_some()
    {
        let Some(inner) = downloads.upgrade() else {
            return;
        };
        Downloads(inner).publish();
    }
}

fn find<'a>(items: &'a mut [Item], id: &str) -> Result<&'a mut Item, HubError> {
    items
        .iter_mut()
        .find(|item| item.id == id)
        .ok_or_else(|| HubError::NoDownload { id: id.to_owned() })
}

impl Item {
    fn new(plan: Plan) -> Self {
        Self {
            id: id_of(&plan),
            plan,
            state: DownloadState::Waiting,
            hub: None,
            kept_bytes: 0,
            progress: Arc::default(),
            cancel: CancellationToken::new(),
            speed: SpeedMeter::default(),
        }
    }

    fn is_active(&self) -> bool {
        matches!(
            self.state,
            DownloadState::Waiting | DownloadState::Running | DownloadState::Verifying
        )
    }

    fn wait_for(&mut self, hub: &Hub) {
        self.hub = Some(hub.clone());
        self.state = DownloadState::Waiting;
    }

    fn stop(&mut self) {
        self.cancel.cancel();
        self.remember();
    }

    fn remember(&mut self) {
        if self.progress.begun() {
            self.kept_bytes = self.progress.done_bytes().min(self.plan.bytes());
        }
    }

    fn line(&mut self) -> Download {
        let total = self.plan.bytes();
        let running = matches!(
            self.state,
            DownloadState::Running | DownloadState::Verifying
        );
        let done = if running && self.progress.begun() {
            self.progress.done_bytes().min(total)
        } else {
            self.kept_bytes.min(total)
        };
        let mut speed = 0;
        if running && self.progress.begun() {
            speed = self.speed.note(Instant::now(), done);
            self.state = if done == total {
                DownloadState::Verifying
            } else {
                DownloadState::Running
            };
        }
        Download {
            id: self.id.clone(),
            repository: self.plan.repository.clone(),
            bytes_done: if matches!(self.state, DownloadState::Done { .. }) {
                total
            } else {
                done
            },
            bytes_total: total,
            bytes_per_second: speed,
            seconds_left: (running && speed > 0).then(|| (total - done).div_ceil(speed)),
            state: self.state.clone(),
        }
    }
}
