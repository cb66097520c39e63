//! probe
use paddock_tests::webdriver::{
    app::{App, Home, SOON},
    desktop::Display,
};
use serde_json::json;

#[test]
fn probe() {
    let display = Display::start();
    let home = Home::new();
    std::fs::copy(
        "/work/main/src-tauri/resources/samples/shapes.png",
        home.files().join("shäpes #1.png"),
    )
    .unwrap();
    let png = std::fs::read("/work/main/src-tauri/resources/samples/shapes.png").unwrap();
    display.copy("image/png", &png);
    let app = App::start(&display, &home);
    println!("usable {:?} app {} ", app.usable_after, app.process());
    let log = || {
        app.script(
            "return document.getElementById('log').textContent",
            json!([]),
        )
    };
    println!("{}", app.script("return [document.getElementById('pic').naturalWidth, document.getElementById('remote').naturalWidth]", json!([])));
    app.type_into("composer-input", "hello");
    app.click("send");
    std::thread::sleep(std::time::Duration::from_secs(1));
    println!("middle {:?}", app.middle());
    let drag = display.drag(&[home.files().join("shäpes #1.png")], app.middle());
    app.see("drop-overlay", SOON);
    app.screenshot("probe-overlay");
    println!("accepted {}", drag.release());
    app.focus();
    app.click("composer-input");
    display.press("ctrl+v");
    std::thread::sleep(std::time::Duration::from_secs(1));
    app.click("attach");
    display.choose("Add pictures", &home.files().join("shäpes #1.png"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    println!("{}", log().as_str().unwrap());
    app.screenshot("probe");
}
