//! Files dragged over and dropped on the window, by the system's own drag and drop: WebKitGTK's HTML5 drop
//! delivers no files.
//!
//! Outside: reading and judging the files (the pictures crate).

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
        let outcomes = chat.attach_many(paths).await;
        emit(&window, DropEvent::Dropped { outcomes });
    });
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
