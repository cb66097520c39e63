//! Things go wrong: files that are no pictures, an engine or an app that is killed, a model folder that is broken. The
//! window stays, nothing is lost, and a clear sentence says what happened.

use crate::scene::{
    LONG_ANSWER_END, LONG_ANSWER_START, LONG_QUESTION, Scene, ask, chips, engine, finished,
    partial, sample_path, send,
};
use paddock_tests::webdriver::app::SOON;
use paddock_tests::webdriver::process::{Slowed, kill_9, running};
use paddock_tests::webdriver::wait_until;
use std::time::Duration;

#[test]
fn an_engine_killed_in_mid_answer_leaves_the_partial_answer_and_the_next_question_works() {
    let scene = Scene::new();
    let app = scene.open();
    let first = engine(&app);
    let slowed = Slowed::new(first);
    send(&app, LONG_QUESTION);
    let seen = partial(&app);
    kill_9(first);
    drop(slowed);
    let kept = finished(&app, 1);
    app.screenshot("10-engine-killed");
    assert!(
        LONG_ANSWER_START.starts_with(&seen) || seen.starts_with(LONG_ANSWER_START),
        "{seen}"
    );
    assert!(
        kept.starts_with(&seen),
        "{seen:?} was shown, {kept:?} was kept"
    );
    assert!(
        !kept.contains(LONG_ANSWER_END),
        "the answer was complete: nothing was tested"
    );
    app.see("error-card", SOON);
    let said = app.texts("error-card").join(" ");
    assert!(
        said.to_lowercase().contains("engine"),
        "the card does not say what happened: {said}"
    );

    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    assert_ne!(engine(&app), first);
    app.screenshot("11-after-engine-killed");
}

#[test]
fn an_app_killed_in_mid_answer_keeps_what_had_come_and_marks_it() {
    let scene = Scene::new();
    let app = scene.open();
    let slowed = Slowed::new(engine(&app));
    send(&app, LONG_QUESTION);
    let seen = partial(&app);
    // What is shown is in the database soon after.
    app.wait(SOON, "what is shown to be written down", || {
        paddock_tests::database::has_text(&scene.home.data(), &seen).then_some(())
    });
    kill_9(app.process());
    drop(slowed);
    drop(app);

    let app = scene.open();
    app.click("conversation-item");
    let kept = app.wait(SOON, "the answer to be back", || {
        app.texts("answer-text").pop()
    });
    app.screenshot("12-app-killed");
    assert!(
        kept.starts_with(&seen),
        "{seen:?} was shown, {kept:?} was kept"
    );
    assert!(
        !kept.contains(LONG_ANSWER_END),
        "the answer was complete: nothing was tested"
    );
    assert!(
        app.visible("stop").is_empty(),
        "the answer looks as if it were still being written"
    );
    let message = app.texts("message-assistant").join(" ").to_lowercase();
    assert!(
        message.contains("interrupted"),
        "the answer is not marked: {message}"
    );
    // What the demo model makes of a story that breaks off depends on where; a new conversation does not.
    app.click("new-chat");
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
}

#[test]
fn no_engine_outlives_its_app() {
    let scene = Scene::new();
    let app = scene.open();
    let engine = engine(&app);
    kill_9(app.process());
    let ended = wait_until(Duration::from_secs(5), || (!running(engine)).then_some(()));
    assert!(ended.is_some(), "the engine goes on without its app");
}

#[test]
fn files_that_are_no_pictures_get_a_sentence_each_and_the_good_one_is_attached() {
    let scene = Scene::new();
    let whole = std::fs::read(sample_path("red-circle")).unwrap();
    let bad = [
        scene.file("empty.png", b""),
        scene.file("cut off.png", &whole[..whole.len() / 3]),
        // A PNG signature and header that announce 30,000 x 30,000 pixels, and nothing more.
        scene.file(
            "huge.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0\xe9\x45\x6f\xed",
        ),
        scene.file("words.png", b"This is only text.\n"),
        scene.home.files().join("missing.png"),
    ];
    let app = scene.open();
    for (index, file) in bad.iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap();
        scene.drop_on(&app, std::slice::from_ref(file));
        let said = app.wait(SOON, &format!("a sentence about {name}"), || {
            let said = app.texts("error-card").join("\n");
            said.contains(name).then_some(said)
        });
        app.screenshot(&format!("13-refused-{index}"));
        println!("{name}: {}", said.replace('\n', " "));
        assert!(app.visible("chip").is_empty(), "{name} was attached");
    }
    let mut all = bad.to_vec();
    all.insert(2, scene.picture("red-circle", "good.png"));
    scene.drop_on(&app, &all);
    chips(&app, 1);
    assert_eq!(ask(&app, "What is in this image?"), "A red circle.");
}
