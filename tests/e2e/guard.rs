//! What the window's page may not do: go elsewhere, open windows, offer to reload; and one window for one data folder.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;

use crate::scene::{Scene, ask};
use paddock_tests::webdriver::app::{App, SOON};
use serde_json::json;

/// A place on the screen: the middle of an element, as shares of the window are no help.
fn middle_of(app: &App<'_>, css: &str) -> [String; 2] {
    let place = app.script(
        "const box = document.querySelector(arguments[0]).getBoundingClientRect();
         return [box.left + box.width / 2 - window.innerWidth / 2, box.top + box.height / 2 - window.innerHeight / 2];",
        json!([css]),
    );
    let middle = app.middle();
    let at = |index: usize, middle: u32| {
        let from_middle = place[index].as_f64().expect("a number");
        (from_middle + f64::from(middle)).round().to_string()
    };
    [at(0, middle.0), at(1, middle.1)]
}

#[test]
fn no_click_takes_the_page_elsewhere() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = format!("http://{}/", elsewhere.local_addr().unwrap());
    let scene = Scene::new();
    let app = scene.open();
    app.script(
        "for (const target of ['', '_blank']) {
             const link = document.createElement('a');
             link.href = arguments[0];
             link.target = target;
             link.textContent = 'elsewhere';
             link.id = 'link' + target;
             link.style = `position: fixed; z-index: 9999; left: 200px; top: ${target ? 200 : 100}px; padding: 20px; background: white`;
             document.body.append(link);
         }",
        json!([address]),
    );
    for css in ["#link", "#link_blank"] {
        let [x, y] = middle_of(&app, css);
        scene.display.xdotool(&["mousemove", &x, &y]);
        for button in ["2", "1"] {
            scene.display.xdotool(&["click", button]);
        }
    }
    for script in [
        "location.href = arguments[0]",
        "window.open(arguments[0])",
        "const form = document.createElement('form'); form.action = arguments[0]; document.body.append(form); form.submit()",
    ] {
        app.script(script, json!([address]));
    }
    // The page is there and works, and nobody came to the other server.
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
    assert_eq!(
        app.script(
            "return document.querySelectorAll('#link').length",
            json!([])
        ),
        1
    );
    // WebKit may open a connection ahead when a link is pressed; that nothing is asked over it is what the guard can see to.
    if let Ok((mut stream, _)) = elsewhere.accept() {
        let mut asked = [0; 64];
        stream.set_nonblocking(true).unwrap();
        let read = stream.read(&mut asked);
        assert!(!matches!(read, Ok(bytes) if bytes > 0), "{asked:?}");
    }
}

#[test]
fn the_web_views_own_menu_is_for_text_alone() {
    let scene = Scene::new();
    let app = scene.open();
    app.script(
        "window.menus = []; addEventListener('contextmenu', (event) => window.menus.push(event.defaultPrevented));",
        json!([]),
    );
    let click = |css: &str| {
        let [x, y] = middle_of(&app, css);
        scene.display.xdotool(&["mousemove", &x, &y, "click", "3"]);
    };
    let menus = |count: usize| {
        app.wait(SOON, "a menu to be asked for", || {
            let menus = app.script("return window.menus", json!([]));
            (menus.as_array()?.len() == count).then_some(menus)
        })
    };
    click("body");
    assert_eq!(menus(1), json!([true]), "reload and back are not offered");
    click("[data-testid=composer-input]");
    assert_eq!(menus(2), json!([true, false]), "copying and pasting are");
    scene.display.press("Escape");
}

#[test]
fn a_second_start_raises_the_first_window_and_ends() {
    let mut scene = Scene::new();
    let bus = scene.home.start_bus(&scene.display);
    let app = scene.open();
    let window = app.window().to_owned();
    scene.display.xdotool(&["windowunmap", "--sync", &window]);
    let mut command = Command::new("timeout");
    scene.display.furnish(&mut command);
    command
        .arg("60")
        .arg(paddock_tests::webdriver::app::binary())
        .env("PADDOCK_DATA_DIR", scene.home.data())
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = scene.display.window("Paddock", SOON);
    assert_eq!(shown.as_deref(), Some(window.as_str()), "it is shown again");
    assert_eq!(ask(&app, "Hello"), "Hello! How can I help you?");
}
