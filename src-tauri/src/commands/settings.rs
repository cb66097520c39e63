//! Settings, and what this computer has.

use paddock_chat::{Chat, Settings};
use paddock_devices::DeviceReport;
use tauri::State;

use crate::error::Result;

#[tauri::command]
#[specta::specta]
pub async fn device_report(chat: State<'_, Chat>) -> Result<DeviceReport> {
    Ok(chat.device_report().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn update_settings(chat: State<'_, Chat>, settings: Settings) -> Result<Settings> {
    Ok(chat.update_settings(settings).await?)
}
