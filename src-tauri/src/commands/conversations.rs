//! Conversations, their branches and drafts.

use paddock_chat::Chat;
use paddock_conversation::{
    ConversationId, ConversationSummary, ConversationView, Draft, ImageId, MessageId,
};
use tauri::State;

use crate::error::Result;

#[tauri::command]
#[specta::specta]
pub async fn list_conversations(
    chat: State<'_, Chat>,
    query: Option<String>,
) -> Result<Vec<ConversationSummary>> {
    Ok(chat.list_conversations(query).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn open_conversation(
    chat: State<'_, Chat>,
    id: ConversationId,
) -> Result<ConversationView> {
    Ok(chat.open_conversation(id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn rename_conversation(
    chat: State<'_, Chat>,
    id: ConversationId,
    title: String,
) -> Result<ConversationSummary> {
    Ok(chat.rename_conversation(id, title).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn delete_conversation(chat: State<'_, Chat>, id: ConversationId) -> Result<()> {
    Ok(chat.delete_conversation(id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn restore_conversation(
    chat: State<'_, Chat>,
    id: ConversationId,
) -> Result<ConversationSummary> {
    Ok(chat.restore_conversation(id).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn select_branch(
    chat: State<'_, Chat>,
    conversation: ConversationId,
    leaf: MessageId,
) -> Result<ConversationView> {
    Ok(chat.select_branch(conversation, leaf).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn save_draft(
    chat: State<'_, Chat>,
    conversation: Option<ConversationId>,
    text: String,
    images: Vec<ImageId>,
) -> Result<()> {
    Ok(chat.save_draft(conversation, text, images).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn load_draft(
    chat: State<'_, Chat>,
    conversation: Option<ConversationId>,
) -> Result<Draft> {
    Ok(chat.load_draft(conversation).await?)
}
