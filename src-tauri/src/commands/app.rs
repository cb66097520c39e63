//! The first picture of everything, and what reaches out of the window.

use paddock_chat::{Chat, default_hub_endpoint};
use paddock_conversation::{ConversationSummary, Failure};
use paddock_devices::DeviceReport;
use paddock_engines::EngineSnapshot;
use paddock_settings::Settings;
use serde::Serialize;
use specta::Type;
use tauri::State;

use crate::{
    clipboard::Offer,
    diagnostics,
    error::{CommandError, Result},
    notice::StartNotice,
    places::Places,
};

/// All that the first paint needs, in one answer. The list of models is not: reading every folder takes time, and one that
/// cannot be read must not keep the window from opening.
#[derive(Debug, Clone, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AppSnapshot {
    pub version: String,
    pub settings: Settings,
    pub engine: EngineSnapshot,
    pub conversations: Vec<ConversationSummary>,
    pub devices: DeviceReport,
    /// The server that models are downloaded from where the settings name none.
    pub default_hub_endpoint: String,
    /// Why the chosen model is not loaded, if that is known by now; else it comes as an event.
    pub notice: Option<Failure>,
}

#[tauri::command]
#[specta::specta]
pub async fn app_snapshot(
    chat: State<'_, Chat>,
    notice: State<'_, StartNotice>,
) -> Result<AppSnapshot> {
    let (settings, conversations, devices) = tokio::join!(
        chat.settings(),
        chat.list_conversations(None),
        chat.device_report()
    );
    Ok(AppSnapshot {
        version: env!("CARGO_PKG_VERSION").into(),
        settings,
        engine: chat.engine_snapshot(),
        conversations: conversations?,
        devices: devices?,
        default_hub_endpoint: default_hub_endpoint(),
        notice: notice.get(),
    })
}

/// Opens a link of an answer in the user's browser. Only web addresses: an answer is not trusted to start
/// anything else.
#[tauri::command]
#[specta::specta]
pub async fn open_link(url: String) -> Result<()> {
    let allowed = tauri::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !allowed {
        return Err(CommandError::new(
            "link_refused",
            "Only links to web pages (http and https) are opened.",
            "Copy the link if you trust it.",
        ));
    }
    open::that_detached(url).map_err(|_| {
        CommandError::new(
            "no_browser",
            "No web browser could be opened.",
            "Copy the link and open it by hand.",
        )
    })
}

#[tauri::command]
#[specta::specta]
pub async fn copy_text(offer: State<'_, Offer>, text: String) -> Result<()> {
    let offer = offer.inner().clone();
    tauri::async_runtime::spawn_blocking(move || offer.text(text))
        .await
        .map_err(|error| {
            tracing::warn!(%error, "copying ended early");
            CommandError::new(
                "clipboard_unwritable",
                "The text could not be copied.",
                "Select it and copy it by hand.",
            )
        })?
}

/// What to send to somebody who helps: versions, hardware, model, settings, the end of the log; without what is private.
#[tauri::command]
#[specta::specta]
pub async fn diagnostics(chat: State<'_, Chat>, places: State<'_, Places>) -> Result<String> {
    Ok(diagnostics::of_window(&chat, &places).await.text())
}
