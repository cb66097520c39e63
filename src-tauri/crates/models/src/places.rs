//! Where other programs keep models, by their own rules.
//!
//! Outside: looking there (`discover`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders in which other programs keep models. Those that do not exist are of no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelPlaces {
    /// `hub` folders of Hugging Face's cache.
    pub hugging_face: Vec<PathBuf>,
    pub lm_studio: Vec<PathBuf>,
    /// Folders with `manifests` and `blobs`.
    pub ollama: Vec<PathBuf>,
}

impl ModelPlaces {
    /// The usual folders of a user, and those that environment variables name (`HF_HUB_CACHE`, `HF_HOME`,
    /// `OLLAMA_MODELS`...). Looks at nothing on disk.
    #[must_use]
    pub fn of_user(
        home: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> ModelPlaces {
        let named = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let at_home = |path: &str| home.map(|home| home.join(path));
        let cache = named("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub"));
        ModelPlaces {
            hugging_face: [
                named("HF_HUB_CACHE"),
                named("HUGGINGFACE_HUB_CACHE"),
                named("HF_HOME").map(|folder| folder.join("hub")),
                cache,
                at_home(".cache/huggingface/hub"),
            ]
            .into_iter()
            .flatten()
            .collect(),
            lm_studio: [".lmstudio/models", ".cache/lm-studio/models"]
                .into_iter()
                .filter_map(at_home)
                .collect(),
            ollama: [
                named("OLLAMA_MODELS"),
                at_home(".ollama/models"),
                // Where its service keeps them on Linux.
                Some(PathBuf::from("/usr/share/ollama/.ollama/models")),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }
}
