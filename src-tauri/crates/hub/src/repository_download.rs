//! All files of a model into its folder: prepared beside it, put in place when every one of them is verified.
//!
//! Outside: which files those are (`preflight`), and the list of downloads (`downloads`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fs4::FileExt;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::fetch::RemoteContent;
use crate::file_download::{Shared, download_file, on_disk};
use crate::manifest::{Folders, Manifest};
use crate::models_folder::ModelsFolder;
use crate::part_file::{self, is_file};
use crate::settle::settle;
use crate::system_start::this_start;
use crate::{Hub, HubError, Plan, RemoteFile, Throttle, disk};

/// Files under way at the same time: while the last parts of one come and are verified, the next has begun.
const FILES_AT_ONCE: usize = 3;
/// Room that a download leaves on the disk.
const SPARE_BYTES: u64 = 64 << 20;

/// How far a download is; read from anywhere while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    shared: std::sync::OnceLock<Arc<Shared>>,
    /// Bytes of files that were there before.
    present: AtomicU64,
}

impl Progress {
    /// Bytes that are here; 0 before the download knows.
    #[must_use]
    pub fn done_bytes(&self) -> u64 {
        let loaded = self
            .shared
            .get()
            .map_or(0, |shared| shared.done.load(Ordering::Relaxed));
        self.present.load(Ordering::Relaxed) + loaded
    }

    /// Whether it has begun to look at files, so that [`Self::done_bytes`] means something.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.shared.get().is_some()
    }

    /// Bytes of weights and other files that came through the network.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.shared
            .get()
            .map_or(0, |shared| shared.received.load(Ordering::Relaxed))
    }
}

/// Downloads a model into `<models>/<owner>/<name>`; dropping the future pauses it, calling this again goes on.
/// Returns the path of the model.
///
/// # Errors
/// Why it stopped; what came stays.
pub async fn download_repository(
    hub: &Hub,
    plan: &Plan,
    models: &ModelsFolder,
    throttle: Arc<Throttle>,
    progress: &Progress,
) -> Result<PathBuf, HubError> {
    let folders = plan.folders(models.path());
    let (manifest, owner) = {
        let (plan, folders, endpoint) = (plan.clone(), folders.clone(), hub.page(""));
        let name = plan.repository.clone();
        tokio::task::spawn_blocking(move || prepare(&plan, &folders, &endpoint))
            .await
            .unwrap_or_else(|error| {
                Err(HubError::Disk {
                    file: name,
                    detail: error.to_string(),
                })
            })?
    };
    let wanted = {
        let (plan, folders) = (plan.clone(), folders.clone());
        on_disk(&plan.repository.clone(), move || {
            Ok(plan
                .files
                .into_iter()
                .filter(|file| folders.verified(file).is_none())
                .collect::<Vec<_>>())
        })
        .await?
    };
    let wanted_bytes: u64 = wanted.iter().map(|file| file.bytes).sum();
    progress
        .present
        .store(plan.bytes() - wanted_bytes, Ordering::Relaxed);
    check_room(hub, plan, models.path()).await?;
    let shared = Arc::new(Shared {
        throttle,
        connections: Semaphore::new(hub.options().connections.clamp(1, 32)),
        done: AtomicU64::new(0),
        received: AtomicU64::new(0),
    });
    // A progress is of one run.
    let _ = progress.shared.set(shared.clone());
    stream::iter(order(wanted))
        .map(|file| {
            let content = RemoteContent::new(hub, &plan.repository, &plan.commit, &file);
            let target = folders.partial.join(&file.path);
            let shared = shared.clone();
            async move { download_file(shared, content, &target).await }
        })
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect::<()>()
        .await?;
    let whole = folders.whole.clone();
    let folder = models.clone();
    on_disk(&plan.repository, move || {
        // A folder with an open file in it cannot be renamed everywhere.
        drop(owner);
        put_in_place(&folder, &folders, &manifest)
    })
    .await?;
    let folder = models.clone();
    // Nobody has to wait for this; if the program ends before it is done, it is done at the next start.
    tokio::task::spawn_blocking(move || {
        if let Err(error) = settle(&folder, &whole) {
            tracing::warn!(%error, "the downloaded files could not be brought to the disk");
        }
    });
    Ok(plan.model_path(models.path()))
}

/// Small files first, so that what is wrong with the repository shows at once; then the weights in their order.
fn order(mut files: Vec<RemoteFile>) -> Vec<RemoteFile> {
    files.sort_by(|a, b| {
        let large = |file: &RemoteFile| file.bytes > 64 << 20;
        (large(a), &a.path).cmp(&(large(b), &b.path))
    });
    files
}

