//! Models and the engine that runs one of them.

use paddock_chat::Chat;
use paddock_conversation::ModelId;
use paddock_engines::EngineSnapshot;
use paddock_models::ModelEntry;
use tauri::{AppHandle, State};

use crate::{dialogs, error::Result};

#[tauri::command]
#[specta::specta]
pub async fn engine_snapshot(chat: State<'_, Chat>) -> Result<EngineSnapshot> {
    Ok(chat.engine_snapshot())
}

#[tauri::command]
#[specta::specta]
pub async fn load_model(chat: State<'_, Chat>, id: ModelId) -> Result<EngineSnapshot> {
    Ok(chat.load_model(id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn restart_engine(chat: State<'_, Chat>) -> Result<EngineSnapshot> {
    Ok(chat.restart_engine().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn list_models(chat: State<'_, Chat>) -> Result<Vec<ModelEntry>> {
    Ok(chat.list_models().await?)
}

/// None if the person cancelled the dialog.
#[tauri::command]
#[specta::specta]
pub async fn choose_model_folder(
    app: AppHandle,
    chat: State<'_, Chat>,
) -> Result<Option<ModelEntry>> {
    match dialogs::model_folder(&app).await {
        Some(path) => Ok(Some(chat.add_local_model(path).await?)),
        None => Ok(None),
    }
}

/// None if the person cancelled the dialog.
#[tauri::command]
#[specta::specta]
pub async fn choose_model_file(
    app: AppHandle,
    chat: State<'_, Chat>,
) -> Result<Option<ModelEntry>> {
    match dialogs::model_file(&app).await {
        Some(path) => Ok(Some(chat.add_local_model(path).await?)),
        None => Ok(None),
    }
}

#[tauri::command]
#[specta::specta]
pub async fn forget_model(chat: State<'_, Chat>, id: ModelId) -> Result<()> {
    Ok(chat.forget_model(id).await?)
}
