//! Pictures get in by drop, by paste and by the file dialog, are answered about rightly, and are kept.

use crate::scene::{
    Scene, ask, chips, engine, finished, fixture_path, seen_texts, send, watch_answer,
};
use paddock_tests::webdriver::app::SOON;
use paddock_tests::webdriver::process::Slowed;
use serde_json::json;

const QUESTION: &str = "What is in this image?";

#[test]
fn a_dropped_picture_is_answered_word_by_word_and_still_there_after_a_restart() {
    let scene = Scene::new();
    let picture = scene.picture("red-circle", "mein Bild #1 (süß).png");
    let app = scene.open();
    app.screenshot("01-empty");

    let drag = scene
        .display
        .drag(std::slice::from_ref(&picture), app.middle());
    app.see("drop-overlay", SOON);
    app.screenshot("02-dragging");
    assert!(drag.release(), "the window did not take the file");
    app.gone("drop-overlay", SOON);
    chips(&app, 1);
    app.screenshot("03-attached");

    watch_answer(&app);
    // At full speed three words are one frame's work; a slow computer shows that they come one after the other.
    let slowed = Slowed::new(engine(&app));
    send(&app, QUESTION);
    let answer = finished(&app, 1);
    drop(slowed);
    app.screenshot("04-answered");
    assert_eq!(answer, "A red circle.");
    let seen = seen_texts(&app);
    assert!(
        seen.len() >= 3,
        "the answer did not grow before one's eyes: {seen:?}"
    );
    assert!(
        seen.iter().all(|text| answer.starts_with(text.as_str())),
        "what was shown was not the answer: {seen:?}"
    );
    drop(app);

    let app = scene.open();
    app.click("conversation-item");
    app.wait(SOON, "the answer to be back", || {
        (app.texts("answer-text") == ["A red circle."]).then_some(())
    });
    let questions = app.texts("message-user");
    assert_eq!(questions.len(), 1);
    assert!(questions[0].contains(QUESTION), "{questions:?}");
    app.wait(SOON, "the picture to be back", || {
        let width = app.script("return document.querySelector('[data-testid=\"message-user\"] img')?.naturalWidth ?? 0", json!([]));
        width.as_u64().filter(|width| *width > 0)
    });
    app.screenshot("05-after-restart");
    // The original is not needed any more, and the model still sees the picture.
    std::fs::remove_file(picture).unwrap();
    assert_eq!(ask(&app, "What color is the circle?"), "The circle is red.");
}

#[test]
fn two_pasted_pictures_are_both_seen_in_order() {
    let scene = Scene::new();
    let circle = std::fs::read(fixture_path("wide_blue_circle")).unwrap();
    let star = scene.home.files().join("schwarzer Stern.png");
    std::fs::copy(fixture_path("black_star"), &star).unwrap();
    let app = scene.open();
    app.focus();
    app.click("composer-input");
    let paste_circle = || {
        scene.display.copy("image/png", &circle);
        scene.display.press("ctrl+v");
    };
    // As a file manager copies: by name.
    let paste_star = || {
        let uri = format!("file://{}\r\n", star.to_str().unwrap().replace(' ', "%20"));
        scene.display.copy("text/uri-list", uri.as_bytes());
        scene.display.press("ctrl+v");
    };
    paste_circle();
    chips(&app, 1);
    paste_star();
    chips(&app, 2);
    app.screenshot("06-two-pasted");
    assert_eq!(ask(&app, "Which image shows a circle?"), "The first image.");

    app.click("new-chat");
    app.click("composer-input");
    paste_star();
    chips(&app, 1);
    paste_circle();
    chips(&app, 2);
    assert_eq!(
        ask(&app, "Which image shows a circle?"),
        "The second image."
    );
}

#[test]
fn pasted_text_stays_text() {
    let scene = Scene::new();
    let app = scene.open();
    app.focus();
    app.click("composer-input");
    scene
        .display
        .copy("UTF8_STRING", "Who are you? Wer bist du?".as_bytes());
    scene.display.press("ctrl+v");
    app.wait(SOON, "the pasted text", || {
        let value = app.script(
            "return document.querySelector('[data-testid=\"composer-input\"]').value",
            json!([]),
        );
        (value == "Who are you? Wer bist du?").then_some(())
    });
    assert!(app.visible("chip").is_empty());
}

#[test]
fn a_picture_from_the_file_dialog_can_be_taken_off_again() {
    let scene = Scene::new();
    let picture = scene.picture("square-and-star", "Stern.png");
    let app = scene.open();
    app.click("attach");
    scene.display.choose("Add pictures", &picture);
    chips(&app, 1);
    app.click("chip-remove");
    app.gone("chip", SOON);
    app.click("attach");
    scene.display.choose("Add pictures", &picture);
    chips(&app, 1);
    assert_eq!(ask(&app, QUESTION), "A red square and a blue star.");
    app.gone("chip", SOON);
}

#[test]
fn a_drag_that_leaves_again_changes_nothing() {
    let scene = Scene::new();
    let picture = scene.picture("red-circle", "a.png");
    let app = scene.open();
    let drag = scene.display.drag(&[picture], app.middle());
    app.see("drop-overlay", SOON);
    drag.move_to((1260, 880));
    app.gone("drop-overlay", SOON);
    let _ = drag.release();
    assert!(app.visible("chip").is_empty());
}
