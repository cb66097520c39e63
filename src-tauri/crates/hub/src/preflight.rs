//! Everything worth knowing before a download: which files the engine needs, whether it will run, whether there is room,
//! whose licence it is.
//!
//! Outside: whether it fits into memory (`models::fit`, with the checkpoint that is read here), the download.

use std::path::Path;

use paddock_checkpoint::{Checkpoint, Depth, Form, Vision, inspect_source, names};
use paddock_conversation::{Failure, ModelId, byte_size};
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::repository_download::adopt;
use crate::{Gate, Hub, HubError, Plan, Reference, RemoteFile, RemoteFiles, Repository, disk};

/// One file that would be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct PreflightFile {
    pub path: String,
    #[specta(type = u32)]
    pub bytes: u64,
}

/// What is known of a repository before its download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// `owner/name`.
    pub repository: String,
    /// The commit that would be downloaded.
    pub revision: String,
    pub gate: Gate,
    /// As the model card names it: `apache-2.0`, `llama4`.
    pub licence: Option<String>,
    pub files: Vec<PreflightFile>,
    /// Sum of the files.
    #[specta(type = u32)]
    pub bytes: u64,
    /// How many of them are here already.
    #[specta(type = u32)]
    pub present_bytes: u64,
    /// Free on the disk of the models folder; 0 if the system does not tell.
    #[specta(type = u32)]
    pub free_bytes: u64,
    pub has_token: bool,
    /// Sentences worth reading.
    pub notes: Vec<String>,
    /// Why it cannot be downloaded or run.
    pub problem: Option<Failure>,
    /// The model, if it is here already.
    pub on_disk: Option<ModelId>,
    /// Where it would come from.
    pub host: String,
}

/// A preflight with what it was made from.
#[derive(Debug, Clone)]
pub struct Survey {
    pub preflight: Preflight,
    pub plan: Plan,
    /// None if it could not be read; then `preflight.problem` says why.
    pub checkpoint: Option<Checkpoint>,
}

/// What a repository's headers tell, without its weights.
///
/// # Errors
/// The Hub refuses or cannot be reached (the inner error: its files are no model that can be read).
pub async fn remote_checkpoint(
    hub: &Hub,
    reference: &Reference,
) -> Result<Result<Checkpoint, Failure>, HubError> {
    let repository = hub.repository(reference).await?;
    let reference = &with_file(reference, &repository)?;
    read(hub, reference, &repository, Depth::Headers).await
}

/// With the file that a tag (`owner/name:Q4_K_M`) means.
fn with_file(reference: &Reference, repository: &Repository) -> Result<Reference, HubError> {
    let mut reference = reference.clone();
    if let Some(tag) = &reference.tag {
        reference.file =
            Some(
                tagged(&repository.files, tag).ok_or_else(|| HubError::FileNotFound {
                    repository: repository.name.clone(),
                    file: format!("*{tag}*.gguf"),
                })?,
            );
    }
    Ok(reference)
}

/// The GGUF model that a tag names: of several, the one with the shortest name.
fn tagged(files: &[RemoteFile], tag: &str) -> Option<String> {
    names::gguf_models(files.iter().map(|file| file.path.as_str()))
        .into_iter()
        .filter(|path| names::has_tag(path, tag))
        .min_by_key(|path| path.len())
        .map(str::to_owned)
}

