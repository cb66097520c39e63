//! Pictures on their way into a prompt. Paths and bytes stay on this side.

use paddock_chat::{AttachOutcome, Chat, PictureEdit, PromptPlan};
use paddock_conversation::{ConversationId, ImageId, MessageId};
use serde::Serialize;
use specta::Type;
use tauri::{AppHandle, State};

use crate::{
    clipboard::{self, Pasted},
    dialogs,
    error::{CommandError, Result},
};

/// What a paste without text brought.
#[derive(Debug, Clone, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ClipboardContent {
    Images { outcomes: Vec<AttachOutcome> },
    NoImage,
}

#[tauri::command]
#[specta::specta]
pub async fn attach_from_dialog(
    app: AppHandle,
    chat: State<'_, Chat>,
) -> Result<Vec<AttachOutcome>> {
    let paths = dialogs::pictures(&app).await;
    Ok(chat.attach_many(paths).await)
}

#[tauri::command]
#[specta::specta]
pub async fn attach_from_clipboard(chat: State<'_, Chat>) -> Result<ClipboardContent> {
    let pasted = tauri::async_runtime::spawn_blocking(clipboard::read)
        .await
        .map_err(|_| {
            CommandError::new(
                "clipboard_unreadable",
                "The clipboard could not be read.",
                "Save the picture as a file and drop that into the window.",
            )
        })??;
    Ok(match pasted {
        Pasted::Nothing => ClipboardContent::NoImage,
        Pasted::Files(paths) => ClipboardContent::Images {
            outcomes: chat.attach_many(paths).await,
        },
        Pasted::Picture(png) => ClipboardContent::Images {
            outcomes: vec![chat.attach("Pasted picture.png".into(), png).await],
        },
    })
}

#[tauri::command]
#[specta::specta]
pub async fn attach_sample(chat: State<'_, Chat>, name: String) -> Result<AttachOutcome> {
    Ok(chat.attach_sample(name).await)
}

/// A changed copy; the picture itself stays.
#[tauri::command]
#[specta::specta]
pub async fn edit_picture(
    chat: State<'_, Chat>,
    id: ImageId,
    edit: PictureEdit,
) -> Result<AttachOutcome> {
    Ok(chat.edit_picture(id, edit).await)
}

/// Another page or frame of the file that a picture is from.
#[tauri::command]
#[specta::specta]
pub async fn attach_page(chat: State<'_, Chat>, of: ImageId, number: u32) -> Result<AttachOutcome> {
    Ok(chat.attach_page(of, number).await)
}

/// What is on a picture, for screen readers.
#[tauri::command]
#[specta::specta]
pub async fn describe_picture(chat: State<'_, Chat>, id: ImageId, text: String) -> Result<()> {
    Ok(chat.describe_picture(id, text).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn plan_prompt(
    chat: State<'_, Chat>,
    text: String,
    images: Vec<ImageId>,
    conversation: Option<ConversationId>,
    parent: Option<MessageId>,
) -> Result<PromptPlan> {
    Ok(chat.plan_prompt(text, images, conversation, parent).await?)
}
