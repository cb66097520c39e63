//! One running Paddock, seen as its user sees it: by the test ids of its page, its title and its processes. What a
//! scenario expects is the tests' concern.

use super::client::{DriverError, Element, Session};
use super::desktop::{Display, first_lines};
use super::{Group, wait_until};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long the page may take for anything that does not involve the model.
pub const SOON: Duration = Duration::from_secs(10);
/// How long an answer of the demo model may take, with its load, on a busy machine.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A user's folders: they outlive the app, so that it can be started again on the same data.
#[derive(Debug)]
pub struct Home {
    folder: tempfile::TempDir,
    engine: Option<PathBuf>,
    /// The address of a session bus.
    bus: Option<String>,
}

/// A session bus of the test's own.
#[derive(Debug)]
pub struct Bus {
    address: String,
    _daemon: Group,
}

impl Bus {
    /// For `DBUS_SESSION_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Home {
    /// Makes an empty one.
    ///
    /// # Panics
    /// If the folder cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder on the disk")]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("paddock-window-")
            .tempdir()
            .expect("a temporary folder");
        Self {
            folder,
            engine: None,
            bus: None,
        }
    }

    /// Gives the app a session bus, which there is none of otherwise.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_bus(&mut self, display: &Display) -> Bus {
        let mut daemon = Group::start("dbus-daemon", |command| {
            display.furnish(command);
            command
                .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
                .stdout(Stdio::piped());
        });
        let address = first_lines(&mut daemon)
            .recv_timeout(SOON)
            .expect("the address of the bus");
        self.bus = Some(address.clone());
        Bus {
            address,
            _daemon: daemon,
        }
    }

    /// Has the app run `words` with its own arguments behind them instead of the engine named by `PADDOCK_ENGINE`.
    ///
    /// # Panics
    /// If the script that does so cannot be written.
    pub fn use_engine(&mut self, words: &[&std::ffi::OsStr]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join("engine");
        let quoted: Vec<String> = words
            .iter()
            .map(|word| format!("'{}'", word.to_string_lossy()))
            .collect();
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", quoted.join(" "));
        std::fs::write(&path, script).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        self.engine = Some(path);
    }

    /// Where Paddock keeps its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place for the test's own files.
    ///
    /// # Panics
    /// If the folder cannot be made.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        let files = self.folder.path().join("files");
        std::fs::create_dir_all(&files).expect("a folder for the test's files");
        files
    }
}

/// A running app and the driver that looks into it. Everything it started ends with this value.
#[derive(Debug)]
pub struct App<'display> {
    session: Session,
    display: &'display Display,
    window: String,
    data: PathBuf,
    driver: Group,
    /// From starting the program until its composer could take text.
    pub usable_after: Duration,
}

impl<'display> App<'display> {
    /// Starts the program named by `PADDOCK_APP` on the data of `home` and waits until one can type.
    ///
    /// # Panics
    /// If it does not come up; the output is in `tests/output/app.log`.
    #[must_use]
    pub fn start(display: &'display Display, home: &Home) -> Self {
        let binary = binary();
        let port = free_port();
        let mut driver = Group::start("WebKitWebDriver", |command| {
            display.furnish(command);
            let own = home.folder.path();
            command
                .arg(format!("--port={port}"))
                .arg("--host=127.0.0.1");
            command
                .env("TAURI_WEBVIEW_AUTOMATION", "true")
                .env("PADDOCK_DATA_DIR", home.data());
            if let Some(engine) = &home.engine {
                command.env("PADDOCK_ENGINE", engine);
            }
            if let Some(bus) = &home.bus {
                command.env("DBUS_SESSION_BUS_ADDRESS", bus);
            }
            // GTK, fontconfig and WebKit write here; nothing of the real user's is read or touched.
            command.env("HOME", own).env("XDG_RUNTIME_DIR", own);
            for (name, folder) in [
                ("XDG_DATA_HOME", "share"),
                ("XDG_CONFIG_HOME", "config"),
                ("XDG_CACHE_HOME", "cache"),
            ] {
                command.env(name, own.join(folder));
            }
            let log = || {
                File::options()
                    .create(true)
                    .append(true)
                    .open(output("app.log"))
                    .expect("tests/output/app.log")
            };
            // Models of other programs, and servers, that only the real user has.
            for name in [
                "HF_HOME",
                "HF_HUB_CACHE",
                "HUGGINGFACE_HUB_CACHE",
                "OLLAMA_MODELS",
                "HF_ENDPOINT",
                "HF_TOKEN",
            ] {
                command.env_remove(name);
            }
            command
                .stdout(Stdio::from(log()))
                .stderr(Stdio::from(log()));
        });
        let address = ("127.0.0.1", port);
        let listening = wait_until(SOON, || std::net::TcpStream::connect(address).ok());
        assert!(
            listening.is_some() && driver.alive(),
            "WebKitWebDriver does not listen"
        );
        let start = Instant::now();
        let session = Session::open(port, &binary)
            .unwrap_or_else(|error| panic!("{} did not open a window: {error}", binary.display()));
        let window = display
            .window("Paddock", SOON)
            .expect("a window titled Paddock");
        // Top left, so that the corner with the drag source stays free.
        display.xdotool(&["windowmove", &window, "0", "0"]);
        let mut app = Self {
            session,
            display,
            window,
            data: home.data(),
            driver,
            usable_after: Duration::ZERO,
        };
        app.see("composer-input", SOON);
        app.usable_after = start.elapsed();
        app
    }

