//! The window: Tauri's builder with everything the page may reach, and the end of it all.
//!
//! Outside: what the commands do.

use std::process::ExitCode;

use paddock_chat::Chat;
use tauri::{App, AppHandle, Manager, RunEvent, WebviewUrl, WebviewWindowBuilder};
use tauri_specta::Event;

use crate::{
    bindings,
    clipboard::Offer,
    drop,
    events::{DownloadsChanged, EngineChanged, SightTested},
    places::Places,
    scheme,
};

const TITLE: &str = "Paddock";

pub fn run() -> ExitCode {
    let contract = bindings::contract();
    let app = tauri::Builder::default()
        .register_asynchronous_uri_scheme_protocol(scheme::NAME, scheme::handle)
        .invoke_handler(contract.invoke_handler())
        .on_window_event(drop::handle)
        .setup(move |app| {
            contract.mount_events(app);
            compose(app)
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => {
            app.run(|app, event| {
                if let RunEvent::Exit = event {
                    end(app);
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&format!("Paddock could not start: {error}"));
            ExitCode::from(1)
        }
    }
}

/// The composition root: the use cases on their places, then the window that shows them.
fn compose(app: &mut App) -> Result<(), Box<dyn std::error::Error>> {
    let places = Places::find()?;
    let chat = tauri::async_runtime::block_on(Chat::open(places.chat_config()))
        .map_err(|error| error.failure().to_string())?;
    forward_engine_changes(app.handle().clone(), &chat);
    forward_downloads(app.handle().clone(), &chat);
    let page = app.handle().clone();
    tauri::async_runtime::block_on(async {
        // Nobody waits for it; the first picture finds it ready.
        let decoders = chat.pictures().decoders().clone();
        tauri::async_runtime::spawn(async move { decoders.warm().await });
        chat.watch_memory();
        chat.watch_sight(move |model, sight| {
            let _ = SightTested { model, sight }.emit(&page);
        });
    });
    app.manage(chat.clone());
    app.manage(Offer::default());
    WebviewWindowBuilder::new(app, "main", WebviewUrl::App("index.html".into()))
        .title(TITLE)
        .inner_size(1120.0, 780.0)
        .min_inner_size(420.0, 360.0)
        .build()?;
    // The model is loaded while the page is drawn, and not earlier: without a session bus, making a window forks and reads
    // from a pipe until the other end is closed, which an engine process that inherited it would keep open for ever.
    tauri::async_runtime::block_on(async { chat.preload() });
    Ok(())
}

fn forward_engine_changes(app: AppHandle, chat: &Chat) {
    let mut changes = chat.engine_changes();
    tauri::async_runtime::spawn(async move {
        while changes.changed().await.is_ok() {
            let snapshot = changes.borrow_and_update().clone();
            // Without a window there is nobody to tell; the next snapshot is whole again.
            let _ = EngineChanged(snapshot).emit(&app);
        }
    });
}

fn forward_downloads(app: AppHandle, chat: &Chat) {
    let chat = chat.clone();
    tauri::async_runtime::spawn(async move {
        // Reads what was unfinished.
        if chat.list_downloads().await.is_err() {
            return;
        }
        let mut changes = chat.download_changes();
        drop(chat);
        while changes.changed().await.is_ok() {
            let downloads = changes.borrow_and_update().clone();
            // Without a window there is nobody to tell; the next list is whole again.
            let _ = DownloadsChanged(downloads).emit(&app);
        }
    });
}

fn end(app: &AppHandle) {
    if let Some(chat) = app.try_state::<Chat>() {
        tauri::async_runtime::block_on(chat.shutdown());
    }
}

/// A program started from a menu has no terminal: say it in a dialog too.
fn tell(sentence: &str) {
    eprintln!("{sentence}");
    if std::env::var_os("DISPLAY").is_some()
        || std::env::var_os("WAYLAND_DISPLAY").is_some()
        || cfg!(not(target_os = "linux"))
    {
        rfd::MessageDialog::new()
            .set_level(rfd::MessageLevel::Error)
            .set_title(TITLE)
            .set_description(sentence)
            .show();
    }
}
