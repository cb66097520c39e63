//! Models that other programs have put on this computer: found by their folders and used where they lie, never copied,
//! changed or deleted.
//!
//! Outside: models that the user chose or downloaded with Paddock, what is in the files, and loading.

mod hugging_face;
mod lm_studio;
mod ollama;
mod search;

pub use search::{Discovery, FoundModel};

use crate::places::ModelPlaces;
use search::Search;

/// Looks through the places. Reads names and manifests only; blocks for milliseconds.
#[must_use]
pub fn discover(places: &ModelPlaces) -> Discovery {
    let mut search = Search::new();
    for folder in &places.hugging_face {
        hugging_face::search(&mut search, folder);
    }
    for folder in &places.lm_studio {
        lm_studio::search(&mut search, folder);
    }
    for folder in &places.ollama {
        ollama::search(&mut search, folder);
    }
    search.end()
}
