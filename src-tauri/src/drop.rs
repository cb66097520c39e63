//! Files dragged over and dropped on the window, by the system's own drag and drop: WebKitGTK's HTML5 drop
//! delivers no files.
//!
//! Outside: reading and judging the files (the use case `attach_file`).

use std::path::{Path, PathBuf};

use paddock_chat::Chat;
use tauri::{DragDropEvent, Manager, Window, WindowEvent};
use tauri_specta::Event;

use crate::events::DropEvent;

pub fn handle(window: &Window, event: &WindowEvent) {
    let WindowEvent::DragDrop(drag) = event else {
        return;
    };
    match drag {
        DragDropEvent::Enter { paths, .. } => {
            let images = paths.iter().filter(|path| looks_like_picture(path)).count();
            emit(
                window,
                DropEvent::Entered {
                    images: count(images),
                    others: count(paths.len() - images),
                },
            );
        }
        DragDropEvent::Leave => emit(window, DropEvent::Left),
        DragDropEvent::Drop { paths, .. } => take(window.clone(), paths.clone()),
        _ => {}
    }
}

fn take(window: Window, paths: Vec<PathBuf>) {
    emit(
        &window,
        DropEvent::Reading {
            files: count(paths.len()),
        },
    );
    let chat = window.state::<Chat>().inner().clone();
    tauri::async_runtime::spawn(async move {
        let outcomes = attach_files(&chat, paths).await;
        emit(&window, DropEvent::Dropped { outcomes });
    });
}

/// Attaches several files at once; the outcomes are in the order of the files.
pub async fn attach_files(chat: &Chat, paths: Vec<PathBuf>) -> Vec<paddock_chat::AttachOutcome> {
    let reading: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let chat = chat.clone();
            tauri::async_runtime::spawn(async move { chat.attach_file(path).await })
        })
        .collect();
    let mut outcomes = Vec::with_capacity(reading.len());
    for task in reading {
        match task.await {
            Ok(outcome) => outcomes.push(outcome),
            // The use case does not panic; if it ever does, the file is refused and not silently gone.
            Err(_) => outcomes.push(paddock_chat::AttachOutcome::Refused {
                name: String::new(),
                failure: paddock_conversation::Failure::new(
                    "unreadable",
                    "One file could not be read.",
                    "Try another picture.",
                ),
            }),
        }
    }
    outcomes
}

/// Only for the words on the overlay; what a file is, its content tells.
fn looks_like_picture(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            paddock_decode::Format::EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str())
        })
}

fn emit(window: &Window, event: DropEvent) {
    // A window that is closing has nobody to tell.
    let _ = event.emit_to(window, window.label());
}

fn count(files: usize) -> u32 {
    u32::try_from(files).unwrap_or(u32::MAX)
}
