//! Which model a folder, file or repository is, read to the wanted depth.
//!
//! Outside: how each form is read (`read`), fitting it into memory, loading it.

use std::path::Path;

use futures_util::FutureExt as _;

use crate::error::CheckpointError;
use crate::read::text_files::Depth;
use crate::read::{folder, gguf_file};
use crate::source::{FileEntry, LocalFiles, ReadRange, SourceError};
use crate::summary::Checkpoint;
use crate::{names, place};

/// Reads a folder or file of this computer, with every JSON file that the engine will need.
///
/// # Errors
/// If it is no model, or a file is missing, broken or incomplete. A sound model that cannot run here is no error:
/// see [`Checkpoint::blocking`].
pub fn inspect(path: &Path) -> Result<Checkpoint, CheckpointError> {
    local(path, Depth::Everything)
}

/// As [`inspect`], without the tokenizer and other files that have no say in memory: for the planner. Only [`inspect`] tells
/// whether it can run.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_headers(path: &Path) -> Result<Checkpoint, CheckpointError> {
    local(path, Depth::Headers)
}

fn local(chosen: &Path, depth: Depth) -> Result<Checkpoint, CheckpointError> {
    let path = &place::model_path(chosen);
    let shown = path.display().to_string();
    let meta = std::fs::metadata(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            CheckpointError::NotFound {
                path: shown.clone(),
            }
        } else {
            CheckpointError::Unreadable {
                file: shown.clone(),
                source: SourceError::Io(error),
            }
        }
    })?;
    let name = place::name_of(path);
    let source = if meta.is_dir() {
        LocalFiles::folder(path)
    } else {
        LocalFiles::file(path).ok_or_else(|| CheckpointError::NoModel {
            path: shown.clone(),
            detail: "its name is not readable text".to_owned(),
        })?
    };
    let wanted = meta.is_file().then_some(name.as_str());
    // Local reads never wait for anything, so the future is done when it is first asked.
    let read = inspect_source(&source, &name, wanted, depth)
        .now_or_never()
        .unwrap_or(Err(CheckpointError::NotFound { path: shown }));
    match read {
        Err(CheckpointError::NoModel { path: place, .. })
            if let Some(inside) = place::model_below(path) =>
        {
            Err(CheckpointError::OneDeeper {
                path: place,
                inside: inside.display().to_string(),
            })
        }
        read => read,
    }
}

/// Reads a checkpoint wherever it is: headers by ranges, nothing else.
///
/// `name` is for people; `file` picks one weight file where several models lie together.
///
/// # Errors
/// As [`inspect`].
pub async fn inspect_source(
    source: &impl ReadRange,
    name: &str,
    file: Option<&str>,
    depth: Depth,
) -> Result<Checkpoint, CheckpointError> {
    let files = source
        .files()
        .await
        .map_err(|error| CheckpointError::Unreadable {
            file: source.place(),
            source: error,
        })?;
    let gguf = match file {
        Some(file) if names::is_gguf(file) => Some(file.to_owned()),
        Some(file) if file.ends_with(".safetensors") => {
            return Err(CheckpointError::NoModel {
                path: source.place(),
                detail: "a .safetensors file needs the other files of its folder".to_owned(),
            });
        }
        Some(_) => is_gguf(source, file.unwrap_or_default()).await?,
        None => only_gguf(source, &files)?,
    };
    match gguf {
        Some(file) => gguf_file::read(source, name, &file, &files).await,
        None => folder::read(source, name, &files, depth).await,
    }
}

/// A file of any other name is taken for what it begins with (Ollama's blobs have no endings).
async fn is_gguf(source: &impl ReadRange, file: &str) -> Result<Option<String>, CheckpointError> {
    let start = source
        .read(file, 0, 4)
        .await
        .map_err(|error| CheckpointError::Unreadable {
            file: file.to_owned(),
            source: error,
        })?;
    if start == b"GGUF" {
        Ok(Some(file.to_owned()))
    } else {
        Err(CheckpointError::NoModel {
            path: source.place(),
            detail: "the file is no GGUF file".to_owned(),
        })
    }
}

/// The GGUF file of a folder without `config.json`, if it has exactly one (projectors aside).
fn only_gguf(
    source: &impl ReadRange,
    files: &[FileEntry],
) -> Result<Option<String>, CheckpointError> {
    let has = |name: &str| files.iter().any(|file| file.name == name);
    let models = names::gguf_models(files.iter().map(|file| file.name.as_str()));
    let safetensors = files.iter().any(|file| file.name.ends_with(".safetensors"));
    match models.as_slice() {
        [] => Ok(None),
        _ if has("config.json") && safetensors => Ok(None),
        [one] => Ok(Some((*one).to_owned())),
        several => Err(CheckpointError::NoModel {
            path: source.place(),
            detail: format!(
                "it has {} GGUF models; choose one of the files",
                several.len()
            ),
        }),
    }
}
