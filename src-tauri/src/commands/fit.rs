//! Whether models fit: the catalogue, single plans, and what loads really took.

use paddock_chat::{CatalogueLine, Chat, FitQuestion, FitRecord};
use paddock_models::fit::Fit;
use tauri::State;

use crate::error::Result;

#[tauri::command]
#[specta::specta]
pub async fn model_catalogue(chat: State<'_, Chat>) -> Result<Vec<CatalogueLine>> {
    Ok(chat.catalogue().await?)
}

#[tauri::command]
#[specta::specta]
pub async fn fit(chat: State<'_, Chat>, question: FitQuestion) -> Result<Fit> {
    Ok(chat.fit(question).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn fit_history(chat: State<'_, Chat>) -> Result<Vec<FitRecord>> {
    Ok(chat.fit_history().await?)
}
