//! The chosen model in its engine, another one beside it: what is loaded for whom, and what that will take.
//!
//! Outside: which engine may run when (the engines crate), and what is asked.

use std::sync::Arc;
use std::time::Duration;

use paddock_conversation::{Failure, ModelId};
use paddock_devices::{DevicePreference, DeviceReport, report};
use paddock_engines::{
    EngineError, EngineSnapshot, EngineState, Engines, Lease, LoadSpec, Need, Seat,
};
use paddock_models::fit::{FitRequest, Hardware, plan};
use paddock_models::{Quant, ResolvedModel};
use paddock_settings::{Settings, SettingsChange};
use tokio::sync::watch;

use crate::ChatError;
use crate::Phase;
use crate::chat::Chat;
use crate::load_spec::load_spec;

/// A second model is asked now and then; its memory is given back after so long without a question.
const KEEP_BESIDE: Duration = Duration::from_secs(5 * 60);

/// The settings' keep-alive, for both engines.
pub(crate) fn keep(engines: &Engines, settings: &Settings) {
    let keep = settings.keep_alive();
    engines.keep(Seat::Chosen, keep);
    let beside = keep.map_or(KEEP_BESIDE, |keep| keep.min(KEEP_BESIDE));
    engines.keep(Seat::Beside, Some(beside));
}

impl Chat {
    #[must_use]
    pub fn engine_snapshot(&self) -> EngineSnapshot {
        self.engines().snapshot(Seat::Chosen)
    }

    /// Every change of the state of the chosen model's engine.
    #[must_use]
    pub fn engine_changes(&self) -> watch::Receiver<EngineSnapshot> {
        self.engines().subscribe(Seat::Chosen)
    }

    /// Begins to load the chosen model, so that the first question need not wait. If it is gone or cannot be read, `missing`
    /// is told; what the engine says is in its state.
    pub fn preload(&self, missing: impl FnOnce(Failure) + Send + 'static) {
        let chat = self.clone();
        tokio::spawn(async move {
            let settings = chat.settings().await;
            let loaded = async {
                let model = match chat.resolve(settings.chosen.clone()).await {
                    Ok(model) => model,
                    Err(error) => {
                        missing(gone(error.failure()));
                        return Err(error);
                    }
                };
                let (spec, need) = chat.load_of(&model, &settings).await;
                Ok::<_, ChatError>(chat.engines().load(Seat::Chosen, spec, need).await?)
            };
            if let Err(error) = loaded.await {
                tracing::warn!(%error, "the model could not be loaded ahead of the first question");
            }
        });
    }

    /// Makes a model the chosen one, with what was chosen for it last, and begins to load it; [`Self::engine_changes`]
    /// tells how that goes.
    ///
    /// # Errors
    /// There is no such model, the store fails, or an answer would have to be ended: then nothing is changed.
    pub async fn load_model(&self, id: ModelId) -> Result<EngineSnapshot, ChatError> {
        let model = self.resolve(id.clone()).await?;
        let settings = self.settings().await;
        let (spec, need) = self.load_of(&model, &settings).await;
        self.engines()
            .could_load(Seat::Chosen, spec.clone(), need.clone())
            .await?;
        self.change_settings(None, vec![SettingsChange::Chosen { value: id }])
            .await?;
        self.engines().load(Seat::Chosen, spec, need).await?;
        Ok(self.engine_snapshot())
    }

    /// Ends the engine process and loads the chosen model anew, whatever happened before and whatever it answers.
    ///
    /// # Errors
    /// The chosen model is gone.
    pub async fn restart_engine(&self) -> Result<EngineSnapshot, ChatError> {
        let settings = self.settings().await;
        let model = self.resolve(settings.chosen.clone()).await?;
        let (spec, need) = self.load_of(&model, &settings).await;
        self.engines()
            .restart(Seat::Chosen, spec, need, true)
            .await?;
        Ok(self.engine_snapshot())
    }

    /// The right to ask this model, loaded if need be; `settings` are those of the model.
    pub(crate) async fn lease(
        &self,
        model: &Arc<ResolvedModel>,
        settings: &Settings,
    ) -> Result<Lease, EngineError> {
        let seat = if self.settings().await.chosen == model.id {
            Seat::Chosen
        } else {
            Seat::Beside
        };
        // What a load takes is planned only when there is one.
        let spec = load_spec(model, &settings.load_choice(&model.id));
        if let Some(lease) = self.engines().lease_held(seat, &spec).await? {
            return Ok(lease);
        }
        let (spec, need) = self.load_of(model, settings).await;
        self.engines().lease(seat, spec, need).await
    }

    /// What a question to this model waits for: its engine is there and works on something else, or is not there yet.
    pub(crate) fn waiting_for(&self, model: &ResolvedModel) -> Phase {
        let is_there = [Seat::Chosen, Seat::Beside].into_iter().any(|seat| {
            let snapshot = self.engines().snapshot(seat);
            matches!(snapshot.state, EngineState::Ready { .. })
                && snapshot.model.is_some_and(|label| label.id == model.id)
        });
        if is_there {
            Phase::Queued
        } else {
            Phase::LoadingModel
        }
    }

    /// What is to be loaded, and what that will take by the plan.
    async fn load_of(&self, model: &Arc<ResolvedModel>, settings: &Settings) -> (LoadSpec, Need) {
        let spec = load_spec(model, &settings.load_choice(&model.id));
        let (model, planned) = (model.clone(), spec.clone());
        let need = self
            .blocking(move |chat| Ok(chat.need(&model, &planned)))
            .await;
        // What could not be planned is loaded alone.
        let need = need.unwrap_or_else(|_| Need {
            predicted_bytes: u64::MAX,
            device: spec.device.clone(),
        });
        (spec, need)
    }

    /// Blocks.
    fn need(&self, model: &ResolvedModel, spec: &LoadSpec) -> Need {
        let report = self.report_for(&DevicePreference::Auto);
        let device = match spec.device.as_str() {
            "auto" => report.selected.clone(),
            fixed => fixed.to_owned(),
        };
        let request = FitRequest {
            quant: spec.quant.parse::<Quant>().ok(),
            context_tokens: spec.context_tokens,
            ..FitRequest::default()
        };
        let predicted_bytes = Hardware::of_report(&report, &device).map_or(u64::MAX, |hardware| {
            plan(&model.fit, &hardware, &request, &[]).total_bytes.high
        });
        Need {
            predicted_bytes,
            device,
        }
    }

    /// What this computer has, and what `preference` resolves to with the engines that are there. Blocks for milliseconds.
    pub(crate) fn report_for(&self, preference: &DevicePreference) -> DeviceReport {
        report().with_preference_among(preference, &self.config().engine_builds.kinds())
    }

    /// The context of the running engine if it has this model, else what it will be asked for.
    pub(crate) fn context_tokens(&self, model: &ResolvedModel, settings: &Settings) -> u32 {
        let choice = settings.load_choice(&model.id);
        let snapshot = self.engine_snapshot();
        match snapshot.state {
            EngineState::Ready { context_tokens, .. }
                if snapshot.model.is_some_and(|label| label.id == model.id) =>
            {
                // A changed setting takes effect with the next question.
                match choice.context_tokens {
                    Some(_) => model.context_tokens(&choice),
                    None => context_tokens,
                }
            }
            _ => model.context_tokens(&choice),
        }
    }
}

/// The failure of a model that is not where it was when it was chosen, in the words of somebody who has just started.
fn gone(failure: Failure) -> Failure {
    if !["modelNotFound", "noModel"].contains(&failure.code.as_str()) {
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
