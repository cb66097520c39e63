//! A model on disk: checked before mistral.rs sees it, and presented to it in the form that it can read.
//!
//! Outside: loading. mistral.rs panics on broken JSON, takes a mistyped path for a name on the Hub, and allocates
//! for every position the model could have; so it gets a folder of ours that says only what is true and wanted.

mod normalise;
mod safetensors;
mod view;

use std::path::{Path, PathBuf};

use self::view::View;
use crate::failure::LoadFailure;
use paddock_protocol::engine::LoadErrorCode;
use serde_json::Value;

/// Tokens of context when the command line does not say.
pub const DEFAULT_CONTEXT: u32 = 8192;

/// A model that passed the checks.
#[derive(Debug)]
pub enum Checkpoint {
    Folder(Folder),
    Gguf { path: PathBuf, bytes: u64 },
}

#[derive(Debug)]
pub struct Folder {
    /// What mistral.rs is given: links to the user's files, with the configuration files rewritten.
    view: View,
    pub config: Value,
    /// Tokens of prompt and answer together.
    pub context: u32,
    /// Bytes of all weight files, and the number of weights in them.
    pub bytes: u64,
    pub weights: u64,
}

impl Folder {
    pub fn path(&self) -> &Path {
        self.view.path()
    }
}

impl Checkpoint {
    /// Checks everything that would make mistral.rs panic or go to the network.
    ///
    /// # Errors
    /// A typed failure whose sentence names the file.
    pub fn open(path: &Path, context: Option<u32>) -> Result<Self, LoadFailure> {
        let metadata = std::fs::metadata(path).map_err(|error| {
            LoadFailure::new(
                LoadErrorCode::ModelNotFound,
                format!(
                    "There is no readable model at {} ({error}).",
                    path.display()
                ),
            )
        })?;
        if metadata.is_dir() {
            return Ok(Self::Folder(open_folder(path, context)?));
        }
        let mut magic = [0; 4];
        let read = std::fs::File::open(path)
            .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
        if read.is_err() || &magic != b"GGUF" {
            return Err(broken(path, "it is not a GGUF file"));
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Ok(Self::Gguf {
            path,
            bytes: metadata.len(),
        })
    }
}

fn open_folder(folder: &Path, context: Option<u32>) -> Result<Folder, LoadFailure> {
    let mut config =
        read_json(folder, "config.json")?.ok_or_else(|| missing(folder, "config.json"))?;
    let tokenizer =
        read_json(folder, "tokenizer.json")?.ok_or_else(|| missing(folder, "tokenizer.json"))?;
    if !tokenizer
        .pointer("/model/vocab")
        .is_some_and(Value::is_object)
    {
        return Err(LoadFailure::new(
            LoadErrorCode::Unsupported,
            "This model's tokenizer.json is of a kind (not byte-pair encoding) that the engine cannot use.",
        ));
    }
    let architecture = config
        .pointer("/architectures/0")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if architecture.is_empty() {
        return Err(LoadFailure::new(
            LoadErrorCode::Unsupported,
            "config.json names no architecture, so the engine cannot tell what this model is.",
        ));
    }
    let mut rewritten: Vec<(&str, Value)> = Vec::new();
    for name in [
        "generation_config.json",
        "tokenizer_config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "chat_template.json",
    ] {
        if let Some(json) = read_json(folder, name)? {
            rewritten.push((name, json));
        }
    }
    let weights = safetensors::check(folder)?;
    let context = limit_context(&mut config, context);
    normalise::apply(&mut config, &mut rewritten);
    let view = present(folder, &config, &rewritten)?;
    Ok(Folder {
        view,
        config,
        context,
        bytes: weights.bytes,
        weights: weights.weights,
    })
}

/// RoPE tables and the scheduler are sized by `max_position_embeddings`: a model of 10 million positions would
/// cost gigabytes before the first token.
fn limit_context(config: &mut Value, wanted: Option<u32>) -> u32 {
    let at = |config: &Value, pointer: &str| {
        config
            .pointer(pointer)
            .and_then(Value::as_u64)
            .and_then(|positions| u32::try_from(positions).ok())
    };
    let places = [
        "/text_config/max_position_embeddings",
        "/max_position_embeddings",
    ];
    let model = places
        .iter()
        .find_map(|place| at(config, place))
        .unwrap_or(DEFAULT_CONTEXT);
    let context = wanted.unwrap_or(DEFAULT_CONTEXT).min(model);
    for place in places {
        if let Some(positions) = config.pointer_mut(place) {
            *positions = context.into();
        }
    }
    context
}

/// A folder of links to the user's files, with our versions of the configuration files.
fn present(
    folder: &Path,
    config: &Value,
    rewritten: &[(&str, Value)],
) -> Result<View, LoadFailure> {
    let failed = |error: std::io::Error| {
        LoadFailure::new(
            LoadErrorCode::LoadFailed,
            format!("A temporary folder for the model could not be made ({error})."),
        )
    };
    let view = View::new().map_err(failed)?;
    let own: Vec<&str> = rewritten
        .iter()
        .map(|(name, _)| *name)
        .chain(["config.json"])
        .collect();
    let folder = std::path::absolute(folder).map_err(failed)?;
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if entry.path().is_file() && !own.iter().any(|own| name == **own) {
            link(&entry.path(), &view.path().join(&name)).map_err(failed)?;
        }
    }
    let write = |name: &str, json: &Value| {
        std::fs::write(view.path().join(name), json.to_string()).map_err(failed)
    };
    write("config.json", config)?;
    for (name, json) in rewritten {
        write(name, json)?;
    }
    Ok(view)
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

/// Symbolic links need a privilege on Windows; hard links need the same volume; a copy always works.
#[cfg(not(unix))]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(|_| ()))
}

/// None if the file is not there.
fn read_json(folder: &Path, name: &str) -> Result<Option<Value>, LoadFailure> {
    let path = folder.join(name);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(&path, &format!("it cannot be read ({error})"))),
    };
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|error| broken(&path, &format!("it is not valid JSON ({error})")))?;
    if !json.is_object() {
        return Err(broken(&path, "it is not a JSON object"));
    }
    Ok(Some(json))
}

fn missing(folder: &Path, name: &str) -> LoadFailure {
    LoadFailure::new(
        LoadErrorCode::FileMissing,
        format!("{name} is missing in {}.", folder.display()),
    )
}

fn broken(path: &Path, why: &str) -> LoadFailure {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    LoadFailure::new(
        LoadErrorCode::FileBroken,
        format!("{name} is broken: {why}."),
    )
}
