//! Looking closer: a part of a picture, turning, comparing, the gallery; and what is said when a receipt does not match.

use crate::scene::{Scene, ask, chips};
use paddock_tests::webdriver::app::{App, SOON};
use serde_json::json;

const QUESTION: &str = "What is in this image?";

/// Presses the mouse at one place of an element and lets go at another (shares of its box), as a hand would.
fn drag_over(app: &App<'_>, scene: &Scene, id: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = app.see(id, SOON);
    let measured = || {
        app.script(
            "const box = document.querySelector(`[data-testid=\"${arguments[0]}\"]`).getBoundingClientRect();
             return [box.left, box.top, box.width, box.height, window.innerWidth, window.innerHeight];",
            json!([id]),
        )
    };
    // The bar above it makes the stage smaller a moment after it is there.
    let mut before = json!(null);
    let box_px = app.wait(SOON, "the picture to lie still", || {
        let now = measured();
        (std::mem::replace(&mut before, now.clone()) == now).then_some(now)
    });
    let number = |index: usize| box_px[index].as_f64().expect("a number");
    let middle = app.middle();
    // The page fills the window, whose middle is known in screen pixels.
    let place = |share: (f64, f64)| {
        let x = number(0) + number(2) * share.0 - number(4) / 2.0 + f64::from(middle.0);
        let y = number(1) + number(3) * share.1 - number(5) / 2.0 + f64::from(middle.1);
        [x.round().to_string(), y.round().to_string()]
    };
    let mouse = |arguments: &[&str]| scene.display.xdotool(arguments);
    let [x, y] = place(from);
    mouse(&["mousemove", &x, &y]);
    mouse(&["mousedown", "1"]);
    for step in 1..=6 {
        let share = f64::from(step) / 6.0;
        let [x, y] = place((
            from.0 + (to.0 - from.0) * share,
            from.1 + (to.1 - from.1) * share,
        ));
        mouse(&["mousemove", &x, &y]);
    }
    mouse(&["mouseup", "1"]);
}

fn chip_names(app: &App<'_>) -> Vec<String> {
    app.texts("chip")
        .iter()
        .map(|text| text.lines().next().unwrap_or_default().to_owned())
        .collect()
}

fn open_chip(app: &App<'_>) {
    app.script(
        "document.querySelector('[data-testid=\"chip\"] button').click()",
        json!([]),
    );
    app.see("look", SOON);
}

#[test]
fn a_part_is_cut_out_asked_about_and_put_back() {
    let scene = Scene::new();
    let picture = scene.picture("square-and-star", "two things.png");
    let app = scene.open();
    scene.drop_on(&app, std::slice::from_ref(&picture));
    chips(&app, 1);
    open_chip(&app);
    app.click("look-select");
    drag_over(&app, &scene, "selection", (0.52, 0.02), (0.98, 0.98));
    app.see("crop-part", SOON);
    app.screenshot("50-part-chosen");
    app.click("crop-part");
    app.wait(SOON, "the part to stand in the composer", || {
        (chip_names(&app) == ["Part of two things.png"]).then_some(())
    });
    // Undo, and once more: the picture itself was never changed.
    app.click("look-undo");
    app.wait(SOON, "the picture to be back", || {
        (chip_names(&app) == ["two things.png"]).then_some(())
    });
    app.click("look-select");
    drag_over(&app, &scene, "selection", (0.52, 0.02), (0.98, 0.98));
    app.click("crop-part");
    app.wait(SOON, "the part to stand in the composer", || {
        (chip_names(&app) == ["Part of two things.png"]).then_some(())
    });
    app.focus();
    scene.display.press("Escape");
    app.gone("look", SOON);
    chips(&app, 1);
    let answer = ask(&app, QUESTION);
    assert!(
        answer.contains("star") && !answer.contains("square"),
        "{answer}"
    );
}

#[test]
fn a_part_of_a_picture_that_was_sent_is_asked_about_by_keyboard() {
    let scene = Scene::new();
    let picture = scene.picture("square-and-star", "two things.png");
    let app = scene.open();
    scene.drop_on(&app, std::slice::from_ref(&picture));
    chips(&app, 1);
    ask(&app, QUESTION);
    app.script(
        "document.querySelector('[data-testid=\"message-user\"] button img').closest('button').click()",
        json!([]),
    );
    app.see("look", SOON);
    app.focus();
    scene.display.press("p");
    app.see("selection", SOON);
    // The middle half first; then to the left edge, and as high as the picture.
    for key in std::iter::once("Right")
        .chain(std::iter::repeat_n("Left", 13))
        .chain(std::iter::repeat_n("Up", 13))
        .chain(std::iter::repeat_n("shift+Down", 26))
    {
        scene.display.press(key);
    }
    app.screenshot("51-part-by-keyboard");
    app.click("ask-part");
    app.gone("look", SOON);
    chips(&app, 1);
    assert_eq!(chip_names(&app), ["Part of two things.png"]);
    let answer = ask(&app, QUESTION);
    assert!(
        answer.contains("square") && !answer.contains("star"),
        "{answer}"
    );
}

