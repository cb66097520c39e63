//! One turn: a question is kept, the model is loaded if need be, the answer streams in and is kept however it ends.
//!
//! Outside: what the page sees of other conversations, and choosing the model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use paddock_conversation::{
    ConversationId, Failure, FinishReason, GenerationId, ImageId, ImageReceipt, Message, MessageId,
    MessageTree, ModelId, Role, Timings, Usage,
};
use paddock_engines::{Engine as _, Finish, GenerateRequest, ImageUse, PromptMessage, PromptPart};
use paddock_store::{Answer, NewAnswer, NewQuestion};
use tokio_util::sync::CancellationToken;

use crate::chat::{Chat, now_ms};
use crate::model::ResolvedModel;
use crate::prompt::{self, Outline, OutlinePart};
use crate::stream::{Piece, StreamEnd, follow};
use crate::{ChatError, EventSink, GenerationEvent, SendRequest, Settings, TurnOutcome, pictures};

/// A question to be kept and answered, or an old one to be answered again.
pub(crate) enum Turn {
    Ask {
        request: SendRequest,
    },
    Again {
        generation: GenerationId,
        question: Box<Message>,
        model: Option<ModelId>,
    },
}

/// What a turn needs to know before anything is written.
struct Plan {
    conversation: ConversationId,
    /// The title, if the conversation is new.
    new_title: Option<String>,
    question: Option<NewQuestion>,
    answer: NewAnswer,
    outline: Outline,
    /// Planned tokens of each picture of the outline; none where the model's tiling is not known.
    planned: Vec<Option<u32>>,
    model: Arc<ResolvedModel>,
    settings: Settings,
}

/// A model that is there answers at once; what takes longer is being loaded.
const LOADED_WITHIN: Duration = Duration::from_millis(20);

/// How an answer ended, with what is still to be written.
struct End {
    answer: Answer,
    unsaved: Piece,
}

impl Chat {
    /// Sends a question and returns the turn as it was kept; `sink` gets the progress.
    ///
    /// # Errors
    /// Nothing was kept: the question cannot be sent as it is. An answer that fails later is not an error, it is kept
    /// with its failure.
    pub async fn send(
        &self,
        request: SendRequest,
        sink: EventSink,
    ) -> Result<TurnOutcome, ChatError> {
        self.run(Turn::Ask { request }, sink).await
    }

