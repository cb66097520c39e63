//! Verified files that may not be on the disk yet: a system writes later what programs write now, and a computer that
//! loses its power loses what was not written.
//!
//! Outside: verifying what came through the network.
//!
//! Waiting for the disk would make every download as slow as the disk, so a model counts when its files are verified; its
//! manifest names the system's start during which they were. Then the disk is waited for, and the name goes. If the
//! system was started anew before that, the files are verified once more.

use std::path::Path;

use fs4::FileExt;

use crate::Plan;
use crate::manifest::Manifest;
use crate::models_folder::ModelsFolder;
use crate::part_file::is_file;
use crate::system_start::this_start;

/// Waits until the files of a folder are on the disk, and notes that. Blocks.
pub fn settle(models: &ModelsFolder, folder: &Path) -> std::io::Result<()> {
    let Some(manifest) = Manifest::read(folder).filter(|manifest| manifest.unsettled.is_some())
    else {
        return Ok(());
    };
    for file in &manifest.files {
        std::fs::File::open(folder.join(&file.path))?.sync_all()?;
    }
    let _turn = models.changing_manifests();
    // Another download may have changed the folder meanwhile; it looks after it itself.
    if Manifest::read(folder).as_ref() != Some(&manifest) {
        return Ok(());
    }
    Manifest {
        unsettled: None,
        ..manifest
    }
    .write(folder)
}

/// Looks after all models that were not settled when the program ended. Those that the computer lost something of are
/// no models any more: they are downloads that go on. Blocks.
pub fn settle_all(models: &ModelsFolder) -> Vec<Plan> {
    let mut damaged = Vec::new();
    let start = this_start();
    for owner in entries(models.path()) {
        for folder in entries(&owner) {
            let hidden = folder
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let Some(manifest) = Manifest::read(&folder).filter(|_| !hidden) else {
                continue;
            };
            if manifest.unsettled.is_none() {
                continue;
            }
            let ended = if manifest.unsettled == start || is_sound(&folder, &manifest) {
                settle(models, &folder)
            } else {
                let plan = manifest.plan();
                let taken = take_back(models, &folder, &plan);
                damaged.push(plan);
                taken
            };
            if let Err(error) = ended {
                tracing::warn!(%error, "a downloaded model could not be looked after");
            }
        }
    }
    damaged
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).map_or_else(
        |_| Vec::new(),
        |entries| {
            let folders = entries.flatten().map(|entry| entry.path());
            folders.filter(|path| path.is_dir()).collect()
        },
    )
}

fn is_sound(folder: &Path, manifest: &Manifest) -> bool {
    manifest.files.iter().all(|file| {
        file.hash
            .as_ref()
            .is_some_and(|hash| is_file(&folder.join(&file.path), file.bytes, hash))
    })
}

/// Makes the model's folder the unfinished download that it is. What came of another download of the same files since
/// then is thrown away, unless that one is being written right now: then nothing is touched.
fn take_back(models: &ModelsFolder, folder: &Path, plan: &Plan) -> std::io::Result<()> {
    let _turn = models.changing_manifests();
    let partial = plan.folders(models.path()).partial;
    if let Ok(owner) = std::fs::File::open(partial.join(".owner")) {
        FileExt::try_lock(&owner).map_err(std::io::Error::from)?;
    }
    match std::fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(folder, partial)
}
