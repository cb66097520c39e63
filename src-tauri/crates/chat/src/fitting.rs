//! Whether a model fits, before it is loaded or downloaded: with this computer as it is now and what its loads taught.
//!
//! Outside: counting and the catalogue (the models crate), and what was measured (`learning.rs`).

use paddock_conversation::Failure;
use paddock_devices::DeviceReport;
use paddock_models::fit::{Fit, FitModel, Hardware};
use paddock_models::{CatalogueLine, FitQuestion, FitSubject, answer, catalogue_lines};

use crate::ChatError;
use crate::chat::Chat;

impl Chat {
    /// The catalogue, what this computer can run first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn catalogue(&self) -> Result<Vec<CatalogueLine>, ChatError> {
        let report = self.device_report().await?;
        let listed = self.list_models().await?;
        self.blocking(move |chat| {
            let hardware = chat.hardware_here(&report)?;
            let learned = chat.learned()?;
            let device = hardware.kind();
            Ok(catalogue_lines(&hardware, &listed, |id, model, quant| {
                learned.bytes(id, model, device, quant)
            }))
        })
        .await
    }

    /// Plans one model.
    ///
    /// # Errors
    /// There is no such model, hardware or quantisation, or the store fails.
    pub async fn fit(&self, question: FitQuestion) -> Result<Fit, ChatError> {
        let target = question.target.clone();
        let subject = self
            .blocking(move |chat| Ok(chat.models().fit_subject(&target)?))
            .await?;
        let (id, model) = match subject {
            FitSubject::Known { id, model } => (id, *model),
            FitSubject::Remote { repository } => self.fit_of_repository(repository).await?,
        };
        let report = self.device_report().await?;
        self.blocking(move |chat| {
            answer(
                &question,
                &model,
                || chat.hardware_here(&report),
                |hardware, quant| Ok(chat.learned()?.bytes(&id, &model, hardware.kind(), quant)),
            )
        })
        .await
    }

    /// By the headers of the files on the Hub.
    async fn fit_of_repository(&self, repository: String) -> Result<(String, FitModel), ChatError> {
        let checkpoint = self.hub_checkpoint(&repository).await?;
        let model = self.models().keep_remote(&repository, &checkpoint);
        Ok((repository, model))
    }

    /// The device that the settings resolve to, with the memory that a newly chosen model would have: what is free now, and
    /// what this app's own engines hold, as they are gone before another model is loaded that does not fit beside them.
    pub(crate) fn hardware_here(&self, report: &DeviceReport) -> Result<Hardware, ChatError> {
        let hardware = Hardware::of_report(report, &report.selected).ok_or_else(|| {
            ChatError::Refused(Failure::new(
                "noDevice",
                "This computer's memory could not be found out.",
                "Imagine hardware instead: write an amount like 24GiB.",
            ))
        })?;
        Ok(hardware.with_returned(report, self.engines().own_bytes()))
    }
}
