//! Settings, and what this computer has.

use paddock_chat::Chat;
use paddock_devices::DeviceReport;
use paddock_settings::{Settings, SettingsChange};
use tauri::State;

use crate::error::Result;

#[tauri::command]
#[specta::specta]
pub async fn device_report(chat: State<'_, Chat>) -> Result<DeviceReport> {
    Ok(chat.device_report().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn change_settings(
    chat: State<'_, Chat>,
    revision: u32,
    changes: Vec<SettingsChange>,
) -> Result<Settings> {
    Ok(chat.change_settings(Some(revision), changes).await?)
}