    /// Answers the question of an answer once more, beside it; by another model than the chosen one if `model` says so.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn regenerate(
        &self,
        message: MessageId,
        generation: GenerationId,
        model: Option<ModelId>,
        sink: EventSink,
    ) -> Result<TurnOutcome, ChatError> {
        let question = self
            .blocking(move |chat| {
                let answer = chat.store().message(message)?;
                let parent = match (answer.role, answer.parent) {
                    (Role::Assistant, Some(parent)) => parent,
                    _ => return Err(ChatError::WrongRole { expected: "answer" }),
                };
                Ok(Box::new(chat.store().message(parent)?))
            })
            .await?;
        self.run(
            Turn::Again {
                generation,
                question,
                model,
            },
            sink,
        )
        .await
    }

    /// Asks a changed question beside an old one; the old branch stays.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn edit(
        &self,
        message: MessageId,
        request: SendRequest,
        sink: EventSink,
    ) -> Result<TurnOutcome, ChatError> {
        let old = self
            .blocking(move |chat| Ok(chat.store().message(message)?))
            .await?;
        if old.role != Role::User {
            return Err(ChatError::WrongRole { expected: "user" });
        }
        let request = SendRequest {
            conversation: Some(old.conversation_id),
            parent: old.parent,
            ..request
        };
        self.run(Turn::Ask { request }, sink).await
    }

    /// Stops an answer; what it said is kept. Does nothing if it has ended.
    pub fn cancel(&self, generation: GenerationId) {
        self.active().cancel(generation);
    }

    /// In a task of its own: a page that goes away does not take the answer with it.
    async fn run(&self, turn: Turn, sink: EventSink) -> Result<TurnOutcome, ChatError> {
        let chat = self.clone();
        tokio::spawn(async move { chat.turn(turn, sink).await })
            .await
            .map_err(|e| ChatError::TaskEnded {
                detail: e.to_string(),
            })?
    }

    async fn turn(&self, turn: Turn, sink: EventSink) -> Result<TurnOutcome, ChatError> {
        let (generation, conversation, asked) = match &turn {
            Turn::Ask { request } => (
                request.generation,
                request.conversation,
                request.model.clone(),
            ),
            Turn::Again {
                generation,
                question,
                model,
            } => (*generation, Some(question.conversation_id), model.clone()),
        };
        let active = self.active().begin(generation, conversation)?;
        let settings = self.settings().await;
        let id = asked.unwrap_or_else(|| settings.model_id.clone());
        let settings = settings.for_model(&id);
        let model = self.resolve(id).await?;
        let plan = self
            .blocking(move |chat| chat.plan_turn(turn, model, settings))
            .await?;

        let user_id = plan.question.as_ref().map(|question| question.id);
        let answer_id = plan.answer.id;
        let conversation = plan.conversation;
        active.belongs_to(conversation);
        let (plan, started) = self
            .blocking(move |chat| {
                let store = chat.store();
                store.begin_turn(
                    plan.conversation,
                    plan.new_title.as_deref(),
                    plan.question.as_ref(),
                    &plan.answer,
                    now_ms(),
                )?;
                let started = GenerationEvent::Started {
                    conversation: store.conversation(plan.conversation)?.0,
                    user: user_id.map(|id| store.message(id)).transpose()?,
                    assistant: store.message(plan.answer.id)?,
                };
                Ok((plan, started))
            })
            .await?;
        sink(started);

        // From here on everything that happens is kept with the answer.
        let end = self.answer(plan, &active.token, &sink).await;
        self.blocking(move |chat| {
            let store = chat.store();
            let assistant = store.finish_answer(
                answer_id,
                &end.unsaved.text,
                &end.unsaved.reasoning,
                &end.answer,
                now_ms(),
            )?;
            Ok(TurnOutcome {
                conversation: store.conversation(conversation)?.0,
                user: user_id.map(|id| store.message(id)).transpose()?,
                assistant,
            })
        })
        .await
    }

    /// Reads the branch and refuses what cannot be answered, before anything is written. Blocks.
    fn plan_turn(
        &self,
        turn: Turn,
        model: Arc<ResolvedModel>,
        settings: Settings,
    ) -> Result<Plan, ChatError> {
        let store = self.store();
        let (conversation, parent, question, new_title) = match turn {
            Turn::Ask { request } => {
                let parts = self.parts(&request.text, &request.images)?;
                let new_title = request
                    .conversation
                    .is_none()
                    .then(|| prompt::title(&parts));
                let id = MessageId::random();
                let question = NewQuestion {
                    id,
                    parent: request.parent,
                    parts,
                };
                let conversation = request.conversation.unwrap_or_else(ConversationId::random);
                (conversation, request.parent, Some(question), new_title)
            }
            Turn::Again { question, .. } => {
                (question.conversation_id, Some(question.id), None, None)
            }
        };
        let messages = match new_title {
            Some(_) => Vec::new(),
            None => store.messages(conversation)?,
        };
        let tree = MessageTree::new(&messages);
        let path = parent
            .map(|leaf| tree.path(leaf))
            .transpose()?
            .unwrap_or_default();
        let answered = match &question {
            Some(question) => question.id,
            // The parent of an answer that is made again.
            None => parent.ok_or(ChatError::WrongRole { expected: "answer" })?,
        };
        let parts = question.as_ref().map(|question| question.parts.as_slice());
        let outline = prompt::outline(&settings.system_prompt, &path, parts);
        let planned: Vec<_> = outline
            .images()
            .map(|image| model.image_tokens(image))
            .collect();
        if let Some(refusal) = self.refusal(&model, &settings, &path, parts, &outline) {
            return Err(refusal);
        }
        let answer = NewAnswer {
            id: MessageId::random(),
            parent: answered,
            model: Some(model.label(&settings)),
        };
        Ok(Plan {
            conversation,
            new_title,
            question,
            answer,
            outline,
            planned,
            model,
            settings,
        })
    }

    async fn answer(&self, plan: Plan, stop: &CancellationToken, sink: &EventSink) -> End {
        let Plan {
            outline,
            planned,
            model,
            settings,
            ..
        } = plan;
        let ids: Vec<_> = outline.images().map(|image| image.id.clone()).collect();
        let work = async {
            let phase = self.waiting_for(&model);
            let mut ready = std::pin::pin!(self.lease(&model, &settings));
            let engine = match tokio::time::timeout(LOADED_WITHIN, &mut ready).await {
                Ok(engine) => engine?,
                Err(_) => {
                    sink(GenerationEvent::Phase { phase });
                    ready.await?
                }
            };
            let messages = self
                .blocking(move |chat| chat.read_pictures(outline))
                .await?;
            Ok::<_, ChatError>((engine, messages))
        };
        let ready = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            ready = work => Some(ready),
        };
        let (engine, messages) = match ready {
            None => return End::without_text(self.active().stop_reason(), None),
            Some(Err(error)) => {
                return End::without_text(FinishReason::Failed, Some(error.failure()));
            }
            Some(Ok(ready)) => ready,
        };
        if !engine.vision() && !ids.is_empty() {
            let failure = ChatError::ModelCannotSee {
                model: model.name.clone(),
            }
            .failure();
            return End::without_text(FinishReason::Failed, Some(failure));
        }
        let events = engine.generate(GenerateRequest {
            messages,
            temperature: settings.temperature,
            max_tokens: settings.max_answer_tokens,
        });
        let answer_id = plan.answer.id;
        let end = follow(
            events,
            stop,
            || self.active().stop_reason(),
            &**sink,
            |piece| {
                let chat = self.clone();
                async move {
                    let kept = piece.clone();
                    let written = chat
                        .blocking(move |chat| {
                            Ok(chat
                                .store()
                                .append_text(answer_id, &kept.text, &kept.reasoning)?)
                        })
                        .await;
                    written.err().map(|error| {
                        tracing::warn!(%error, "a piece of an answer could not be kept yet");
                        piece
                    })
                }
            },
        )
        .await;
        End::of_stream(end, &ids, &planned)
    }

    /// Blocks.
    fn read_pictures(&self, outline: Outline) -> Result<Vec<PromptMessage>, ChatError> {
        // The same picture may stand in several turns.
        let mut read = HashMap::new();
        let mut messages = Vec::with_capacity(outline.messages.len());
        for message in outline.messages {
            let mut parts = Vec::with_capacity(message.parts.len());
            for part in message.parts {
                parts.push(match part {
                    OutlinePart::Text(text) => PromptPart::Text(text),
                    OutlinePart::Image(image) => {
                        let data = match read.get(&image.id) {
                            Some(data) => Clone::clone(data),
                            None => {
                                let data = pictures::for_engine(self.store(), &image.id)?;
                                read.insert(image.id.clone(), data.clone());
                                data
                            }
                        };
                        PromptPart::Image(data)
                    }
                });
            }
            messages.push(PromptMessage {
                role: message.role,
                parts,
            });
        }
        Ok(messages)
    }
}

