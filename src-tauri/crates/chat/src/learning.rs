//! What loads really took: each is kept with what was predicted, and corrects the next predictions on this computer.
//!
//! Outside: the correction itself (the models crate), and measuring a process (the engines crate).

use std::time::Duration;

use paddock_devices::DeviceKind;
use paddock_engines::{EngineSnapshot, EngineState, Seat};
use paddock_models::fit::{
    ComputeType, FitModel, FitRequest, Hardware, Lesson, LoadKind, Span, error_bytes,
    learned_bytes, plan,
};
use paddock_models::{Form, Quant};
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::ChatError;
use crate::chat::{Chat, WeakChat, now_ms};

/// The name of the document in the store.
pub(crate) const DOCUMENT: &str = "loads";
/// Raised when a field changes its meaning; a document of another version is forgotten.
pub(crate) const VERSION: u32 = 1;
/// Loads that are kept, the newest.
const MOST_RECORDS: usize = 200;
/// How often a running engine's peak is looked at. The system keeps it, so nothing is missed in between.
const LOOK_UP: Duration = Duration::from_secs(3);
/// A peak that grew by less than this, in percent, is not worth writing down.
const WORTH_PERCENT: u64 = 1;

/// One load: what was predicted, what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FitRecord {
    pub model: String,
    pub quant: String,
    /// `cpu`, `cuda:0`, `metal`.
    pub device: String,
    /// Tokens.
    pub context: u32,
    /// As the plan said at that time.
    pub predicted_bytes: Span,
    /// The most that the engine had resident until it was ended, or until now.
    #[specta(type = u32)]
    pub measured_bytes: u64,
    /// Milliseconds since 1970, UTC.
    #[specta(type = u32)]
    pub at_ms: u64,
}

/// As it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    shown: FitRecord,
    /// Right after the load.
    loaded_bytes: u64,
    lesson: Lesson,
}

/// What this computer's loads have taught.
#[derive(Debug, Clone, Default)]
pub struct Learned(Vec<Lesson>);

impl Learned {
    /// From the document in the store; nothing from one that is not understood.
    fn of_document(document: Option<(u32, serde_json::Value)>) -> Vec<Kept> {
        document
            .filter(|(version, _)| *version == VERSION)
            .and_then(|(_, json)| serde_json::from_value(json).ok())
            .unwrap_or_default()
    }

    fn of(kept: &[Kept]) -> Self {
        Self(kept.iter().map(|kept| kept.lesson.clone()).collect())
    }

    /// As the window's plans have it, without opening the data folder: a window may be using it. Blocks.
    ///
    /// # Errors
    /// There is a database and it cannot be read.
    pub fn in_folder(folder: &std::path::Path) -> Result<Self, ChatError> {
        let document = paddock_store::document_in(folder, DOCUMENT)?;
        Ok(Self::of(&Self::of_document(document)))
    }

    /// For [`FitRequest::learned_bytes`]; `id` is the model's, or its catalogue entry's.
    #[must_use]
    pub fn bytes(&self, id: &str, model: &FitModel, device: DeviceKind, quant: Quant) -> i64 {
        learned_bytes(&self.0, &LoadKind::of(id, model, device, quant))
    }
}

/// A load under way, with what is needed to judge it again when its peak has grown.
struct Load {
    kept: Kept,
    plan: paddock_models::fit::Fit,
}

