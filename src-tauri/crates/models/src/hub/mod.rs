//! The Hugging Face Hub and its mirrors: what a repository has, and getting it whole.
//!
//! Outside: where the token is kept (a [`TokenStore`] of the shell), the list of models, running them.

mod client;
mod download;
mod error;
mod fetch;
mod part_file;
mod preflight;
mod reference;
mod source;
mod throttle;
mod token;

pub use client::{Gate, Hash, Hub, HubOptions, RemoteFile, Repository, SearchHit};
pub use download::{Download, DownloadControl, Outcome, Progress, Stage, folder_of};
pub use error::HubError;
pub use preflight::Preflight;
pub use reference::{Reference, ReferenceError};
pub use source::HubSource;
pub use token::{Token, TokenError, TokenStore};
