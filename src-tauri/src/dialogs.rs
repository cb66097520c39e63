//! The system's file dialogs.
//!
//! Outside: what is done with the chosen files.

use std::path::PathBuf;

use rfd::{AsyncFileDialog, FileHandle};
use tauri::AppHandle;
use tokio::sync::oneshot;

/// Pictures to attach; empty if the person cancelled.
pub async fn pictures(app: &AppHandle) -> Vec<PathBuf> {
    let picked = on_main_thread(app, move || {
        AsyncFileDialog::new()
            .set_title("Add pictures")
            .add_filter("Pictures", paddock_decode::Format::EXTENSIONS)
            .add_filter("All files", &["*"])
            .pick_files()
    });
    picked
        .await
        .flatten()
        .unwrap_or_default()
        .iter()
        .map(|file| file.path().to_path_buf())
        .collect()
}

/// A folder with a model in it.
pub async fn model_folder(app: &AppHandle) -> Option<PathBuf> {
    let picked = on_main_thread(app, || {
        at_home(AsyncFileDialog::new())
            .set_title("Choose a model folder")
            .pick_folder()
    });
    path(picked.await.flatten())
}

/// A GGUF file.
pub async fn model_file(app: &AppHandle) -> Option<PathBuf> {
    let picked = on_main_thread(app, || {
        at_home(AsyncFileDialog::new())
            .set_title("Choose a model file")
            .add_filter("GGUF models", &["gguf"])
            .pick_file()
    });
    path(picked.await.flatten())
}

/// GTK begins with the recently used files otherwise, where no folder can be opened.
fn at_home(dialog: AsyncFileDialog) -> AsyncFileDialog {
    match dirs::home_dir() {
        Some(home) => dialog.set_directory(home),
        None => dialog,
    }
}

fn path(file: Option<FileHandle>) -> Option<PathBuf> {
    file.map(|file| file.path().to_path_buf())
}

/// GTK and AppKit want the dialog to be made on the main thread; it is awaited elsewhere. None if the
/// program is ending.
async fn on_main_thread<T, F>(
    app: &AppHandle,
    open: impl FnOnce() -> F + Send + 'static,
) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    app.run_on_main_thread(move || {
        let dialog = open();
        tauri::async_runtime::spawn(async move {
            // A receiver that is gone means a window that is gone.
            let _ = sender.send(dialog.await);
        });
    })
    .ok()?;
    receiver.await.ok()
}
