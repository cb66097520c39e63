//! The Hugging Face Hub and its mirrors: what a repository holds, whether it can run here, and getting it whole.
//!
//! Outside: what a checkpoint means (`models`), the list of models and the settings (`chat`). Nothing here opens a
//! connection unless it is called.

mod api;
mod client;
mod disk;
mod download;
mod downloads;
mod error;
mod fetch;
mod file_download;
mod keychain;
mod manifest;
mod options;
mod part_file;
mod part_writer;
mod preflight;
mod reference;
mod remote_files;
mod repair;
mod repository_download;
mod settle;
mod throttle;
mod token;

pub use api::{Gate, Hash, HubHit, RemoteFile, Repository};
pub use client::{Hub, check_endpoint};
pub use download::{Download, DownloadState};
pub use downloads::{Arrived, Downloads};
pub use error::HubError;
pub use keychain::Keychain;
pub use options::HubOptions;
pub use preflight::{Preflight, PreflightFile, Survey, remote_checkpoint, survey};
pub use reference::{Reference, ReferenceError};
pub use remote_files::RemoteFiles;
pub use repository_download::{Plan, Progress, download_repository};
pub use throttle::Throttle;
pub use token::{Token, TokenError, TokenStore};