/// Takes the folder for this process, and throws away what is on its way of other versions of the files.
fn prepare(
    plan: &Plan,
    folders: &Folders,
    endpoint: &str,
) -> Result<(Manifest, std::fs::File), HubError> {
    let name = &plan.repository;
    let io = |error: std::io::Error| HubError::from_io(name, &error);
    if let Some(file) = plan.files.iter().find(|file| file.hash.is_none()) {
        return Err(HubError::Unverifiable {
            file: file.path.clone(),
        });
    }
    std::fs::create_dir_all(&folders.partial).map_err(io)?;
    let owner = std::fs::File::create(folders.partial.join(".owner")).map_err(io)?;
    let mut patience = 0;
    while FileExt::try_lock(&owner).is_err() {
        // A run that was paused a moment ago may not have let go yet.
        patience += 1;
        if patience > 20 {
            return Err(HubError::Busy {
                repository: name.clone(),
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let before = Manifest::read(&folders.partial);
    // What was verified before the system was started anew may not have reached the disk.
    let same_start = before
        .as_ref()
        .is_some_and(|manifest| manifest.unsettled.is_some() && manifest.unsettled == this_start());
    for file in &plan.files {
        let target = folders.partial.join(&file.path);
        let known = before
            .as_ref()
            .and_then(|manifest| manifest.file(&file.path))
            == Some(file);
        let sound = || {
            file.hash
                .as_ref()
                .is_some_and(|hash| is_file(&target, file.bytes, hash))
        };
        if !known || (!same_start && target.is_file() && !sound()) {
            let _ = std::fs::remove_file(&target);
        }
        if !known {
            part_file::remove_parts(&target);
        }
    }
    let manifest = Manifest::new(endpoint, plan);
    manifest.write(&folders.partial).map_err(io)?;
    Ok((manifest, owner))
}

async fn check_room(hub: &Hub, plan: &Plan, models: &Path) -> Result<(), HubError> {
    let (plan, models, part_bytes) = (plan.clone(), models.to_owned(), hub.options().part_bytes);
    let name = plan.repository.clone();
    let (needed_bytes, free_bytes) = on_disk(&name, move || {
        let present = plan.present_bytes(&models, part_bytes);
        Ok((
            plan.bytes().saturating_sub(present),
            disk::free_bytes(&models),
        ))
    })
    .await?;
    match free_bytes {
        Some(free_bytes)
            if needed_bytes > 0
                && needed_bytes + SPARE_BYTES.min(needed_bytes / 8) > free_bytes =>
        {
            Err(HubError::DiskTooSmall {
                needed_bytes,
                free_bytes,
            })
        }
        _ => Ok(()),
    }
}

/// Everything is verified. A new model's folder appears at once; files for a folder that is there are moved into it, the
/// manifest last. Blocks.
fn put_in_place(
    models: &ModelsFolder,
    folders: &Folders,
    manifest: &Manifest,
) -> std::io::Result<()> {
    // A file that is there only while somebody writes; one that cannot be removed harms nobody.
    let _ = std::fs::remove_file(folders.partial.join(".owner"));
    if !folders.whole.exists() {
        return std::fs::rename(&folders.partial, &folders.whole);
    }
    for file in &manifest.files {
        let (from, to) = (
            folders.partial.join(&file.path),
            folders.whole.join(&file.path),
        );
        if !from.is_file() {
            continue;
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::rename(from, to)?;
    }
    let mut whole = manifest.clone();
    let _turn = models.changing_manifests();
    if let Some(before) = Manifest::read(&folders.whole) {
        let kept = before.files.into_iter().filter(|file| {
            manifest.file(&file.path).is_none() && folders.whole.join(&file.path).is_file()
        });
        whole.files.extend(kept);
    }
    whole.write(&folders.whole)?;
    std::fs::remove_dir_all(&folders.partial)
}

/// Files of the model's folder that nobody has a checksum of but that are what is wanted: they came another way.
/// Their checksums are noted, so that they need not be loaded. Blocks.
pub(crate) fn adopt(plan: &Plan, models: &Path, endpoint: &str) {
    let folders = plan.folders(models);
    if !folders.whole.is_dir() || Manifest::read(&folders.whole).is_some() {
        return;
    }
    let there: Vec<RemoteFile> = plan
        .files
        .iter()
        .filter(|file| {
            file.hash
                .as_ref()
                .is_some_and(|hash| is_file(&folders.whole.join(&file.path), file.bytes, hash))
        })
        .cloned()
        .collect();
    if there.is_empty() {
        return;
    }
    let mut manifest = Manifest::new(endpoint, plan);
    manifest.files = there;
    if let Err(error) = manifest.write(&folders.whole) {
        tracing::warn!(%error, "what is in the model's folder could not be noted");
    }
}
