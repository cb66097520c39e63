//! One window for one data folder: a second start raises the first one and ends.
//!
//! Outside: the lock of the data folder (the store), which is what holds where the system offers no way to find the first
//! window: then the second start says so in a sentence.

use std::path::Path;

use tauri::{AppHandle, Manager, Wry, plugin::TauriPlugin};

/// The name of the only window.
pub const WINDOW: &str = "main";

/// None where it could not tell windows of two data folders from each other. `chosen`: the data folder, if it is not the
/// user's usual one.
pub fn plugin(identifier: &str, chosen: Option<&Path>) -> Option<TauriPlugin<Wry>> {
    let raise = |app: &AppHandle, _: Vec<String>, _: String| raise(app);
    match chosen {
        None => Some(tauri_plugin_single_instance::init(raise)),
        // Only on Linux can the name be chosen.
        Some(folder) if cfg!(target_os = "linux") => Some(
            tauri_plugin_single_instance::Builder::new()
                .callback(raise)
                .dbus_id(bus_name(identifier, folder))
                .build(),
        ),
        Some(_) => None,
    }
}

/// A name of its own for each data folder: letters and digits, as D-Bus wants it.
fn bus_name(identifier: &str, folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder)
        .or_else(|_| std::path::absolute(folder))
        .unwrap_or_else(|_| folder.to_owned());
    let digits = hex::encode(folder.as_os_str().as_encoded_bytes());
    // A name on the bus may have 255 characters; of a long path the end tells most.
    let end = &digits[digits.len().saturating_sub(160)..];
    format!("{identifier}.data{end}")
}

fn raise(app: &AppHandle) {
    let Some(window) = app.get_webview_window(WINDOW) else {
        return;
    };
    let raised = window
        .unminimize()
        .and_then(|()| window.show())
        .and_then(|()| window.set_focus());
    if let Err(error) = raised {
        tracing::warn!(%error, "the window could not be raised for a second start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_data_folder_has_a_name_that_the_bus_takes() {
        let long = format!("/tmp/{}", "x".repeat(300));
        let names: Vec<String> = ["/tmp/a", "/tmp/ä ö", long.as_str()]
            .iter()
            .map(|folder| bus_name("app.paddock.desktop", Path::new(folder)))
            .collect();
        for name in &names {
            assert!(name.len() + ".SingleInstance".len() <= 255);
            assert!(
                name.split('.')
                    .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())
                        && part.chars().all(|c| c.is_ascii_alphanumeric())),
                "{name}"
            );
        }
        assert_ne!(names[0], names[1]);
    }
}
