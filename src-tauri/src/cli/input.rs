//! What a command line names: models and files.
//!
//! Outside: what is done with them.

use std::path::{Path, PathBuf};

use paddock_conversation::ModelId;

use super::stop::Stop;
use crate::{error::CommandError, places::Places};

/// What the user named (`demo`, an id of `paddock models`, a folder, a GGUF file), as an id and a path.
pub fn resolve(model: &str, places: &Places) -> Result<(ModelId, PathBuf), Stop> {
    let named = ModelId::new(model);
    if named.is_demo() {
        return Ok((named, places.demo_model.clone()));
    }
    let path = paddock_models::model_path(Path::new(named.local_path().unwrap_or(model)));
    match std::path::absolute(&path) {
        Ok(path) if path.exists() => Ok((ModelId::local(&path.to_string_lossy()), path)),
        _ => Err(Stop::BadInput(CommandError::new(
            "model_not_found",
            format!("There is no model at {}.", path.display()),
            "Give a model's folder or a GGUF file, or see `paddock models`.",
        ))),
    }
}

pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// A picture file's bytes, never more than are taken, or the sentence for exit code 2.
pub fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    if path.as_os_str().is_empty() {
        return Err(Stop::BadInput(CommandError::new(
            "file_unnamed",
            "The name of a file is empty.",
            "Write the file's name; in a script, check the variable that it comes from.",
        )));
    }
    paddock_pictures::read_file(path).map_err(|failure| Stop::BadInput(failure.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_name_is_refused_in_a_sentence() {
        match read(Path::new("")) {
            Err(Stop::BadInput(error)) => assert_eq!(error.code, "file_unnamed"),
            other => panic!("{:?}", other.map(|bytes| bytes.len())),
        }
    }
}
