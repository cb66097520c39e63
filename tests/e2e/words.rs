//! Questions without pictures: speed, stop, several conversations.

use crate::scene::{
    LONG_ANSWER_END, LONG_ANSWER_START, LONG_QUESTION, Scene, ask, engine, finished, partial, send,
    watch_answer,
};
use paddock_tests::webdriver::app::SOON;
use paddock_tests::webdriver::process::Slowed;

#[test]
fn stop_keeps_what_had_come() {
    let scene = Scene::new();
    let app = scene.open();
    let slowed = Slowed::new(engine(&app));
    send(&app, LONG_QUESTION);
    let seen = partial(&app);
    app.click("stop");
    let kept = finished(&app, 1);
    drop(slowed);
    app.screenshot("20-stopped");
    assert!(
        kept.starts_with(&seen),
        "{seen:?} was shown, {kept:?} was kept"
    );
    assert!(
        !kept.contains(LONG_ANSWER_END),
        "the answer was complete: nothing was tested"
    );
    assert!(app.visible("error-card").is_empty(), "stopping is no error");
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
}

#[test]
fn a_long_answer_arrives_whole() {
    let scene = Scene::new();
    let app = scene.open();
    watch_answer(&app);
    let answer = ask(&app, LONG_QUESTION);
    assert!(
        answer.starts_with(LONG_ANSWER_START) && answer.ends_with(LONG_ANSWER_END),
        "{answer}"
    );
    let seen = crate::scene::seen_texts(&app);
    // How many pieces are seen depends on how fast the model and the page are; that words come while it writes, the test of
    // stopping shows.
    assert!(!seen.is_empty(), "nothing was seen");
    assert!(
        seen.windows(2).all(|pair| pair[1].starts_with(&pair[0])),
        "the text did not only grow"
    );
}

#[test]
fn conversations_are_kept_apart() {
    let scene = Scene::new();
    let app = scene.open();
    ask(&app, "My name is Ada.");
    app.click("new-chat");
    app.wait(SOON, "an empty conversation", || {
        app.texts("message-user").is_empty().then_some(())
    });
    let answer = ask(&app, "Who are you?");
    assert_eq!(answer, "I am a tiny test model.");
    app.wait(SOON, "two conversations", || {
        (app.visible("conversation-item").len() == 2).then_some(())
    });
}
