//! What sending would cost and whether it is possible, told while the user is still typing.
//!
//! Outside: counting exactly; the engine does, and refuses what does not fit.

use paddock_conversation::{
    ConversationId, ImageId, ImageRef, Message, MessageId, MessageTree, Part,
};
use paddock_models::ResolvedModel;

use crate::chat::Chat;
use crate::prompt::{self, Outline};
use paddock_settings::Settings;

use crate::{ChatError, ImagePlan, PromptPlan};

impl Chat {
    /// What sending this would cost, and why it could not be sent.
    ///
    /// # Errors
    /// A picture or the parent is gone, or the model is.
    pub async fn plan_prompt(
        &self,
        text: String,
        images: Vec<ImageId>,
        conversation: Option<ConversationId>,
        parent: Option<MessageId>,
    ) -> Result<PromptPlan, ChatError> {
        let settings = self.settings().await;
        let model = self.resolve(settings.chosen.clone()).await?;
        self.blocking(move |chat| {
            let parts = match chat.parts(&text, &images) {
                Err(ChatError::NothingToSend) => Vec::new(),
                parts => parts?,
            };
            let messages = match conversation {
                Some(id) => chat.store().messages(id)?,
                None => Vec::new(),
            };
            let tree = MessageTree::new(&messages);
            let path = parent
                .map(|leaf| tree.path(leaf))
                .transpose()?
                .unwrap_or_default();
            let outline = prompt::outline(&settings.system_prompt, &path, Some(&parts));
            let length = prompt::length(
                &settings.system_prompt,
                &path,
                Some(&parts),
                &model.id,
                |image| model.prompt_tokens(image).unwrap_or(0),
            );
            let refusal = chat.refusal(&model, &settings, &path, Some(&parts), &outline);
            let images = images
                .iter()
                .filter_map(|id| {
                    let image = outline.images().find(|image| image.id == *id)?;
                    let plan = model.tiling.as_ref()?.plan(image.size);
                    Some(ImagePlan {
                        id: id.clone(),
                        grid: plan.grid,
                        global_tile: plan.global_tile,
                        seen: plan.seen,
                        canvas: plan.canvas,
                        tokens: plan.tokens,
                    })
                })
                .collect();
            Ok(PromptPlan {
                images,
                prompt_tokens_estimate: length.estimate,
                context_tokens: chat.context_tokens(&model, &settings),
                refusal: refusal.map(|error| error.failure()),
                advice: model
                    .tested_images
                    .filter(|most| outline.images().count() > *most as usize)
                    .map(|most| {
                        format!(
                            "{} was tested with up to {most} pictures at once. With more it may mix them up.",
                            model.name
                        )
                    }),
            })
        })
        .await
    }

    /// Pictures first, then the text: the order that vision models are trained on.
    pub(crate) fn parts(&self, text: &str, images: &[ImageId]) -> Result<Vec<Part>, ChatError> {
        let mut parts = Vec::with_capacity(images.len() + 1);
        for id in images {
            let attachment = self.store().attachment(id)?;
            parts.push(Part::Image {
                image: ImageRef {
                    id: id.clone(),
                    name: attachment.name,
                    size: attachment.upright,
                    alt: attachment.alt,
                },
            });
        }
        let text = text.trim();
        if !text.is_empty() {
            parts.push(Part::Text {
                text: text.to_owned(),
            });
        }
        if parts.is_empty() {
            return Err(ChatError::NothingToSend);
        }
        Ok(parts)
    }

    /// Why this prompt cannot be answered, as far as that is certain without asking the engine.
    pub(crate) fn refusal(
        &self,
        model: &ResolvedModel,
        settings: &Settings,
        path: &[&Message],
        question: Option<&[Part]>,
        outline: &Outline,
    ) -> Option<ChatError> {
        if !model.vision && outline.images().next().is_some() {
            return Some(ChatError::ModelCannotSee {
                model: model.name.clone(),
            });
        }
        let length = prompt::length(
            &settings.system_prompt,
            path,
            question,
            &model.id,
            |image| model.prompt_tokens(image).unwrap_or(0),
        );
        let context = self.context_tokens(model, settings);
        // One token must be left for the answer.
        (length.at_least >= context).then_some(ChatError::ContextTooSmall {
            needed: length.at_least,
            context,
        })
    }
}
