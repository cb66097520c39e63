//! The settings: what is changed is kept, and what it changes can be seen.

use crate::scene::{Scene, ask};
use paddock_tests::webdriver::app::{App, SOON};
use serde_json::json;

/// Sets a field's value as a person's input would and tells the page.
fn set(app: &App<'_>, id: &str, value: &str) {
    app.see(id, SOON);
    app.script(
        "const field = document.querySelector(`[data-testid=\"${arguments[0]}\"]`);
         field.value = arguments[1];
         field.dispatchEvent(new Event('change', { bubbles: true }));",
        json!([id, value]),
    );
}

fn value(app: &App<'_>, id: &str) -> String {
    app.see(id, SOON);
    let value = app.script(
        "return document.querySelector(`[data-testid=\"${arguments[0]}\"]`).value",
        json!([id]),
    );
    value.as_str().unwrap_or_default().to_owned()
}

fn theme(app: &App<'_>) -> String {
    let theme = app.script("return document.documentElement.dataset.theme", json!([]));
    theme.as_str().unwrap_or_default().to_owned()
}

#[test]
fn settings_are_kept_over_a_restart() {
    let scene = Scene::new();
    let app = scene.open();
    app.click("settings-open");
    set(&app, "theme-select", "dark");
    app.wait(SOON, "the dark theme", || {
        (theme(&app) == "dark").then_some(())
    });
    set(&app, "temperature-input", "0.5");
    set(&app, "context-input", "1024");
    app.screenshot("30-settings-dark");
    app.click("settings-close");
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    app.screenshot("31-dark");
    drop(app);

    let app = scene.open();
    app.wait(SOON, "the dark theme", || {
        (theme(&app) == "dark").then_some(())
    });
    app.click("settings-open");
    assert_eq!(value(&app, "temperature-input"), "0.5");
    assert_eq!(value(&app, "context-input"), "1024");
    set(&app, "theme-select", "light");
    app.wait(SOON, "the light theme", || {
        (theme(&app) == "light").then_some(())
    });
    app.screenshot("32-settings-light");
}

#[test]
fn a_context_out_of_range_is_refused_with_words_and_changes_nothing() {
    let scene = Scene::new();
    let app = scene.open();
    app.click("settings-open");
    set(&app, "context-input", "12");
    let said = app.wait(SOON, "a sentence beside the field", || {
        let said = app.script(
            "return document.querySelector('#context-wrong')?.innerText ?? ''",
            json!([]),
        );
        said.as_str()
            .filter(|said| !said.is_empty())
            .map(str::to_owned)
    });
    assert!(said.contains("256"), "{said}");
    app.click("settings-close");
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
}

#[test]
fn the_window_is_used_by_keyboard_alone() {
    let scene = Scene::new();
    let app = scene.open();
    app.focus();
    scene.display.press("ctrl+comma");
    app.see("theme-select", SOON);
    scene.display.press("Escape");
    app.gone("theme-select", SOON);
    scene.display.press("ctrl+l");
    app.see("model-option", SOON);
    scene.display.press("Escape");
    app.gone("model-option", SOON);
    app.click("composer-input");
    scene.display.type_text("Hello");
    scene.display.press("Return");
    app.wait(SOON, "the answer", || {
        (app.texts("answer-text") == ["Hello! How can I help you?"]).then_some(())
    });
    scene.display.press("ctrl+n");
    app.wait(SOON, "an empty conversation", || {
        app.texts("message-user").is_empty().then_some(())
    });
}

#[test]
fn an_answer_is_copied_asked_again_and_its_receipt_is_shown() {
    let scene = Scene::new();
    let picture = scene.picture("red-circle", "circle.png");
    let app = scene.open();
    scene.drop_on(&app, &[picture]);
    crate::scene::chips(&app, 1);
    assert_eq!(ask(&app, "What is in this image?"), "A red circle.");
    app.click("details");
    let receipt = app.wait(SOON, "the receipt", || app.texts("receipt").pop());
    assert!(
        receipt.contains("112 × 112 px")
            && receipt.contains("20 tokens")
            && receipt.contains("Seen as promised"),
        "{receipt}"
    );
    app.screenshot("33-receipt");
    app.click("regenerate");
    app.wait(SOON, "a second version", || {
        let text = app.texts("message-assistant").join(" ");
        (text.contains("2 / 2") && text.contains("A red circle.")).then_some(())
    });
    app.click("copy-message");
    app.wait(SOON, "the copied text", || {
        (scene.display.pasted().as_deref() == Some("A red circle.")).then_some(())
    });
}
