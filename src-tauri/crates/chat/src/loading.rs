//! Which engine runs which model: one for the chosen model, one beside it for another model that is asked the same;
//! loading ahead, switching, and letting go of what is not used.
//!
//! Outside: the life of one engine process (the inference crate), and what is asked.
//!
//! Memory decides: before a model is loaded, the other engine is ended and gone unless both fit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use paddock_conversation::{Failure, ModelId};
use paddock_devices::DevicePreference;
use paddock_engines::{
    EngineError, EngineHandle, EngineSnapshot, EngineState, LoadSpec, LocalEngine,
    SupervisorConfig, start_supervisor,
};
use paddock_models::Quant;
use paddock_models::fit::{FitRequest, Hardware, plan};
use tokio::sync::watch;

use crate::chat::{Chat, WeakChat};
use crate::model::ResolvedModel;
use crate::{ChatError, Settings};

/// A second model is asked now and then; its memory is given back after so long without a question.
const KEEP_BESIDE: Duration = Duration::from_secs(5 * 60);
/// How often it is looked whether an engine is still needed.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The two engines.
#[derive(Debug)]
pub(crate) struct Engines {
    /// Runs the chosen model; its state is what the window shows.
    main: EngineHandle,
    /// Runs another model for single answers.
    beside: EngineHandle,
    used: Mutex<Used>,
}

/// When each engine was asked for last.
#[derive(Debug)]
struct Used {
    main: Instant,
    beside: Instant,
}

impl Engines {
    /// Starts no process yet; must be called inside a tokio runtime.
    pub fn new(config: &SupervisorConfig) -> Self {
        let now = Instant::now();
        Self {
            main: start_supervisor(config.clone()),
            beside: start_supervisor(config.clone()),
            used: Mutex::new(Used {
                main: now,
                beside: now,
            }),
        }
    }

    pub fn main(&self) -> &EngineHandle {
        &self.main
    }

    pub async fn stop(&self) {
        tokio::join!(self.main.stop(), self.beside.stop());
    }

    /// Memory that would be free if both engines were ended. GPUs' memory is not counted.
    pub fn own_bytes(&self) -> u64 {
        [&self.main, &self.beside]
            .into_iter()
            .map(|engine| match engine.memory() {
                Some(memory) => memory.own_bytes,
                None => resident(&engine.snapshot()),
            })
            .fold(0, u64::saturating_add)
    }

    fn touch(&self, beside: bool) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if beside {
            used.beside = Instant::now();
        } else {
            used.main = Instant::now();
        }
    }

    /// Both since the last use.
    fn idle(&self) -> (Duration, Duration) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        (used.main.elapsed(), used.beside.elapsed())
    }
}

impl Chat {
    #[must_use]
    pub fn engine_snapshot(&self) -> EngineSnapshot {
        self.engines().main.snapshot()
    }

    /// Every change of the state of the chosen model's engine.
    #[must_use]
    pub fn engine_changes(&self) -> watch::Receiver<EngineSnapshot> {
        self.engines().main.subscribe()
    }

    /// Begins to load the chosen model, so that the first question need not wait. If it is gone or cannot be read, `missing`
    /// is told; what the engine says is in its state.
    pub fn preload(&self, missing: impl FnOnce(Failure) + Send + 'static) {
        let chat = self.clone();
        tokio::spawn(async move {
            let settings = chat.settings().await;
            let loaded = match chat.resolve(settings.model_id.clone()).await {
                Ok(model) => chat
                    .engine_for(&model, &settings)
                    .await
                    .map(drop)
                    .map_err(ChatError::from),
                Err(error) => {
                    missing(gone(error.failure()));
                    Err(error)
                }
            };
            if let Err(error) = loaded {
                tracing::warn!(%error, "the model could not be loaded ahead of the first question");
            }
        });
    }

    /// Makes a model the chosen one, with what was chosen for it last, and begins to load it; [`Self::engine_changes`]
    /// tells how that goes.
    ///
    /// # Errors
    /// There is no such model, or the store fails.
    pub async fn load_model(&self, id: ModelId) -> Result<EngineSnapshot, ChatError> {
        let model = self.resolve(id.clone()).await?;
        let settings = self.settings().await.with_model(id);
        let settings = self.update_settings(settings).await?;
        let mut changes = self.engine_changes();
        let before = changes.borrow_and_update().revision;
        let chat = self.clone();
        let load = tokio::spawn(async move { chat.engine_for(&model, &settings).await });
        wait_for_change(&mut changes, before, load).await;
        Ok(self.engine_snapshot())
    }

    /// Ends the engine process and loads the chosen model anew, whatever happened before.
    ///
    /// # Errors
    /// The chosen model is gone.
    pub async fn restart_engine(&self) -> Result<EngineSnapshot, ChatError> {
        let settings = self.settings().await;
        let model = self.resolve(settings.model_id.clone()).await?;
        let (engine, spec) = (self.engines().main.clone(), model.load_spec(&settings));
        self.engines().touch(false);
        let mut changes = engine.subscribe();
        let before = changes.borrow_and_update().revision;
        let load = tokio::spawn(async move { engine.restart(spec).await });
        wait_for_change(&mut changes, before, load).await;
        Ok(self.engine_snapshot())
    }

    pub(crate) async fn resolve(&self, id: ModelId) -> Result<Arc<ResolvedModel>, ChatError> {
        self.blocking(move |chat| chat.resolve_now(&id)).await
    }

