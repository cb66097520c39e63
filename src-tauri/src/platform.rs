//! What has to be put right before the window's toolkit is touched: traps of Linux desktops that would otherwise show an empty
//! window or a panic.
//!
//! Outside: where files are (`places`), and what a missing engine, keychain or session bus means; their users say that.
//! On other systems there is nothing to put right.
//!
//! - **The white window.** With NVIDIA's own driver WebKitGTK's DMABUF renderer draws nothing or ends the program, on X11 and on
//!   Wayland. The remedy costs some speed, so it is taken only where that driver is loaded, and never against what the user set.
//!   A variable cannot be changed safely in a running process, so the program starts itself once more with it set.
//! - **No display.** The toolkit would panic; the command line still works, so that is what the sentence says.
//! - **Root with somebody's home** (`sudo paddock`). What is written there the owner could not open later.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::Path,
    process::ExitCode,
};

/// Set by the remedy, and respected if it is set to anything already.
const DMABUF: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
/// Exists while NVIDIA's own driver is loaded, the proprietary or the open kernel module; `nouveau` does not make it.
const NVIDIA_DRIVER: &str = "/proc/driver/nvidia/version";

/// Why there can be no window.
#[derive(Debug, PartialEq, Eq)]
struct NoDisplay;

impl fmt::Display for NoDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "There is no display to open the window on. On a desktop start Paddock from the menu; in this terminal ask with \
             `paddock ask \"What is this?\" --image photo.jpg`.",
        )
    }
}

/// Makes the process fit for a window, or says why it cannot be. May replace the process by itself.
///
/// # Errors
/// The exit code, when the reason has been written to standard error.
pub fn prepare() -> Result<(), ExitCode> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let variable = |name: &str| std::env::var_os(name);
    if let Err(reason) = display(variable) {
        eprintln!("paddock: {reason}");
        return Err(ExitCode::from(1));
    }
    if let Some(warning) = foreign_home(Path::new("/proc/self"), variable("HOME").as_deref()) {
        eprintln!("paddock: {warning}");
    }
    if needs_remedy(variable, Path::new(NVIDIA_DRIVER)) {
        start_again(DMABUF, "1");
    }
    Ok(())
}

fn display(variable: impl Fn(&str) -> Option<OsString>) -> Result<(), NoDisplay> {
    // GDK_BACKEND may name one that needs neither.
    let names = ["DISPLAY", "WAYLAND_DISPLAY", "GDK_BACKEND"];
    let any = names
        .iter()
        .any(|name| variable(name).is_some_and(|value| !value.is_empty()));
    if any { Ok(()) } else { Err(NoDisplay) }
}

fn needs_remedy(variable: impl Fn(&str) -> Option<OsString>, driver: &Path) -> bool {
    variable(DMABUF).is_none() && driver.exists()
}

/// Root is nobody to warn about, unless the home is another's. `process` belongs to whoever runs it.
#[cfg(unix)]
fn foreign_home(process: &Path, home: Option<&OsStr>) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|found| found.uid());
    let home = Path::new(home?);
    (owner(process)? == 0 && owner(home)? != 0).then(|| {
        format!(
            "Paddock runs as root with the home folder of somebody else, {}; what it keeps there the owner cannot open later. \
             Start it without sudo, or set PADDOCK_DATA_DIR.",
            home.display()
        )
    })
}

#[cfg(not(unix))]
fn foreign_home(_process: &Path, _home: Option<&OsStr>) -> Option<String> {
    None
}

/// Replaces this process by the same program with the same arguments and one variable more. Comes back only if that failed, and
/// then the window is tried as it is.
#[cfg(unix)]
fn start_again(name: &str, value: &str) {
    use std::os::unix::process::CommandExt as _;
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(called) = arguments.next() {
        command.arg0(called);
    }
    let error = command.args(arguments).env(name, value).exec();
    tracing::warn!(%error, "the program could not start itself again with {name} set");
}

#[cfg(not(unix))]
fn start_again(_name: &str, _value: &str) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn environment(
        set: &'static [(&'static str, &'static str)],
    ) -> impl Fn(&str) -> Option<OsString> {
        move |name| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(*value))
        }
    }

    #[test]
    fn the_remedy_is_for_nvidia_alone_and_never_against_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let driver = folder.path().join("version");
        assert!(
            !needs_remedy(environment(&[]), &driver),
            "another driver keeps its speed"
        );
        std::fs::write(&driver, "NVRM version: NVIDIA UNIX x86_64 Kernel Module").unwrap();
        assert!(needs_remedy(environment(&[]), &driver));
        // "0" and nothing at all are choices as well; and it is what keeps the second start from being a third.
        for set in [&[(DMABUF, "1")], &[(DMABUF, "0")], &[(DMABUF, "")]] {
            assert!(!needs_remedy(environment(set), &driver), "{set:?}");
        }
    }

    #[test]
    fn without_a_display_there_is_a_sentence_that_names_the_command_line() {
        assert_eq!(display(environment(&[])), Err(NoDisplay));
        assert_eq!(display(environment(&[("DISPLAY", "")])), Err(NoDisplay));
        assert!(NoDisplay.to_string().contains("paddock ask"));
        assert_eq!(display(environment(&[("DISPLAY", ":0")])), Ok(()));
        assert_eq!(
            display(environment(&[("WAYLAND_DISPLAY", "wayland-0")])),
            Ok(())
        );
        assert_eq!(display(environment(&[("GDK_BACKEND", "broadway")])), Ok(()));
    }

    #[test]
    fn only_root_is_warned_and_only_about_the_home_of_somebody_else() {
        use std::os::unix::fs::MetadataExt as _;
        let own = tempfile::tempdir().unwrap();
        let root = Path::new("/");
        assert_eq!(
            std::fs::metadata(root).unwrap().uid(),
            0,
            "the test takes / for root's"
        );
        assert_eq!(foreign_home(root, None), None);
        assert_eq!(foreign_home(root, Some(root.as_os_str())), None);
        assert_eq!(
            foreign_home(own.path(), Some(own.path().as_os_str())),
            None,
            "one's own"
        );
        if std::fs::metadata(own.path()).unwrap().uid() == 0 {
            // Root may give a folder away, as nobody else may.
            std::os::unix::fs::chown(own.path(), Some(12345), None).unwrap();
        }
        let warning = foreign_home(root, Some(own.path().as_os_str())).unwrap();
        assert!(warning.contains("without sudo"), "{warning}");
    }
}