impl Chat {
    /// What was predicted and measured at each load, the newest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn fit_history(&self) -> Result<Vec<FitRecord>, ChatError> {
        self.blocking(|chat| Ok(chat.loads()?.into_iter().map(|kept| kept.shown).collect()))
            .await
    }

    /// Blocks.
    pub(crate) fn learned(&self) -> Result<Learned, ChatError> {
        Ok(Learned::of(&self.loads()?))
    }

    fn loads(&self) -> Result<Vec<Kept>, ChatError> {
        Ok(Learned::of_document(self.store().document(DOCUMENT)?))
    }

    /// From now on, measures every load of the chosen model's engine and keeps what came out.
    pub fn watch_memory(&self) {
        // The watch does not keep the data folder open.
        let chat = self.downgrade();
        let changes = self.engine_changes();
        tokio::spawn(watch(chat, changes));
    }

    /// The prediction for what just became ready, beside its memory. Blocks.
    fn begin_load(&self, snapshot: &EngineSnapshot) -> Result<Option<Load>, ChatError> {
        let (
            Some(label),
            EngineState::Ready {
                device,
                dtype,
                context_tokens,
                resident_bytes,
                ..
            },
        ) = (&snapshot.model, &snapshot.state)
        else {
            return Ok(None);
        };
        let model = self.models().resolve(&label.id)?;
        let compute = match dtype.as_str() {
            // What the engine says of it is about other files.
            _ if model.fit.form == Form::Gguf => None,
            "f32" => Some(ComputeType::F32),
            "f16" => Some(ComputeType::F16),
            "bf16" => Some(ComputeType::Bf16),
            _ => None,
        };
        let report = paddock_devices::report();
        let Some(hardware) = Hardware::of_report(&report, device) else {
            return Ok(None);
        };
        let quant: Quant = label.quant.parse().unwrap_or(Quant::None);
        let kind = LoadKind::of(label.id.as_str(), &model.fit, hardware.kind(), quant);
        let request = |learned_bytes| FitRequest {
            quant: Some(quant),
            context_tokens: Some(*context_tokens),
            images: None,
            compute,
            learned_bytes,
        };
        let learned = learned_bytes(&self.learned()?.0, &kind);
        let shown = plan(&model.fit, &hardware, &request(learned), &[]);
        let bare = plan(&model.fit, &hardware, &request(0), &[]);
        let peak = self.engine_peak().unwrap_or(0).max(*resident_bytes);
        Ok(Some(Load {
            kept: Kept {
                shown: FitRecord {
                    model: label.name.clone(),
                    quant: label.quant.clone(),
                    device: device.clone(),
                    context: *context_tokens,
                    predicted_bytes: shown.total_bytes,
                    measured_bytes: peak,
                    at_ms: now_ms(),
                },
                loaded_bytes: *resident_bytes,
                lesson: Lesson {
                    error_bytes: error_bytes(&bare, *resident_bytes, peak),
                    kind,
                },
            },
            plan: bare,
        }))
    }

    fn engine_peak(&self) -> Option<u64> {
        Some(self.engines().memory(Seat::Chosen)?.peak_bytes)
    }

    /// Blocks.
    fn keep_load(&self, kept: &Kept) -> Result<(), ChatError> {
        let mut all = self.loads()?;
        match all.first_mut() {
            Some(newest) if newest.shown.at_ms == kept.shown.at_ms => newest.clone_from(kept),
            _ => all.insert(0, kept.clone()),
        }
        all.truncate(MOST_RECORDS);
        let json = serde_json::to_value(all).unwrap_or_default();
        Ok(self.store().put_document(DOCUMENT, VERSION, &json)?)
    }
}

/// Ends when the window does.
async fn watch(chat: WeakChat, mut changes: tokio::sync::watch::Receiver<EngineSnapshot>) {
    loop {
        let snapshot = changes.borrow_and_update().clone();
        let mut load = None;
        if matches!(snapshot.state, EngineState::Ready { .. }) {
            let Some(chat) = chat.upgrade() else { return };
            load = match begin(&chat, snapshot).await {
                Ok(load) => load,
                Err(error) => {
                    tracing::warn!(%error, "the load could not be compared with its prediction");
                    None
                }
            };
        }
        loop {
            tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = tokio::time::sleep(LOOK_UP), if load.is_some() => {
                    let Some(chat) = chat.upgrade() else { return };
                    let kept = load.as_mut().and_then(|load| grown(load, chat.engine_peak()?));
                    if let Some(kept) = kept
                        && let Err(error) = chat.blocking(move |chat| chat.keep_load(&kept)).await
                    {
                        tracing::warn!(%error, "what a load took could not be kept");
                    }
                }
            }
        }
    }
}

async fn begin(chat: &Chat, snapshot: EngineSnapshot) -> Result<Option<Load>, ChatError> {
    chat.blocking(move |chat| {
        let load = chat.begin_load(&snapshot)?;
        if let Some(load) = &load {
            chat.keep_load(&load.kept)?;
        }
        Ok(load)
    })
    .await
}

/// The record with a new peak, if that is worth writing down.
fn grown(load: &mut Load, peak: u64) -> Option<Kept> {
    let known = load.kept.shown.measured_bytes;
    if peak <= known.saturating_add(known / 100 * WORTH_PERCENT) {
        return None;
    }
    load.kept.shown.measured_bytes = peak;
    load.kept.lesson.error_bytes = error_bytes(&load.plan, load.kept.loaded_bytes, peak);
    Some(load.kept.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_not_understood_is_forgotten() {
        for (version, json) in [
            (VERSION, serde_json::json!({"not": "a list"})),
            (VERSION + 1, serde_json::json!([])),
        ] {
            assert!(Learned::of_document(Some((version, json))).is_empty());
        }
        assert!(Learned::of_document(None).is_empty());
    }
}