#[test]
fn pictures_are_turned_compared_and_found_again() {
    let scene = Scene::new();
    let files = [
        scene.picture("square-and-star", "wide.png"),
        scene.picture("red-circle", "round.png"),
    ];
    let app = scene.open();
    scene.drop_on(&app, &files);
    chips(&app, 2);
    open_chip(&app);
    let shape = || {
        let size = app.script(
            "const image = document.querySelector('[data-testid=\"look\"] img');
             return image && image.complete ? [image.naturalWidth, image.naturalHeight] : [0, 0];",
            json!([]),
        );
        (size[0].as_u64().unwrap_or(0), size[1].as_u64().unwrap_or(0))
    };
    let upright = app.wait(SOON, "the picture", || (shape().0 > 0).then(&shape));
    app.click("look-turn-right");
    app.wait(SOON, "the turned picture", || {
        (shape() == (upright.1, upright.0) && upright.0 != upright.1).then_some(())
    });
    app.click("look-undo");
    app.wait(SOON, "the picture upright again", || {
        (shape() == upright).then_some(())
    });
    app.click("look-compare");
    app.wait(SOON, "two pictures side by side", || {
        let count = app.script(
            "return [...document.querySelectorAll('[data-testid=\"look\"] .pane img')].filter(image => image.naturalWidth > 0).length",
            json!([]),
        );
        (count == 2).then_some(())
    });
    app.screenshot("52-compare");
    app.focus();
    scene.display.press("Escape");
    app.gone("look", SOON);
    ask(&app, "Which image shows a circle?");
    app.click("open-gallery");
    app.see("gallery", SOON);
    app.wait(SOON, "both pictures in the gallery", || {
        (app.texts("gallery").first()?.matches(".png").count() == 2).then_some(())
    });
    app.screenshot("53-gallery");
    app.script(
        "document.querySelectorAll('[data-testid=\"gallery\"] button')[1].click()",
        json!([]),
    );
    app.see("look", SOON);
    let name = app.texts("look").concat();
    assert!(
        name.contains("2 of 2") && name.contains("round.png"),
        "{name}"
    );
}

#[test]
fn the_pages_of_a_document_are_chosen_one_by_one() {
    let scene = Scene::new();
    let pages =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images/intake/pages.pdf");
    let file = scene.file("report.pdf", &std::fs::read(pages).expect("the fixture"));
    let app = scene.open();
    scene.drop_on(&app, std::slice::from_ref(&file));
    chips(&app, 1);
    let shown = || app.texts("page-number");
    assert_eq!(shown(), ["page 1 of 3"]);
    app.click("page-next");
    app.wait(SOON, "the second page", || {
        (shown() == ["page 2 of 3"]).then_some(())
    });
    app.click("page-add");
    app.wait(SOON, "two pages beside each other", || {
        (shown() == ["page 2 of 3", "page 3 of 3"]).then_some(())
    });
    chips(&app, 2);
    // The demo model cuts a page into tiles, and the chip shows where.
    app.wait(SOON, "the tiles on the chips", || {
        (app.visible("chip-grid").len() == 2).then_some(())
    });
    app.screenshot("56-pages");
    ask(&app, QUESTION);
    app.click("details");
    app.wait(SOON, "a receipt for each page", || {
        (app.texts("receipt").len() == 2).then_some(())
    });
}

#[test]
fn a_picture_is_described_for_those_who_hear_the_window() {
    let scene = Scene::new();
    let picture = scene.picture("red-circle", "circle.png");
    let app = scene.open();
    scene.drop_on(&app, std::slice::from_ref(&picture));
    chips(&app, 1);
    open_chip(&app);
    app.type_into("look-alt", "A red circle on white\u{e007}");
    app.focus();
    scene.display.press("Escape");
    app.gone("look", SOON);
    ask(&app, QUESTION);
    let alt = app.script(
        "return document.querySelector('[data-testid=\"message-user\"] img').alt",
        json!([]),
    );
    assert_eq!(alt, "A red circle on white");
}

#[test]
fn an_engine_that_lies_about_a_picture_is_not_believed() {
    let mut scene = Scene::new();
    scene.home.use_engine(&[
        env!("CARGO_BIN_EXE_lying-engine").as_ref(),
        std::env::var_os("PADDOCK_ENGINE")
            .expect("PADDOCK_ENGINE")
            .as_ref(),
    ]);
    let picture = scene.picture("red-circle", "circle.png");
    let app = scene.open();
    scene.drop_on(&app, std::slice::from_ref(&picture));
    chips(&app, 1);
    assert_eq!(ask(&app, QUESTION), "A red circle.");
    app.see("unseen", SOON);
    let receipt = app.texts("receipt");
    assert!(receipt[0].contains("20 were planned"), "{receipt:?}");
    app.screenshot("54-receipt-mismatch");
    // The picture is a part of the next prompt, too.
    ask(&app, "Hello");
    app.wait(SOON, "both answers to say so", || {
        (app.visible("unseen").len() == 2).then_some(())
    });
}

#[test]
fn the_models_sight_is_tested_and_shown() {
    let scene = Scene::new();
    let app = scene.open();
    app.click("model-pill");
    app.wait(SOON, "the badge", || {
        (app.texts("sight") == ["sees"]).then_some(())
    });
    app.screenshot("55-sight");
}
