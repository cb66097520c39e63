//! The first picture of everything, and what reaches out of the window.

use paddock_chat::{Chat, default_hub_endpoint};
use paddock_conversation::ConversationSummary;
use paddock_devices::DeviceReport;
use paddock_engines::EngineSnapshot;
use paddock_models::ModelEntry;
use paddock_settings::Settings;
use serde::Serialize;
use specta::Type;
use tauri::State;

use crate::{
    clipboard::Offer,
    error::{CommandError, Result},
};

/// All that the first paint needs, in one answer.
#[derive(Debug, Clone, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AppSnapshot {
    pub version: String,
    pub settings: Settings,
    pub engine: EngineSnapshot,
    pub conversations: Vec<ConversationSummary>,
    pub models: Vec<ModelEntry>,
    pub devices: DeviceReport,
    /// The server that models are downloaded from where the settings name none.
    pub default_hub_endpoint: String,
}

#[tauri::command]
#[specta::specta]
pub async fn app_snapshot(chat: State<'_, Chat>) -> Result<AppSnapshot> {
    let (settings, conversations, models, devices) = tokio::join!(
        chat.settings(),
        chat.list_conversations(None),
        chat.list_models(),
        chat.device_report()
    );
    Ok(AppSnapshot {
        version: env!("CARGO_PKG_VERSION").into(),
        settings,
        engine: chat.engine_snapshot(),
        conversations: conversations?,
        models: models?,
        devices: devices?,
        default_hub_endpoint: default_hub_endpoint(),
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
    offer.text(text)
}