impl End {
    fn without_text(reason: FinishReason, failure: Option<Failure>) -> Self {
        Self {
            answer: Answer {
                reason,
                failure,
                model: None,
                usage: None,
                timings: None,
                receipts: vec![],
            },
            unsaved: Piece::default(),
        }
    }

    fn of_stream(end: StreamEnd, ids: &[ImageId], planned: &[Option<u32>]) -> Self {
        let (usage, timings, uses) = match end.finish {
            Some(Finish {
                usage,
                timings,
                images,
                ..
            }) => (usage, Some(timings), Some(images)),
            None => (None::<Usage>, None::<Timings>, None),
        };
        Self {
            answer: Answer {
                reason: end.reason,
                failure: end.failure,
                model: None,
                usage,
                timings,
                // An answer that was cut off says nothing about its pictures.
                receipts: uses
                    .map(|uses| receipts(ids, planned, &uses.unwrap_or_default()))
                    .unwrap_or_default(),
            },
            unsaved: end.unsaved,
        }
    }
}

/// One receipt for each picture of the prompt. A picture that the engine says nothing of was not used.
fn receipts(ids: &[ImageId], planned: &[Option<u32>], uses: &[ImageUse]) -> Vec<ImageReceipt> {
    ids.iter()
        .zip(planned)
        .enumerate()
        .map(|(index, (id, planned))| {
            let used = uses.get(index);
            let tokens = used.map_or(0, |used| used.tokens);
            ImageReceipt {
                id: id.clone(),
                seen: used.map_or(paddock_conversation::ImageSize::new(0, 0), |used| used.seen),
                rows: used.map_or(0, |used| used.rows),
                columns: used.map_or(0, |used| used.columns),
                planned_tokens: *planned,
                tokens,
                matches: tokens > 0 && planned.is_none_or(|planned| planned == tokens),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use paddock_conversation::ImageSize;

    use super::*;

    #[test]
    fn a_picture_that_the_engine_did_not_use_does_not_match() {
        let ids = [
            ImageId::from_digest([1; 32]),
            ImageId::from_digest([2; 32]),
            ImageId::from_digest([3; 32]),
        ];
        let used = |tokens| ImageUse {
            seen: ImageSize::new(56, 56),
            rows: 1,
            columns: 1,
            tokens,
        };
        let receipts = receipts(&ids, &[Some(4), Some(4), None], &[used(4), used(3)]);
        let matches: Vec<_> = receipts.iter().map(|receipt| receipt.matches).collect();
        assert_eq!(matches, [true, false, false]);
    }
}
