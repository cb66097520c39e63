//! A private X display with real input: mouse, keyboard, clipboard and drag and drop. What is inside the window is the
//! WebDriver client's concern.

use super::{Group, tool, wait_until};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The size of the display in pixels.
pub const SCREEN_PX: (u32, u32) = (1280, 900);
/// Where the drag source sits: the corner that the app's window, moved to the top left, leaves free.
const SOURCE_PX: (u32, u32) = (SCREEN_PX.0 - 40, SCREEN_PX.1 - 40);

/// An X server nobody else sees, and what was put on its clipboard.
#[derive(Debug)]
pub struct Display {
    name: String,
    clipboard_owner: RefCell<Option<Group>>,
    _server: Group,
}

impl Display {
    /// Starts Xvfb on a display number that it finds free itself.
    ///
    /// # Panics
    /// If Xvfb is missing or does not come up within ten seconds.
    #[must_use]
    pub fn start() -> Self {
        let screen = format!("{}x{}x24", SCREEN_PX.0, SCREEN_PX.1);
        let mut server = Group::start("Xvfb", |command| {
            command.args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                &screen,
                "-nolisten",
                "tcp",
                "-noreset",
            ]);
            command.stdout(Stdio::piped()).stderr(Stdio::null());
        });
        let number = first_lines(&mut server)
            .recv_timeout(Duration::from_secs(10))
            .expect("Xvfb did not start");
        Self {
            name: format!(":{number}"),
            clipboard_owner: RefCell::default(),
            _server: server,
        }
    }

    /// Lets `command` open its windows here, with no settings daemon, theme or bus of the machine in the way.
    pub fn furnish(&self, command: &mut Command) {
        command
            .env("DISPLAY", &self.name)
            .env("GSETTINGS_BACKEND", "memory")
            .env("GDK_BACKEND", "x11");
        command.env("NO_AT_BRIDGE", "1");
        for name in ["WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "GTK_THEME"] {
            command.env_remove(name);
        }
    }

    /// Runs xdotool and returns what it printed.
    ///
    /// # Panics
    /// If it fails.
    pub fn xdotool(&self, arguments: &[&str]) -> String {
        tool("xdotool", |command| {
            self.furnish(command);
            command.args(arguments);
        })
    }

    /// The id of the visible window with exactly this title, waiting for it at most `limit`.
    #[must_use]
    pub fn window(&self, title: &str, limit: Duration) -> Option<String> {
        wait_until(limit, || {
            let mut command = Command::new("timeout");
            self.furnish(&mut command);
            let output = command
                .args([
                    "5",
                    "xdotool",
                    "search",
                    "--onlyvisible",
                    "--name",
                    &format!("^{title}$"),
                ])
                .output()
                .ok()?;
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .last()
                .map(str::to_owned)
        })
    }

    /// Gives a window the keyboard.
    pub fn focus(&self, window: &str) {
        self.xdotool(&["windowfocus", "--sync", window]);
    }

    /// Presses keys with their modifiers, for example `ctrl+v`.
    pub fn press(&self, keys: &str) {
        self.xdotool(&["key", "--clearmodifiers", keys]);
    }

    /// Types text with the keyboard.
    pub fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--clearmodifiers", "--delay", "8", text]);
    }

    /// Answers the file dialog with this title by typing a path into it.
    ///
    /// # Panics
    /// If the dialog does not open, or does not close after the path.
    pub fn choose(&self, title: &str, path: &Path) {
        let dialog = self
            .window(title, Duration::from_secs(10))
            .unwrap_or_else(|| panic!("no dialog titled {title}"));
        self.focus(&dialog);
        self.press("ctrl+l");
        self.type_text(&path.to_string_lossy());
        // While the dialog still looks the typed path up, Return only completes it.
        let closed = wait_until(Duration::from_secs(8), || {
            let gone = || self.window(title, Duration::ZERO).is_none().then_some(());
            if wait_until(Duration::from_millis(300), gone).is_some() {
                return Some(());
            }
            let mut command = Command::new("timeout");
            self.furnish(&mut command);
            // Not `press`: the dialog may be gone by now.
            let _ = command
                .args(["5", "xdotool", "key", "--window", &dialog, "Return"])
                .stderr(Stdio::null())
                .status();
            None
        });
        assert!(
            closed.is_some(),
            "the dialog titled {title} stays open on {}",
            path.display()
        );
    }

    /// Puts bytes of a kind (`image/png`, `text/uri-list`, `UTF8_STRING`) on the clipboard, as another program would.
    ///
    /// # Panics
    /// If xclip is missing.
    pub fn copy(&self, kind: &str, bytes: &[u8]) {
        self.clipboard_owner.replace(None);
        let mut owner = Group::start("xclip", |command| {
            self.furnish(command);
            // -quiet keeps it in the foreground, in its group.
            command.args(["-quiet", "-selection", "clipboard", "-target", kind, "-in"]);
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        });
        let mut stdin = owner.child().stdin.take().expect("stdin is piped");
        stdin.write_all(bytes).expect("xclip takes the bytes");
        drop(stdin);
        self.clipboard_owner.replace(Some(owner));
        let offered = wait_until(Duration::from_secs(5), || {
            let mut command = Command::new("timeout");
            self.furnish(&mut command);
            let output = command
                .args([
                    "5",
                    "xclip",
                    "-selection",
                    "clipboard",
                    "-target",
                    "TARGETS",
                    "-out",
                ])
                .output()
                .ok()?;
            String::from_utf8_lossy(&output.stdout)
                .contains(kind)
                .then_some(())
        });
        assert!(offered.is_some(), "the clipboard does not offer {kind}");
    }

    /// The text on the clipboard, as another program would paste it.
    #[must_use]
    pub fn pasted(&self) -> Option<String> {
        let mut command = Command::new("timeout");
        self.furnish(&mut command);
        let kind = ["-selection", "clipboard", "-target", "UTF8_STRING", "-out"];
        let output = command.args(["5", "xclip"]).args(kind).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then_some(text)
    }

    /// Picks the files up from a small window in the corner and moves them, button held, to `over` (screen pixels).
    ///
    /// # Panics
    /// If the drag source does not start.
    #[must_use]
    pub fn drag(&self, files: &[PathBuf], over: (u32, u32)) -> Drag<'_> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/drag_source.py");
        let (x, y) = SOURCE_PX;
        // Not `python3`: one earlier on the path would not have the distribution's GTK bindings.
        let mut source = Group::start("/usr/bin/python3", |command| {
            self.furnish(command);
            command
                .arg(script)
                .args([x.to_string(), y.to_string()])
                .args(files);
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit());
        });
        let words = first_lines(&mut source);
        let ready = words.recv_timeout(Duration::from_secs(10));
        assert_eq!(
            ready.as_deref(),
            Ok("ready"),
            "the drag source did not start"
        );
        let drag = Drag {
            display: self,
            words,
            _source: source,
        };
        drag.glide((x + 20, y + 20), (x + 20, y + 20), 1);
        self.xdotool(&["mousedown", "1"]);
        drag.glide((x + 20, y + 20), over, 12);
        drag
    }
}

