//! LM Studio's models: `publisher/model/` with GGUF files, or with the files of a safetensors or MLX model.
//!
//! Outside: its presets and settings.

use std::path::Path;

use crate::discover::search::{Kind, Search};
use crate::entry::ModelSource;

pub(super) fn search(search: &mut Search, models: &Path) {
    for publisher in search.list(models) {
        if publisher.kind != Some(Kind::Folder) {
            continue;
        }
        let models = search.list(&publisher.path);
        // People also put files here by hand.
        search.add_ggufs(&models, ModelSource::LmStudio, None, false, 0);
        for model in models {
            if model.kind == Some(Kind::Folder) {
                let repository = format!("{}/{}", publisher.name, model.name);
                search.add_folder(
                    &model.path,
                    ModelSource::LmStudio,
                    &model.name,
                    Some(repository),
                );
            }
        }
    }
}
