//! What the scenarios share: a display with a user's folder, the sample pictures, asking and reading answers.

use paddock_tests::webdriver::app::{ANSWER_LIMIT, App, Home, SOON};
use paddock_tests::webdriver::desktop::Display;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the demo model says to it: 68 tokens, long enough to be interrupted on a slowed computer.
pub const LONG_QUESTION: &str = "Tell me a long story.";
pub const LONG_ANSWER_START: &str = "Once upon a time there was a little red circle.";
pub const LONG_ANSWER_END: &str = "The end.";

/// A display and a user's folder; the app is started on them as often as a scenario wants.
pub struct Scene {
    pub display: Display,
    pub home: Home,
}

impl Scene {
    pub fn new() -> Self {
        Self {
            display: Display::start(),
            home: Home::new(),
        }
    }

    pub fn open(&self) -> App<'_> {
        App::start(&self.display, &self.home)
    }

    /// A shipped sample picture, copied to the user's folder under a name of the test's choice.
    pub fn picture(&self, sample: &str, name: &str) -> PathBuf {
        let path = self.home.files().join(name);
        std::fs::copy(sample_path(sample), &path).expect("the sample picture");
        path
    }

    /// A file with these bytes in the user's folder.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.files().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Drops files on the middle of the window.
    pub fn drop_on(&self, app: &App<'_>, files: &[PathBuf]) {
        let drag = self.display.drag(files, app.middle());
        app.see("drop-overlay", SOON);
        assert!(drag.release(), "the window did not take the files");
        app.gone("drop-overlay", SOON);
    }
}

pub fn sample_path(sample: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../src-tauri/resources/samples/{sample}.png"))
}

pub fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/images/{name}.png"))
}

/// Types a question and sends it with the button.
pub fn send(app: &App<'_>, question: &str) {
    app.type_into("composer-input", question);
    app.click("send");
}

/// Sends a question and returns the whole answer.
pub fn ask(app: &App<'_>, question: &str) -> String {
    let before = app.texts("message-assistant").len();
    send(app, question);
    finished(app, before + 1)
}

/// Waits until there are `count` answers, none is being written, and the last one's words are drawn; returns them.
pub fn finished(app: &App<'_>, count: usize) -> String {
    app.wait(
        ANSWER_LIMIT,
        &format!("answer {count} to be finished"),
        || {
            // A row of the list is measured before it is shown; until then its words are there and cannot be read.
            let words = app.script(
                "return !![...document.querySelectorAll('[data-testid=\"message-assistant\"]')].at(-1)?.querySelector('[data-testid=\"answer-text\"]')",
                json!([]),
            );
            let shown = app.texts("answer-text").pop().unwrap_or_default();
            (app.texts("message-assistant").len() >= count
                && app.visible("stop").is_empty()
                && (words == json!(false) || !shown.is_empty()))
            .then_some(())
        },
    );
    app.texts("answer-text").pop().unwrap_or_default()
}

/// Waits until the last answer has some text, but the generation goes on, and returns it.
pub fn partial(app: &App<'_>) -> String {
    app.wait(ANSWER_LIMIT, "the answer to begin", || {
        app.texts("answer-text")
            .pop()
            .filter(|text| text.split_whitespace().count() >= 3)
    })
}

/// Waits for `count` chips with a loaded thumbnail each.
pub fn chips(app: &App<'_>, count: usize) {
    app.wait(SOON, &format!("{count} chips with thumbnails"), || {
        let loaded = app.script(
            "return [...document.querySelectorAll('[data-testid=\"chip\"]')].map(chip => { const image = chip.querySelector('img'); return !!image && image.complete && image.naturalWidth > 0 })",
            json!([]),
        );
        let loaded = loaded.as_array()?;
        (loaded.len() == count && loaded.iter().all(|one| one == true)).then_some(())
    });
}

/// Notes every text that the last answer shows from now on.
pub fn watch_answer(app: &App<'_>) {
    app.script(
        "window.seenTexts = [];
         new MutationObserver(() => {
             const text = [...document.querySelectorAll('[data-testid=\"answer-text\"]')].at(-1)?.textContent.trim();
             if (text && text !== window.seenTexts.at(-1)) window.seenTexts.push(text);
         }).observe(document.body, { subtree: true, childList: true, characterData: true });",
        json!([]),
    );
}

/// The texts noted since `watch_answer`, oldest first.
pub fn seen_texts(app: &App<'_>) -> Vec<String> {
    let seen = app.script("return window.seenTexts", json!([]));
    seen.as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str())
        .map(str::to_owned)
        .collect()
}

/// The engine's process, waiting for the app to have started it.
pub fn engine(app: &App<'_>) -> i32 {
    app.wait(Duration::from_secs(20), "an engine process", || {
        app.engine_process()
    })
}
