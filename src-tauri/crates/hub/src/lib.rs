//! The Hugging Face Hub and its mirrors: what a repository holds, whether it can run here, and getting it whole.
//!
//! Outside: what a checkpoint means (`models`), the list of models and the settings (`chat`). Nothing here opens a
//! connection unless it is called.

mod api;
mod client;
mod credentials;
mod disk;
mod download;
mod downloads;
mod error;
mod fetch;
mod file_download;
mod keychain;
mod login;
mod manifest;
mod models_folder;
mod options;
mod part_file;
mod part_writer;
mod plan;
mod plan_on_disk;
mod preflight;
mod queue_file;
mod reference;
mod remote_files;
mod repair;
mod repository_download;
mod settle;
mod system_start;
mod throttle;
mod token;

pub use api::{Gate, Hash, HubHit, RemoteFile, Repository};
pub use client::{Hub, check_endpoint};
pub use credentials::{Credentials, TokenSource, environment_endpoint};
pub use download::{Download, DownloadState};
pub use downloads::{Arrived, Downloads};
pub use error::HubError;
pub use keychain::Keychain;
pub use models_folder::ModelsFolder;
pub use options::{DEFAULT_ENDPOINT, HubOptions, normal_endpoint};
pub use plan::Plan;
pub use preflight::{Preflight, PreflightFile, Survey, remote_checkpoint, survey};
pub use reference::{Reference, ReferenceError};
pub use remote_files::RemoteFiles;
pub use repository_download::{Progress, download_repository};
pub use throttle::Throttle;
pub use token::{Token, TokenError, TokenStore};