async fn read(
    hub: &Hub,
    reference: &Reference,
    repository: &Repository,
    depth: Depth,
) -> Result<Result<Checkpoint, Failure>, HubError> {
    let file = reference.file.as_deref();
    if let Some(file) = file
        && !repository.files.iter().any(|found| found.path == file)
    {
        return Err(HubError::FileNotFound {
            repository: repository.name.clone(),
            file: file.to_owned(),
        });
    }
    // A file of a safetensors model names the whole model.
    let gguf = file.filter(|file| names::is_gguf(file));
    if gguf.is_none()
        && let Some(files) = several_models(&repository.files)
    {
        return Err(HubError::SeveralModels {
            repository: repository.name.clone(),
            files,
        });
    }
    let source = RemoteFiles::new(hub, repository);
    if gguf.is_none() {
        source.read_ahead().await;
    }
    let name = match gguf {
        Some(file) => file.rsplit('/').next().unwrap_or(file),
        None => repository.name.rsplit('/').next().unwrap_or_default(),
    };
    match inspect_source(&source, name, gguf, depth).await {
        Ok(checkpoint) => Ok(Ok(checkpoint)),
        Err(error) => match source.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(Err(error.failure())),
        },
    }
}

/// Looks at everything. A repository that exists and cannot be used is no error: see [`Preflight::problem`].
///
/// # Errors
/// The repository does not exist, or the Hub cannot be reached.
pub async fn survey(hub: &Hub, reference: &Reference, models: &Path) -> Result<Survey, HubError> {
    let repository = hub.repository(reference).await?;
    let reference = &with_file(reference, &repository)?;
    let mut problem = None;
    let mut notes = Vec::new();
    let checkpoint = match read(hub, reference, &repository, Depth::SmallFiles).await {
        Ok(Ok(checkpoint)) => Some(checkpoint),
        Ok(Err(failure)) => {
            problem = Some(failure);
            None
        }
        Err(
            error @ (HubError::Gated { .. }
            | HubError::SeveralModels { .. }
            | HubError::TokenUnreadable { .. }
            | HubError::BadToken { .. }),
        ) => {
            problem = Some(error.failure());
            None
        }
        Err(error) => return Err(error),
    };
    if let Some(checkpoint) = &checkpoint {
        problem = problem.or_else(|| checkpoint.blocking.clone());
        notes.extend(checkpoint.notes.iter().map(ToString::to_string));
        if let Vision::Unsupported { why } = &checkpoint.vision {
            notes.push(format!("Pictures are not possible: {why}."));
        }
    }
    let plan = plan(&repository, reference, checkpoint.as_ref());
    if let Some(file) = plan.files.iter().find(|file| file.hash.is_none()) {
        let error = HubError::Unverifiable {
            file: file.path.clone(),
        };
        problem.get_or_insert(error.failure());
    }
    let all = repository
        .files
        .iter()
        .map(|file| file.bytes)
        .fold(0, u64::saturating_add);
    let left = all.saturating_sub(plan.bytes());
    if checkpoint.is_some() && left > 1_000_000_000 {
        notes.push(format!(
            "{} of other files in the repository are not needed and stay there.",
            byte_size(left)
        ));
    }
    let (on_disk, present_bytes, free_bytes) = on_this_disk(hub, &plan, models).await;
    let needed_bytes = plan.bytes().saturating_sub(present_bytes);
    if let Some(free_bytes) = free_bytes
        && needed_bytes > free_bytes
    {
        let error = HubError::DiskTooSmall {
            needed_bytes,
            free_bytes,
        };
        problem.get_or_insert(error.failure());
    }
    let listed = |file: &RemoteFile| PreflightFile {
        path: file.path.clone(),
        bytes: file.bytes,
    };
    let preflight = Preflight {
        repository: repository.name,
        revision: repository.commit,
        gate: repository.gate,
        licence: repository.licence,
        files: plan.files.iter().map(listed).collect(),
        bytes: plan.bytes(),
        present_bytes,
        free_bytes: free_bytes.unwrap_or(0),
        has_token: hub.options().token.is_some(),
        notes,
        problem,
        on_disk,
        host: hub.host(),
    };
    Ok(Survey {
        preflight,
        plan,
        checkpoint,
    })
}