    /// The element with this test id, waiting for it to be there and visible.
    ///
    /// # Panics
    /// If it does not appear within `limit`; a screenshot is kept.
    pub fn see(&self, id: &str, limit: Duration) -> Element {
        self.wait(limit, &format!("{id} to be visible"), || {
            self.visible(id).pop()
        })
    }

    /// The visible elements with this test id.
    #[must_use]
    pub fn visible(&self, id: &str) -> Vec<Element> {
        let css = by_id(id);
        let flags = self.script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0)",
            json!([css]),
        );
        let elements = self.session.find_all(&css).unwrap_or_default();
        let flags = flags.as_array().cloned().unwrap_or_default();
        elements
            .into_iter()
            .zip(flags)
            .filter(|(_, shown)| shown == &Value::Bool(true))
            .map(|(element, _)| element)
            .collect()
    }

    /// Waits until no element with this test id is visible.
    ///
    /// # Panics
    /// If one still is after `limit`.
    pub fn gone(&self, id: &str, limit: Duration) {
        self.wait(limit, &format!("{id} to go"), || {
            self.visible(id).is_empty().then_some(())
        });
    }

    /// The text of every element with this test id, in document order.
    #[must_use]
    pub fn texts(&self, id: &str) -> Vec<String> {
        let found = self.script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText.trim())",
            json!([by_id(id)]),
        );
        found
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// Clicks the first visible element with this test id, waiting for it.
    ///
    /// # Panics
    /// If it is not there, covered or out of reach.
    pub fn click(&self, id: &str) {
        self.wait(SOON, &format!("{id} to be clickable"), || {
            let element = self.visible(id).into_iter().next()?;
            self.session.click(&element).ok()
        });
    }

    /// Types text into the element with this test id.
    ///
    /// # Panics
    /// If it is not there or takes no text.
    pub fn type_into(&self, id: &str, text: &str) {
        let element = self.see(id, SOON);
        if let Err(error) = self.session.send_keys(&element, text) {
            self.give_up(&format!("{id} took no text: {error}"));
        }
    }

    /// Runs a script in the page.
    ///
    /// # Panics
    /// If it throws.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write json! in place"
    )]
    pub fn script(&self, script: &str, arguments: Value) -> Value {
        match self.session.script(script, arguments.clone()) {
            Ok(value) => value,
            Err(error) => self.give_up(&format!("`{script}` with {arguments}: {error}")),
        }
    }

    /// Gives the window the keyboard, as clicking its title would.
    pub fn focus(&self) {
        self.display.focus(&self.window);
    }

    /// The window, as xdotool knows it.
    #[must_use]
    pub fn window(&self) -> &str {
        &self.window
    }

    /// The middle of the window in screen pixels.
    #[must_use]
    pub fn middle(&self) -> (u32, u32) {
        let shell = self
            .display
            .xdotool(&["getwindowgeometry", "--shell", &self.window]);
        let value = |name: &str| {
            shell
                .lines()
                .find_map(|line| line.strip_prefix(name)?.parse::<u32>().ok())
                .expect("a geometry")
        };
        (
            value("X=") + value("WIDTH=") / 2,
            value("Y=") + value("HEIGHT=") / 2,
        )
    }

    /// Asks `probe` until it answers.
    ///
    /// # Panics
    /// With `what` if it has not after `limit`; a screenshot is kept.
    pub fn wait<T>(&self, limit: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        match wait_until(limit, probe) {
            Some(found) => found,
            None => self.give_up(&format!("waited {limit:?} for {what}")),
        }
    }

    /// Writes what the window shows to `tests/output/NAME.png`.
    ///
    /// # Panics
    /// If the picture cannot be taken or written.
    pub fn screenshot(&self, name: &str) {
        let png = self.session.screenshot().expect("a screenshot");
        std::fs::write(output(&format!("{name}.png")), png).expect("a screenshot in tests/output");
    }

    /// The app's own process.
    ///
    /// # Panics
    /// If it is not running.
    #[must_use]
    pub fn process(&self) -> i32 {
        self.processes().0.expect("the app is running")
    }

    /// The engine's process, if one is running under this app.
    #[must_use]
    pub fn engine_process(&self) -> Option<i32> {
        self.processes().1
    }

    /// Whether the driver still reaches the page.
    ///
    /// # Errors
    /// What the driver says.
    pub fn alive(&self) -> Result<(), DriverError> {
        self.session.script("return 1", json!([])).map(drop)
    }

    /// The app and its engine, told from others by the data folder in their environment.
    fn processes(&self) -> (Option<i32>, Option<i32>) {
        let mark: OsString = format!("PADDOCK_DATA_DIR={}", self.data.display()).into();
        let mark = mark.as_encoded_bytes();
        let app = binary();
        let mut found = (None, None);
        for entry in std::fs::read_dir("/proc")
            .expect("a process list")
            .flatten()
        {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let Ok(exe) = std::fs::read_link(entry.path().join("exe")) else {
                continue;
            };
            if exe == app
                && std::fs::read(entry.path().join("environ"))
                    .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == mark))
            {
                found.0 = Some(pid);
            }
        }
        let Some(parent) = found.0 else { return found };
        for entry in std::fs::read_dir("/proc")
            .expect("a process list")
            .flatten()
        {
            let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else {
                continue;
            };
            let value = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name).map(str::trim))
            };
            // Ended, but not yet collected by its parent: not running.
            let ended = value("State:").is_some_and(|state| state.starts_with('Z'));
            if !ended
                && value("PPid:") == Some(&parent.to_string())
                && value("Name:").is_some_and(|name| name.starts_with("paddock-engine"))
            {
                found.1 = value("Pid:").and_then(|pid| pid.parse().ok());
            }
        }
        found
    }

    fn give_up(&self, why: &str) -> ! {
        let name = format!(
            "failure-{}",
            std::thread::current()
                .name()
                .unwrap_or("test")
                .replace("::", "-")
        );
        match self.session.screenshot() {
            Ok(png) => drop(std::fs::write(output(&format!("{name}.png")), png)),
            Err(error) => eprintln!("no screenshot either: {error}"),
        }
        panic!("{why} (what it looked like: tests/output/{name}.png)");
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        // The driver ends the program with the session; its group goes in any case.
        let _ = self.session.close();
        let _ = self.driver.alive();
    }
}

/// A file in `tests/output`, which is made if needed.
///
/// # Panics
/// If the folder cannot be made.
#[must_use]
pub fn output(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("output");
    std::fs::create_dir_all(&folder).expect("tests/output");
    folder.join(name)
}

/// The program under test.
///
/// # Panics
/// If `PADDOCK_APP` does not name it.
#[must_use]
pub fn binary() -> PathBuf {
    let named = std::env::var_os("PADDOCK_APP")
        .expect("PADDOCK_APP names the program to test; ./test sets it");
    std::fs::canonicalize(&named)
        .unwrap_or_else(|error| panic!("PADDOCK_APP={}: {error}", named.display()))
}

fn by_id(id: &str) -> String {
    format!("[data-testid=\"{id}\"]")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
