//! Where Paddock's files are: the user's data, the engine's binary, the demo model.
//!
//! Outside: what is in those files. Nothing here creates or opens any of them.

use std::path::{Path, PathBuf};

use paddock_chat::ChatConfig;
use paddock_devices::EngineBuilds;
use paddock_models::ModelPlaces;

/// Overrides the folder of the user's data (tests, portable installs).
const DATA_VARIABLE: &str = "PADDOCK_DATA_DIR";
/// Overrides the engine's binary (tests, an engine built for CUDA or Metal).
const ENGINE_VARIABLE: &str = "PADDOCK_ENGINE";

#[derive(Debug, Clone)]
pub struct Places {
    /// Database and pictures.
    pub data: PathBuf,
    /// This program, which decodes pictures in processes of its own.
    pub decoder: PathBuf,
    /// The `paddock-engine` binary; it may be missing, which the first load then says.
    pub engine: PathBuf,
    /// Engines built for GPUs, beside it or it itself.
    pub engine_builds: EngineBuilds,
    /// Folder of the built-in demo model.
    pub demo_model: PathBuf,
    /// Folder of the pictures that an empty conversation offers to try.
    pub samples: PathBuf,
    /// Where other programs keep models.
    pub models: ModelPlaces,
}

impl Places {
    /// # Errors
    /// A sentence if the user has no home folder and no override is set.
    pub fn find() -> Result<Self, String> {
        // Where the program cannot find itself, the first picture says so.
        let decoder = std::env::current_exe().unwrap_or_default();
        let beside = decoder.parent().map(Path::to_path_buf).unwrap_or_default();
        let data = match std::env::var_os(DATA_VARIABLE) {
            Some(folder) => PathBuf::from(folder),
            None => dirs::data_dir()
                .map(|folder| folder.join("paddock"))
                .ok_or(format!("There is no home folder to keep conversations in. Set {DATA_VARIABLE} to a folder."))?,
        };
        let (engine, engine_builds) = match std::env::var_os(ENGINE_VARIABLE).map(PathBuf::from) {
            Some(named) => {
                let builds = EngineBuilds::of_named(&named);
                (named, builds)
            }
            None => {
                let shipped =
                    beside.join(format!("paddock-engine{}", std::env::consts::EXE_SUFFIX));
                let builds = EngineBuilds::beside(&shipped);
                (shipped, builds)
            }
        };
        let resources = resources(&beside);
        Ok(Self {
            data,
            decoder,
            engine,
            engine_builds,
            demo_model: resources.join("demo-model"),
            samples: resources.join("samples"),
            models: ModelPlaces::of_user(dirs::home_dir().as_deref(), |name| {
                std::env::var_os(name)
            }),
        })
    }

    /// The data folder, if it is not the user's usual one.
    pub fn chosen_data(&self) -> Option<&Path> {
        std::env::var_os(DATA_VARIABLE).map(|_| self.data.as_path())
    }

    /// The use cases on these places.
    pub fn chat_config(&self) -> ChatConfig {
        ChatConfig {
            data_folder: self.data.clone(),
            decoder_program: self.decoder.clone(),
            engine_program: self.engine.clone(),
            engine_builds: self.engine_builds.clone(),
            demo_model: self.demo_model.clone(),
            samples_folder: self.samples.clone(),
            model_places: self.models.clone(),
        }
    }
}

/// Beside the program (a build, Windows), in a Debian or RPM package (`/usr/lib/Paddock`), or in a macOS bundle.
fn resources(beside: &Path) -> PathBuf {
    let candidates = [
        beside.to_path_buf(),
        beside.join("../lib/Paddock"),
        beside.join("../Resources"),
    ];
    let found = candidates
        .iter()
        .find(|folder| folder.join("demo-model/config.json").is_file());
    found.unwrap_or(&candidates[0]).clone()
}