async fn on_this_disk(
    hub: &Hub,
    plan: &Plan,
    models: &Path,
) -> (Option<ModelId>, u64, Option<u64>) {
    let (plan, models) = (plan.clone(), models.to_owned());
    let (part_bytes, endpoint) = (hub.options().part_bytes, hub.page(""));
    let looked = tokio::task::spawn_blocking(move || {
        adopt(&plan, &models, &endpoint);
        let here = !plan.files.is_empty() && plan.is_here(&models);
        (
            here.then(|| plan.model_id(&models)),
            plan.present_bytes(&models, part_bytes),
            disk::free_bytes(&models),
        )
    });
    looked.await.unwrap_or((None, 0, None))
}

fn plan(repository: &Repository, reference: &Reference, checkpoint: Option<&Checkpoint>) -> Plan {
    let needed = |file: &RemoteFile| match checkpoint {
        Some(checkpoint) => checkpoint.files.iter().any(|used| used.name == file.path),
        None => looks_needed(&file.path, reference.file.as_deref()),
    };
    let mut files: Vec<RemoteFile> = repository
        .files
        .iter()
        .filter(|f| needed(f))
        .cloned()
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let gguf = checkpoint.is_some_and(|checkpoint| checkpoint.form == Form::Gguf);
    Plan {
        repository: repository.name.clone(),
        commit: repository.commit.clone(),
        licence: repository.licence.clone(),
        model_file: files.first().filter(|_| gguf).map(|file| file.path.clone()),
        files,
    }
}

/// By name only, for a repository that may not be read: so that its size can be told.
fn looks_needed(path: &str, only: Option<&str>) -> bool {
    if let Some(only) = only.filter(|only| names::is_gguf(only)) {
        return path == only;
    }
    let weights = path.ends_with(".safetensors") && !path.starts_with("consolidated");
    !path.contains('/') && (weights || path.ends_with(".json") || path.ends_with(".jinja"))
}

/// The GGUF models of a repository that has several and no other weights; parts of a split one count once.
fn several_models(files: &[RemoteFile]) -> Option<Vec<String>> {
    let has = |end: &str| files.iter().any(|file| file.path.ends_with(end));
    if has(".safetensors") && files.iter().any(|file| file.path == "config.json") {
        return None;
    }
    let models = names::gguf_models(files.iter().map(|file| file.path.as_str()));
    (models.len() > 1).then(|| models.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_model_are_one_model() {
        let files = |names: &[&str]| -> Vec<RemoteFile> {
            names
                .iter()
                .map(|name| RemoteFile {
                    path: (*name).to_owned(),
                    bytes: 1,
                    hash: None,
                })
                .collect()
        };
        let split = files(&[
            "Q8/m-00001-of-00002.gguf",
            "Q8/m-00002-of-00002.gguf",
            "mmproj-f16.gguf",
        ]);
        assert_eq!(several_models(&split), None);
        assert_eq!(
            tagged(&split, "q8").as_deref(),
            Some("Q8/m-00001-of-00002.gguf")
        );
        let two = files(&["m-Q4_K_M.gguf", "m-Q8_0.gguf"]);
        assert_eq!(tagged(&two, "Q8_0").as_deref(), Some("m-Q8_0.gguf"));
        assert_eq!(tagged(&two, "Q2_K"), None);
        assert_eq!(
            several_models(&two),
            Some(vec!["m-Q4_K_M.gguf".to_owned(), "m-Q8_0.gguf".to_owned()])
        );
        let beside = files(&["config.json", "model.safetensors", "a.gguf", "b.gguf"]);
        assert_eq!(several_models(&beside), None);
    }

    #[test]
    fn only_what_an_engine_reads_is_counted() {
        for (path, needed) in [
            ("model-00001-of-00002.safetensors", true),
            ("config.json", true),
            ("chat_template.jinja", true),
            ("original/consolidated.00.pth", false),
            ("original/params.json", false),
            ("pytorch_model.bin", false),
            ("onnx/model.onnx", false),
            ("README.md", false),
        ] {
            assert_eq!(looks_needed(path, None), needed, "{path}");
        }
    }
}
