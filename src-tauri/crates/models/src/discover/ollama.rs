//! Ollama's models: `manifests/<host>/<namespace>/<name>/<tag>` names layers by digest, and the layer of the kind `model`
//! is a GGUF file `blobs/sha256-...` without an ending.
//!
//! Outside: its templates and parameters; a GGUF file has its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::discover::search::{FoundModel, Kind, Search};
use crate::entry::ModelSource;

/// A manifest is a few hundred bytes.
const LONGEST_MANIFEST: u64 = 1 << 20;
/// Host, namespace, name, tag.
const DEPTH: usize = 4;
const HOST: &str = "registry.ollama.ai";
/// The namespace of Ollama's own models, which nobody writes.
const LIBRARY: &str = "library";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

pub(super) fn search(search: &mut Search, models: &Path) {
    walk(search, models, &models.join("manifests"), &mut Vec::new());
}

/// Depth is bounded, so a cycle of links ends too.
fn walk(search: &mut Search, models: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in search.list(folder) {
        names.push(entry.name);
        match entry.kind {
            Some(Kind::Folder) if names.len() < DEPTH => walk(search, models, &entry.path, names),
            Some(Kind::File) if names.len() == DEPTH => match model(models, &entry.path, names) {
                Ok(model) => search.add(model),
                Err(why) => search.note(format!("Ollama's {} {why}.", name(names))),
            },
            _ => {}
        }
        names.pop();
    }
}

/// `llama3.2:3b`, `someone/model:tag`, `hf.co/owner/name:tag`.
fn name(names: &[String]) -> String {
    match names {
        [host, space, name, tag] if host == HOST && space == LIBRARY => format!("{name}:{tag}"),
        [host, space, name, tag] if host == HOST => format!("{space}/{name}:{tag}"),
        [host, space, name, tag] => format!("{host}/{space}/{name}:{tag}"),
        _ => names.join("/"),
    }
}

/// Or a sentence's second half.
fn model(models: &Path, manifest: &Path, names: &[String]) -> Result<FoundModel, String> {
    let mut text = String::new();
    std::fs::File::open(manifest)
        .and_then(|file| file.take(LONGEST_MANIFEST).read_to_string(&mut text))
        .map_err(|error| format!("was passed over: its manifest cannot be read ({error})"))?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| format!("was passed over: its manifest is broken ({error})"))?;
    let layer = |kind: &str| {
        manifest.layers.iter().find(|layer| {
            layer
                .media_type
                .strip_prefix("application/vnd.ollama.image.")
                == Some(kind)
        })
    };
    if layer("adapter").is_some() {
        return Err(
            "was passed over: it is an adapter on top of another model, which the engine cannot load"
                .to_owned(),
        );
    }
    let weights = layer("model").ok_or("was passed over: it has no model on this computer")?;
    let path = blob(models, &weights.digest).ok_or("was passed over: its manifest is broken")?;
    if !path.is_file() {
        return Err("was passed over: its weights are missing".to_owned());
    }
    Ok(FoundModel {
        path,
        name: name(names),
        source: ModelSource::Ollama,
        repository: None,
        projector: layer("projector").is_some(),
    })
}

/// The file of a digest; nothing that could lead out of the folder.
fn blob(models: &Path, digest: &str) -> Option<PathBuf> {
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| models.join("blobs").join(format!("sha256-{hex}")))
}
