//! A checkpoint: what its headers and configuration tell, and what is missing or unsupported.
//!
//! Outside: fitting it into memory (`fit`), loading it.

mod files;
mod gguf_file;
mod safetensors_folder;

use std::path::Path;

use futures_util::FutureExt as _;
use paddock_conversation::Failure;
use paddock_decode::Tiling;
use serde::{Deserialize, Serialize};

use crate::{
    CheckpointError, Family, FileEntry, LocalFiles, Quant, ReadRange, Shape, SourceError, Support,
    WeightClass, WeightGroup,
};

/// How a checkpoint is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `config.json`, tokenizer and `.safetensors` files.
    Safetensors,
    /// One `.gguf` file, or its parts.
    Gguf,
    /// mistral.rs' own quantised files beside the configuration.
    Uqff,
}

/// Whether pictures can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vision {
    /// The model takes none.
    None,
    /// Model and engine take them.
    Supported,
    /// The model takes them, but not here; a sentence's second half.
    Unsupported { why: String },
}

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Headers and configuration.
    Headers,
    /// Also the small JSON files that the engine will read: before a download.
    SmallFiles,
    /// Also every other JSON file that it will read: the tokenizer.
    Everything,
}

/// A checkpoint as its headers tell it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Name for people: the folder's or file's.
    pub name: String,
    pub form: Form,
    /// Class name of `config.json`, or `general.architecture` of a GGUF file.
    pub architecture: String,
    pub family: Family,
    pub vision: Vision,
    /// Exact number of weights; counts only floating-point and quantised tensors.
    pub parameters: u64,
    /// Bytes of the weight files.
    pub bytes: u64,
    /// Element type most of the weights have in the files: `bf16`, `Q4K`.
    pub stored: String,
    pub max_context_tokens: u32,
    /// Quantisations that make sense on load.
    pub quants: Vec<Quant>,
    pub shape: Shape,
    pub weights: Vec<WeightGroup>,
    /// How pictures become tokens; none for a model without them or of a family whose rules are not known.
    pub tiling: Option<Tiling>,
    /// Why it cannot run here, if it cannot.
    pub blocking: Option<Failure>,
    /// What else is worth knowing.
    pub notes: Vec<Failure>,
    /// The files that the engine needs.
    pub files: Vec<FileEntry>,
}

impl Checkpoint {
    /// Whether the engine can load it, as far as headers tell.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.blocking.is_none()
    }

    fn block(&mut self, error: &CheckpointError) {
        self.blocking.get_or_insert_with(|| error.failure());
    }

    /// Applies what the family's support says.
    fn judge(&mut self, sees: bool) {
        match &self.family.support {
            Support::No { why } => {
                let error = CheckpointError::Unsupported {
                    what: self.name.clone(),
                    why: why.clone(),
                };
                self.block(&error);
                if sees {
                    self.vision = Vision::Unsupported {
                        why: "the engine cannot run the model".to_owned(),
                    };
                }
            }
            Support::Text if sees => {
                self.vision = Vision::Unsupported {
                    why: "the engine runs only the text part of this model".to_owned(),
                };
            }
            Support::TextAndImages if sees => self.vision = Vision::Supported,
            Support::Text | Support::TextAndImages => {}
        }
    }
}

/// Reads a folder or file of this computer, with every JSON file that the engine will need.
///
/// # Errors
/// If it is no model, or a file is missing, broken or incomplete. A sound model that cannot run here is no error:
/// see [`Checkpoint::blocking`].
pub fn inspect(path: &Path) -> Result<Checkpoint, CheckpointError> {
    local(path, Depth::Everything)
}

/// As [`inspect`], without the tokenizer and other files that have no say in memory: for the planner.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_headers(path: &Path) -> Result<Checkpoint, CheckpointError> {
    local(path, Depth::Headers)
}

fn local(chosen: &Path, depth: Depth) -> Result<Checkpoint, CheckpointError> {
    let path = &crate::model_path(chosen);
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
    let name = crate::place::name_of(path);
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
            if let Some(inside) = crate::place::model_below(path) =>
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
        Some(file) if file.to_ascii_lowercase().ends_with(".gguf") => Some(file.to_owned()),
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
        None => safetensors_folder::read(source, name, &files, depth).await,
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
    let mut models: Vec<&str> = files
        .iter()
        .map(|file| file.name.as_str())
        .filter(|name| name.to_ascii_lowercase().ends_with(".gguf"))
        .filter(|name| !crate::discover::is_projector(name))
        .collect();
    models.sort_unstable();
    // The parts of a split file count once.
    models.dedup_by(|next, first| {
        match (
            crate::gguf::split_stem(next),
            crate::gguf::split_stem(first),
        ) {
            (Some(next), Some(first)) => next == first,
            _ => false,
        }
    });
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

/// Number of weights: index tables and the like do not count.
fn parameters(groups: &[WeightGroup]) -> u64 {
    groups
        .iter()
        .filter(|group| {
            !matches!(
                group.stored,
                crate::StoredType::I64
                    | crate::StoredType::I32
                    | crate::StoredType::I16
                    | crate::StoredType::Bool
            )
        })
        .map(|group| group.elements)
        .fold(0, u64::saturating_add)
}

/// The type that most bytes have; embeddings and norms are left out because quantised files keep them wide.
fn main_type(groups: &[WeightGroup]) -> String {
    let mut bytes = std::collections::BTreeMap::new();
    for group in groups {
        if !matches!(group.class, WeightClass::Embedding | WeightClass::Norm) {
            *bytes.entry(group.stored).or_insert(0_u64) += group.stored_bytes();
        }
    }
    bytes
        .into_iter()
        .max_by_key(|(_, bytes)| *bytes)
        .map_or_else(String::new, |(stored, _)| stored.label())
}
