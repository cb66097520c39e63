//! The window: Tauri's builder with everything the page may reach, and the end of it all.
//!
//! Outside: what the commands do.

use std::process::ExitCode;

use paddock_chat::Chat;
use tauri::{
    App, AppHandle, Manager, RunEvent, Url, WebviewUrl, WebviewWindowBuilder,
    webview::NewWindowResponse,
};
use tauri_specta::Event;

use crate::{
    bindings,
    clipboard::Offer,
    diagnostics, drop,
    events::{AnswersUnkept, DownloadsChanged, EngineChanged, ModelMissing, SightTested},
    navigation,
    notice::StartNotice,
    places::Places,
    recovery, scheme, single,
};

const TITLE: &str = "Paddock";

pub fn run() -> ExitCode {
    let places = match Places::find() {
        Ok(places) => places,
        Err(sentence) => {
            tell(&sentence);
            return ExitCode::from(1);
        }
    };
    diagnostics::start(&places.data, diagnostics::WINDOW_LOG);
    let contract = bindings::contract();
    let context = tauri::generate_context!();
    let mut builder = tauri::Builder::default();
    // First: a second start is to end before anything else begins.
    if let Some(plugin) = single::plugin(&context.config().identifier, places.chosen_data()) {
        builder = builder.plugin(plugin);
    }
    let app = builder
        .register_asynchronous_uri_scheme_protocol(scheme::NAME, scheme::handle)
        .invoke_handler(contract.invoke_handler())
        .on_window_event(drop::handle)
        .setup(move |app| {
            contract.mount_events(app);
            if let Err(error) = compose(app, places) {
                // Handed on, it would be a panic of the builder.
                tracing::error!(%error, "the window could not be made");
                tell(&format!("Paddock could not start: {error}"));
                std::process::exit(1);
            }
            Ok(())
        })
        .build(context);
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
            tracing::error!(%error, "the window could not be started");
            tell(&format!("Paddock could not start: {error}"));
            ExitCode::from(1)
        }
    }
}

/// The composition root: the use cases on their places, then the window that shows them.
fn compose(app: &mut App, places: Places) -> Result<(), Box<dyn std::error::Error>> {
    let config = places.chat_config();
    let opened = recovery::open(TITLE, &config.data_folder, || {
        tauri::async_runtime::block_on(Chat::open(config.clone()))
    });
    let Some(chat) = opened? else {
        std::process::exit(0);
    };
    forward_engine_changes(app.handle().clone(), &chat);
    forward_downloads(app.handle().clone(), &chat);
    forward_unkept(app.handle().clone(), &chat);
    let page = app.handle().clone();
    tauri::async_runtime::block_on(async {
        // Nobody waits for it; the first picture finds it ready.
        let decoders = chat.pictures().decoders().clone();
        tauri::async_runtime::spawn(async move { decoders.warm().await });
        chat.watch_memory();
        chat.watch_sight(move |model, sight| {
            told("sight", SightTested { model, sight }.emit(&page));
        });
    });
    app.manage(chat.clone());
    app.manage(Offer::default());
    app.manage(StartNotice::default());
    app.manage(places);
    let development = app
        .config()
        .build
        .dev_url
        .clone()
        .filter(|_| tauri::is_dev());
    WebviewWindowBuilder::new(app, single::WINDOW, WebviewUrl::App("index.html".into()))
        .on_navigation(move |url| goes(url, development.as_ref()))
        .on_new_window(|_, _| {
            tracing::warn!("the page wanted to open a window; it may not");
            NewWindowResponse::Deny
        })
        .initialization_script(navigation::MENU_GUARD)
        .title(TITLE)
        .inner_size(1120.0, 780.0)
        .min_inner_size(420.0, 360.0)
        .build()?;
    // The model is loaded while the page is drawn, and not earlier: without a session bus, making a window forks and reads
    // from a pipe until the other end is closed, which an engine process that inherited it would keep open for ever.
    let page = app.handle().clone();
    tauri::async_runtime::block_on(async {
        chat.preload(move |failure| {
            page.state::<StartNotice>().set(failure.clone());
            told("model", ModelMissing(failure).emit(&page));
        });
    });
    Ok(())
}

fn goes(url: &Url, development: Option<&Url>) -> bool {
    let goes = navigation::is_own(url, development);
    if !goes {
        // Not where to: it may be from a conversation.
        tracing::warn!(
            scheme = url.scheme(),
            "the page wanted to go elsewhere; it may not"
        );
    }
    goes
}

/// Without a window there is nobody to tell, and what is told next is whole again: no reason to stop telling.
fn told(what: &str, sent: tauri::Result<()>) {
    if let Err(error) = sent {
        tracing::debug!(%error, what, "the page could not be told");
    }
}

fn forward_engine_changes(app: AppHandle, chat: &Chat) {
    let mut changes = chat.engine_changes();
    tauri::async_runtime::spawn(async move {
        while changes.changed().await.is_ok() {
            let snapshot = changes.borrow_and_update().clone();
            told("engine", EngineChanged(snapshot).emit(&app));
        }
    });
}

fn forward_downloads(app: AppHandle, chat: &Chat) {
    let chat = chat.clone();
    tauri::async_runtime::spawn(async move {
        // Reads what was unfinished; if that fails, what comes later is told nevertheless.
        if let Err(error) = chat.list_downloads().await {
            tracing::warn!(%error, "the list of downloads could not be read");
        }
        let mut changes = chat.download_changes();
        drop(chat);
        while changes.changed().await.is_ok() {
            let downloads = changes.borrow_and_update().clone();
            told("downloads", DownloadsChanged(downloads).emit(&app));
        }
    });
}

fn forward_unkept(app: AppHandle, chat: &Chat) {
    let mut changes = chat.unkept_answers();
    tauri::async_runtime::spawn(async move {
        while changes.changed().await.is_ok() {
            let unkept = changes.borrow_and_update().clone();
            told("unkept", AnswersUnkept(unkept).emit(&app));
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
