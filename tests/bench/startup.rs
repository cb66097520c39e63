//! How long a user waits for the window, and for the first word of an answer: measured in the real window, printed, not
//! judged (the machine that runs this may be busy). Run with the release build:
//! `PADDOCK_APP=target/bin/paddock PADDOCK_ENGINE=target/bin/paddock-engine cargo bench -p paddock-tests --bench startup`

use paddock_tests::webdriver::app::{ANSWER_LIMIT, App, Home};
use paddock_tests::webdriver::desktop::Display;
use serde_json::json;
use std::time::Duration;

const RUNS: usize = 7;
const QUESTIONS: [&str; 5] = [
    "Hello",
    "Who are you?",
    "How are you?",
    "What can you do?",
    "Tell me a joke.",
];

/// Notes when Send was pressed and when the first text of the new answer was in the page.
const WATCH: &str = r#"
    window.waits = [];
    let sentAt = null, answers = 0;
    const count = () => document.querySelectorAll('[data-testid="answer-text"]');
    document.addEventListener('click', (event) => {
        if (event.target.closest('[data-testid="send"]')) { sentAt = performance.now(); answers = count().length; }
    }, true);
    new MutationObserver(() => {
        const all = count();
        if (sentAt !== null && all.length > answers && all[all.length - 1].textContent.trim()) {
            window.waits.push(performance.now() - sentAt);
            sentAt = null;
        }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
"#;

fn main() {
    let display = Display::start();
    let mut usable_ms = Vec::new();
    let mut engine_ready_ms = Vec::new();
    let mut first_word_ms = Vec::new();
    for _ in 0..RUNS {
        let home = Home::new();
        let start = std::time::Instant::now();
        let app = App::start(&display, &home);
        usable_ms.push(milliseconds(app.usable_after));
        answer(&app, "Hello");
        engine_ready_ms.push(milliseconds(start.elapsed()));
        app.script(WATCH, json!([]));
        for (asked, question) in QUESTIONS.iter().enumerate() {
            answer(&app, question);
            let waits = app.wait(ANSWER_LIMIT, "a first word", || {
                let waits = app.script("return window.waits", json!([]));
                waits
                    .as_array()
                    .filter(|waits| waits.len() > asked)
                    .cloned()
            });
            first_word_ms.extend(waits.last().and_then(serde_json::Value::as_f64));
        }
    }
    report("window usable after", usable_ms);
    report(
        "first answer of a fresh start complete after",
        engine_ready_ms,
    );
    report("first word after Send", first_word_ms);
}

/// Asks and waits for the end of the answer.
fn answer(app: &App<'_>, question: &str) {
    let before = app.texts("answer-text").len();
    app.type_into("composer-input", question);
    app.click("send");
    app.wait(ANSWER_LIMIT, "the end of an answer", || {
        let done = app.texts("answer-text").len() > before && app.visible("stop").is_empty();
        done.then_some(())
    });
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn report(what: &str, mut values_ms: Vec<f64>) {
    values_ms.sort_by(f64::total_cmp);
    let (Some(best), Some(worst)) = (values_ms.first(), values_ms.last()) else {
        return;
    };
    let median = values_ms[values_ms.len() / 2];
    println!(
        "{what}: {median:.0} ms (median of {}; {best:.0} to {worst:.0})",
        values_ms.len()
    );
}
