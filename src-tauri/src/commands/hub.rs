//! The Hub: searching, looking before downloading, the downloads, the access token.

use paddock_chat::{Chat, HubTokenState, HubWish};
use paddock_hub::{Download, HubHit, Preflight};
use tauri::State;

use crate::error::Result;

#[tauri::command]
#[specta::specta]
pub async fn hub_search(chat: State<'_, Chat>, query: String) -> Result<Vec<HubHit>> {
    Ok(chat.hub_search(&query).await?)
}

/// `text`: `owner/name`, or the address of a page or of one file.
#[tauri::command]
#[specta::specta]
pub async fn hub_preflight(chat: State<'_, Chat>, text: String) -> Result<Preflight> {
    Ok(chat.hub_preflight(&text, &HubWish::default()).await?)
}

/// `repository`: as `text` of [`hub_preflight`].
#[tauri::command]
#[specta::specta]
pub async fn start_download(
    chat: State<'_, Chat>,
    repository: String,
    licence_accepted: bool,
) -> Result<Vec<Download>> {
    chat.start_download(&repository, licence_accepted, &HubWish::default())
        .await?;
    Ok(chat.list_downloads().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn pause_download(chat: State<'_, Chat>, id: String) -> Result<Vec<Download>> {
    Ok(chat.pause_download(&id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn resume_download(chat: State<'_, Chat>, id: String) -> Result<Vec<Download>> {
    Ok(chat.resume_download(&id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn remove_download(chat: State<'_, Chat>, id: String) -> Result<Vec<Download>> {
    Ok(chat.remove_download(id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn list_downloads(chat: State<'_, Chat>) -> Result<Vec<Download>> {
    Ok(chat.list_downloads().await?)
}

/// Where the token comes from, or why that cannot be said.
#[tauri::command]
#[specta::specta]
pub async fn hub_token_place(chat: State<'_, Chat>) -> Result<HubTokenState> {
    Ok(chat.hub_token_place().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn keep_hub_token(chat: State<'_, Chat>, token: String) -> Result<()> {
    Ok(chat.keep_hub_token(&token).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn forget_hub_token(chat: State<'_, Chat>) -> Result<()> {
    Ok(chat.forget_hub_token().await?)
}
