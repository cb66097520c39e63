//! Models before they are there: what fits, what does not and why, getting one from a hub; and two of them on one question.

use crate::models::copy_of_demo;
use crate::scene::{Scene, ask, finished};
use paddock_tests::hub_server::{HubServer, Repo};
use paddock_tests::webdriver::app::{ANSWER_LIMIT, App, SOON};
use serde_json::json;
use std::sync::Arc;

fn catalogue_line(app: &App<'_>, id: &str) -> String {
    app.wait(SOON, &format!("{id} in the catalogue"), || {
        let text = app.script(
            "return document.querySelector(`[data-line=\"${arguments[0]}\"]`)?.innerText ?? ''",
            json!([id]),
        );
        text.as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    })
}

fn press_line(app: &App<'_>, id: &str) {
    app.script(
        "document.querySelector(`[data-line=\"${arguments[0]}\"]`).click()",
        json!([id]),
    );
    app.see("fit-bar", SOON);
}

fn text_of(app: &App<'_>, id: &str) -> String {
    app.texts(id).concat()
}

#[test]
fn scout_does_not_fit_here_and_what_would_is_said_before_a_byte_is_loaded() {
    let scene = Scene::new();
    let app = scene.open();
    app.click("models-open");
    let scout = catalogue_line(&app, "llama-4-scout");
    assert!(scout.contains("Does not fit"), "{scout}");
    assert!(catalogue_line(&app, "smolvlm-256m").contains("Fits"));
    let announced = app.texts("catalogue-line").join("\n");
    assert!(
        announced.contains("Behemoth") && announced.to_lowercase().contains("never released"),
        "{announced}"
    );
    app.screenshot("60-models");

    press_line(&app, "llama-4-scout");
    let reason = app.wait(SOON, "the verdict in a sentence", || {
        Some(text_of(&app, "fit-reason")).filter(|text| text.contains("free"))
    });
    assert!(reason.contains("GB"), "{reason}");
    assert!(!app.texts("alternative").is_empty());
    app.screenshot("61-scout-here");

    // On a server GPU of 80 GB it fits at four bits, as its publisher says.
    app.script(
        "const select = document.querySelector('[data-testid=\"fit-hardware\"]');
         select.value = 'H100'; select.dispatchEvent(new Event('change', { bubbles: true }));",
        json!([]),
    );
    app.script(
        "[...document.querySelectorAll('[data-testid=\"fit-quant\"] *')].find(one => one.textContent.trim() === 'Q4_K').click()",
        json!([]),
    );
    app.wait(SOON, "the verdict for an H100", || {
        app.texts("verdict")
            .iter()
            .any(|verdict| verdict == "Fits")
            .then_some(())
    });
    app.screenshot("62-scout-on-an-h100");
}

#[test]
fn two_models_answer_the_same_question_side_by_side() {
    let scene = Scene::new();
    let folder = copy_of_demo(&scene, "second model");
    let picture = scene.picture("red-circle", "circle.png");
    let app = scene.open();
    app.click("settings-open");
    app.click("choose-folder");
    scene.display.choose("Choose a model folder", &folder);
    app.wait(SOON, "the model in the list", || {
        app.texts("model-entry")
            .join(" ")
            .contains("second model")
            .then_some(())
    });
    app.click("settings-close");
    scene.drop_on(&app, std::slice::from_ref(&picture));
    crate::scene::chips(&app, 1);
    app.type_into("composer-input", "What is in this image?");
    app.click("ask-two");
    app.click("menu-item");
    finished(&app, 2);
    app.wait(ANSWER_LIMIT, "both answers", || {
        let answers = app.texts("answer-text");
        (answers == ["A red circle.", "A red circle."]).then_some(())
    });
    let models = app.texts("answer-model");
    assert_eq!(models.len(), 2, "{models:?}");
    assert_ne!(models[0], models[1]);
    app.screenshot("63-two-models");
    // The conversation goes on, and nothing of the second model is chosen.
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    assert!(!text_of(&app, "model-pill").is_empty());
}

#[test]
fn a_model_is_looked_up_downloaded_and_used() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let demo =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources/demo-model");
    let files = std::fs::read_dir(demo)
        .expect("the demo model")
        .flatten()
        .map(|entry| {
            let bytes = std::fs::read(entry.path()).expect("a file");
            (
                entry.file_name().to_string_lossy().into_owned(),
                Arc::new(bytes),
            )
        })
        .collect();
    let server = runtime.block_on(HubServer::start(vec![Repo {
        name: "shapes/small-herd".into(),
        files,
        licence: Some("apache-2.0".into()),
        ..Repo::default()
    }]));
    let scene = Scene::new();
    let app = scene.open();
    app.click("settings-open");
    app.script(
        "document.querySelector('[data-testid=\"hub-endpoint\"]').closest('details').open = true",
        json!([]),
    );
    app.type_into("hub-endpoint", &format!("{}\u{e007}", server.endpoint()));
    app.click("settings-close");
    app.click("models-open");
    app.type_into("model-search", "shapes/small-herd");
    app.click("hub-ask");
    app.see("get-card", SOON);
    app.screenshot("64-looked-up");
    app.click("download");
    app.see("download-use", ANSWER_LIMIT);
    app.screenshot("65-downloaded");
    app.click("download-use");
    app.wait(SOON, "the model in the pill", || {
        text_of(&app, "model-pill")
            .contains("small-herd")
            .then_some(())
    });
    // From there to the conversation without another step.
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    drop(app);
    // It is there after a restart, and the hub is not asked.
    let before = server.seen().len();
    let app = scene.open();
    assert!(text_of(&app, "model-pill").contains("small-herd"));
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    assert_eq!(server.seen().len(), before);
}
