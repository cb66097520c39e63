//! Models the user brings: a folder that works, and folders that are broken in the ways downloads break.

use crate::scene::{Scene, ask};
use paddock_tests::webdriver::app::{App, SOON};
use std::path::{Path, PathBuf};

/// A copy of the demo model's folder under another name, as a user's own model would be.
pub fn copy_of_demo(scene: &Scene, name: &str) -> PathBuf {
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
    let weights = std::fs::File::options()
        .write(true)
        .open(folder.join("model.safetensors"))
        .unwrap();
    let bytes = weights.metadata().unwrap().len();
    weights.set_len(bytes / 2).unwrap();
    folder
}

fn choose(scene: &Scene, app: &App<'_>, folder: &Path) {
    app.click("settings-open");
    app.click("choose-folder");
    scene.display.choose("Choose a model folder", folder);
}

#[test]
fn a_folder_of_ones_own_answers_and_is_still_chosen_after_a_restart() {
    let scene = Scene::new();
    let folder = copy_of_demo(&scene, "my own model");
    let app = scene.open();
    choose(&scene, &app, &folder);
    app.wait(SOON, "the model in the list", || {
        let list = app.texts("model-entry").join(" ");
        list.contains("my own model").then_some(())
    });
    app.click("settings-close");
    app.wait(SOON, "the model in the pill", || {
        let pill = app.texts("model-pill").join(" ");
        (pill.contains("my own model") && app.texts("engine-state").join(" ").contains("ready"))
            .then_some(())
    });
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    app.screenshot("40-own-model");
    drop(app);
    let app = scene.open();
    assert!(app.texts("model-pill").join(" ").contains("my own model"));
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
}

#[test]
fn broken_folders_get_a_sentence_each_and_the_demo_model_goes_on() {
    let scene = Scene::new();
    let broken = [
        (without_tokenizer(&scene), "tokenizer.json"),
        (with_broken_config(&scene), "config.json"),
        (with_truncated_weights(&scene), "model.safetensors"),
        (scene.home.files().join("not a model"), "config.json"),
    ];
    std::fs::create_dir(&broken[3].0).unwrap();
    let app = scene.open();
    for (number, (folder, word)) in broken.iter().enumerate() {
        choose(&scene, &app, folder);
        let said = app.wait(SOON, &format!("a sentence about {word}"), || {
            let said = [app.texts("model-entry"), app.texts("error-card")]
                .concat()
                .join("\n");
            said.contains(word).then_some(said)
        });
        println!("{}: {said}", folder.display());
        app.screenshot(&format!("41-broken-model-{number}"));
        app.click("settings-close");
        assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
        app.click("new-chat");
    }
}