    /// The engine with this model, loaded if need be; `settings` are those of the model.
    pub(crate) async fn engine_for(
        &self,
        model: &Arc<ResolvedModel>,
        settings: &Settings,
    ) -> Result<LocalEngine, EngineError> {
        let chosen = self.settings().await.model_id == model.id;
        let engines = self.engines();
        let (engine, other) = if chosen {
            (&engines.main, &engines.beside)
        } else {
            (&engines.beside, &engines.main)
        };
        engines.touch(!chosen);
        let spec = model.load_spec(settings);
        let (here, there) = (engine.snapshot(), other.snapshot());
        if is_running(&there) && !(is_running(&here) && here.model.as_ref() == Some(&spec.model)) {
            let same = there.model.as_ref() == Some(&spec.model);
            if same
                || !self
                    .fits_now(model.clone(), spec.clone(), resident(&here))
                    .await
            {
                other.stop().await;
            }
        }
        let ready = engine.ready(spec).await;
        engines.touch(!chosen);
        ready
    }

    /// Blocks.
    pub(crate) fn resolve_now(&self, id: &ModelId) -> Result<Arc<ResolvedModel>, ChatError> {
        let listed = self.listing().name(id);
        self.known_models()
            .resolve(id, &self.config().demo_model, listed)
    }

    /// Whether a model can be loaded in what is free now and `back` bytes that will be given back before.
    async fn fits_now(&self, model: Arc<ResolvedModel>, spec: LoadSpec, back: u64) -> bool {
        let fits = self
            .blocking(move |chat| {
                let report = chat.report_for(&DevicePreference::Auto);
                let device = match spec.device.as_str() {
                    "auto" => report.selected.clone(),
                    fixed => fixed.to_owned(),
                };
                let Some(mut hardware) = Hardware::of_report(&report, &device) else {
                    return Ok(false);
                };
                if let Some(first) = hardware.devices.first_mut() {
                    first.free_bytes = first.free_bytes.saturating_add(back);
                }
                let request = FitRequest {
                    quant: spec.quant.parse::<Quant>().ok(),
                    context_tokens: spec.context_tokens,
                    ..FitRequest::default()
                };
                let total = plan(&model.fit, &hardware, &request, &[]).total_bytes;
                Ok(total.high <= hardware.total_bytes())
            })
            .await;
        fits.unwrap_or(false)
    }

    /// The context of the running engine if it has this model, else what it will be asked for.
    pub(crate) fn context_tokens(&self, model: &ResolvedModel, settings: &Settings) -> u32 {
        let snapshot = self.engine_snapshot();
        match snapshot.state {
            EngineState::Ready { context_tokens, .. }
                if snapshot.model.is_some_and(|label| label.id == model.id) =>
            {
                // A changed setting takes effect with the next question.
                match settings.context_tokens {
                    Some(_) => model.context_tokens(settings),
                    None => context_tokens,
                }
            }
            _ => model.context_tokens(settings),
        }
    }
}

/// Ends engines that nobody needs: the second one after a while, the first one if the settings say so.
pub(crate) async fn let_go(chat: WeakChat) {
    loop {
        tokio::time::sleep(LOOK_UP).await;
        let Some(chat) = chat.upgrade() else { return };
        let engines = chat.engines();
        if !chat.active().is_empty() {
            engines.touch(false);
            engines.touch(true);
            continue;
        }
        let (main, beside) = not_needed(chat.settings().await.keep_alive(), engines.idle());
        if beside && is_running(&engines.beside.snapshot()) {
            engines.beside.stop().await;
        }
        if main && is_running(&engines.main.snapshot()) {
            engines.main.stop().await;
        }
    }
}

/// Which of the two engines may go, after so long without a question each.
fn not_needed(keep: Option<Duration>, (main, beside): (Duration, Duration)) -> (bool, bool) {
    let keep_beside = keep.map_or(KEEP_BESIDE, |keep| keep.min(KEEP_BESIDE));
    (keep.is_some_and(|keep| main >= keep), beside >= keep_beside)
}

/// The failure of a model that is not where it was when it was chosen, in the words of somebody who has just started.
fn gone(failure: Failure) -> Failure {
    if failure.code != "modelNotFound" {
        return failure;
    }
    Failure::new(
        "modelGone",
        format!(
            "The chosen model is not there any more. {}",
            failure.message
        ),
        "Connect the disk that it is on and ask again, or choose another model.",
    )
}

fn is_running(snapshot: &EngineSnapshot) -> bool {
    matches!(
        snapshot.state,
        EngineState::Loading { .. } | EngineState::Ready { .. }
    )
}

fn resident(snapshot: &EngineSnapshot) -> u64 {
    match snapshot.state {
        EngineState::Ready { resident_bytes, .. } => resident_bytes,
        _ => 0,
    }
}

/// Waits until the supervisor has taken an order up: its state changed, or the order is already done.
async fn wait_for_change<T>(
    changes: &mut watch::Receiver<EngineSnapshot>,
    before: u32,
    load: tokio::task::JoinHandle<T>,
) {
    tokio::select! {
        _ = changes.wait_for(|snapshot| snapshot.revision != before) => {}
        _ = load => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_go_when_their_time_is_over() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let idle = (minutes(20), minutes(4));
        assert_eq!(not_needed(None, idle), (false, false));
        assert_eq!(not_needed(None, (minutes(600), minutes(5))), (false, true));
        assert_eq!(not_needed(Some(minutes(30)), idle), (false, false));
        assert_eq!(not_needed(Some(minutes(15)), idle), (true, false));
        assert_eq!(not_needed(Some(minutes(3)), idle), (true, true));
    }
}
