//! Answers: asked for by one command each, whose result is the one truth; the channel is progress only.

use std::sync::Arc;

use paddock_chat::{Chat, EventSink, GenerationEvent, SendRequest, TurnOutcome};
use paddock_conversation::{GenerationId, MessageId, ModelId};
use tauri::{State, ipc::Channel};

use crate::error::Result;

#[tauri::command]
#[specta::specta]
pub async fn send(
    chat: State<'_, Chat>,
    request: SendRequest,
    channel: Channel<GenerationEvent>,
) -> Result<TurnOutcome> {
    Ok(chat.send(request, sink(channel)).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn regenerate(
    chat: State<'_, Chat>,
    message: MessageId,
    generation: GenerationId,
    model: Option<ModelId>,
    channel: Channel<GenerationEvent>,
) -> Result<TurnOutcome> {
    Ok(chat
        .regenerate(message, generation, model, sink(channel))
        .await?)
}

#[tauri::command]
#[specta::specta]
pub async fn edit_message(
    chat: State<'_, Chat>,
    message: MessageId,
    request: SendRequest,
    channel: Channel<GenerationEvent>,
) -> Result<TurnOutcome> {
    Ok(chat.edit(message, request, sink(channel)).await?)
}

#[tauri::command]
#[specta::specta]
pub async fn cancel(chat: State<'_, Chat>, generation: GenerationId) -> Result<()> {
    chat.cancel(generation);
    Ok(())
}

fn sink(channel: Channel<GenerationEvent>) -> EventSink {
    Arc::new(move |event| {
        // A page that is gone misses only progress; the answer is in the store.
        let _ = channel.send(event);
    })
}
