//! Models the user brings: a folder that works, and folders that are broken in the ways downloads break.

use crate::scene::{Scene, ask};
use paddock_tests::webdriver::app::{App, SOON};
use std::path::{Path, PathBuf};

/// A copy of the demo model's folder under another name, as a user's own model would be.
fn copy_of_demo(scene: &Scene, name: &str) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources/demo-model");
    let folder = scene.home.files().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(demo).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    folder
}

fn without_tokenizer(scene: &Scene) -> PathBuf {
    let folder = copy_of_demo(scene, "no-tokenizer");
    std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    folder
}

fn with_broken_config(scene: &Scene) -> PathBuf {
    let folder = copy_of_demo(scene, "broken-config");
    let config = std::fs::read(folder.join("config.json")).unwrap();
    std::fs::write(folder.join("config.json"), &config[..config.len() / 2]).unwrap();
    folder
}

fn with_truncated_weights(scene: &Scene) -> PathBuf {
    let folder = copy_of_demo(scene, "truncated-weights");
    let weights = std::fs::File::options().write(true).open(folder.join("model.safetensors")).unwrap();
    let bytes = weights.metadata().unwrap().len();
    weights.set_len(bytes / 2).unwrap();
    folder
}
