//! LM Studio's models: `publisher/model/` with GGUF files, or with the files of a safetensors or MLX model.
//!
//! Outside: its presets and settings.

use std::path::Path;

use super::{Kind, Search};
use crate::ModelSource;

pub(super) fn search(search: &mut Search, models: &Path) {
    for publisher in search.list(models) {
        if publisher.kind != Some(Kind::Folder) {
            continue;
        }
        for model in search.list(&publisher.path) {
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