/// Files held over a window.
#[derive(Debug)]
pub struct Drag<'display> {
    display: &'display Display,
    words: mpsc::Receiver<String>,
    _source: Group,
}

impl Drag<'_> {
    /// Moves on to another place, as a hand would: in steps.
    pub fn move_to(&self, to: (u32, u32)) {
        let place = self.display.xdotool(&["getmouselocation", "--shell"]);
        let value = |name: &str| {
            place
                .lines()
                .find_map(|line| line.strip_prefix(name)?.parse().ok())
                .expect("xdotool tells where the mouse is")
        };
        self.glide((value("X="), value("Y=")), to, 8);
    }

    /// Lets go. True if the window below took the files.
    ///
    /// # Panics
    /// If the drag does not end within five seconds.
    #[must_use]
    pub fn release(self) -> bool {
        self.display.xdotool(&["mouseup", "1"]);
        self.words
            .recv_timeout(Duration::from_secs(5))
            .expect("the drag did not end")
            == "accepted"
    }

    fn glide(&self, from: (u32, u32), to: (u32, u32), steps: u32) {
        let between = |from: u32, to: u32, step: u32| {
            let moved = (f64::from(to) - f64::from(from)) * f64::from(step) / f64::from(steps);
            (f64::from(from) + moved).round().to_string()
        };
        for step in 1..=steps {
            self.display.xdotool(&[
                "mousemove",
                &between(from.0, to.0, step),
                &between(from.1, to.1, step),
            ]);
        }
    }
}

/// The lines a process prints, read on a thread so that waiting for one can have a limit.
pub(super) fn first_lines(process: &mut Group) -> mpsc::Receiver<String> {
    let stdout = process.child().stdout.take().expect("stdout is piped");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
