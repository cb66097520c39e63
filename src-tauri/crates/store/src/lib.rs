//! What Paddock keeps: conversations, drafts and settings in SQLite, pictures as files named by their content.
//!
//! In the data folder: `paddock.db` (with `-wal` and `-shm` while it is open), `pictures/`, `backups/` (dated copies of
//! the database), `damaged/<date>/` (what was set aside; nobody but the user deletes anything there), `owner.lock`.
//!
//! Outside: what a conversation means, decoding pictures, and the choice of folder. All calls block; times and
//! ids are passed in.

mod backups;
mod blobs;
mod check;
mod dates;
mod error;
mod files;
mod opening;
mod owner;
mod recovery;
mod rows;
mod schema;
mod store;
mod sweep;
mod tables;
mod upkeep;

pub use backups::Backup;
pub use blobs::{Blobs, Rendition};
pub use error::StoreError;
pub use recovery::{begin_empty, restore_newest};
pub use store::Store;
pub use tables::conversation::Purged;
pub use tables::document::document_in;
pub use tables::local_model::local_models_in;
pub use tables::message::{Answer, NewAnswer, NewQuestion};
pub use upkeep::{BackupState, CheckState, Health};
