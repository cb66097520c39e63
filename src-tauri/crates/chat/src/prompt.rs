//! From a branch of messages to what the model is told: pure, so that it can be tested to the letter.
//!
//! Outside: reading pictures, and the chat template (the engine applies it). Nothing is ever left out silently: what
//! does not fit is refused.

use paddock_conversation::{ImageRef, Message, ModelId, Part, Role};
use paddock_engines::PromptRole;

/// A message for the model whose pictures are still named, not read.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineMessage {
    pub role: PromptRole,
    pub parts: Vec<OutlinePart>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum OutlinePart {
    Text(String),
    Image(ImageRef),
}

/// The whole prompt in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outline {
    pub messages: Vec<OutlineMessage>,
}

impl Outline {
    /// All pictures, in the order in which the model gets them.
    pub fn images(&self) -> impl Iterator<Item = &ImageRef> {
        self.messages
            .iter()
            .flat_map(|message| &message.parts)
            .filter_map(|part| match part {
                OutlinePart::Image(image) => Some(image),
                OutlinePart::Text(_) => None,
            })
    }
}

/// Puts the system prompt, the branch `path` (from the first question on) and the new `question` in order.
///
/// Empty answers (stopped or failed before the first word) say nothing and are left out; questions that then follow
/// each other become one message, since many chat templates insist on alternation.
#[must_use]
pub fn outline(system_prompt: &str, path: &[&Message], question: Option<&[Part]>) -> Outline {
    let mut outline = Outline::default();
    if !system_prompt.trim().is_empty() {
        push(
            &mut outline,
            PromptRole::System,
            &[Part::Text {
                text: system_prompt.trim().to_owned(),
            }],
        );
    }
    for message in path {
        let role = match message.role {
            Role::User => PromptRole::User,
            Role::Assistant => PromptRole::Assistant,
        };
        push(&mut outline, role, &message.parts);
    }
    if let Some(question) = question {
        push(&mut outline, PromptRole::User, question);
    }
    outline
}

fn push(outline: &mut Outline, role: PromptRole, parts: &[Part]) {
    let parts: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } if text.is_empty() => None,
            Part::Text { text } => Some(OutlinePart::Text(text.clone())),
            Part::Image { image } => Some(OutlinePart::Image(image.clone())),
        })
        .collect();
    if parts.is_empty() {
        return;
    }
    match outline.messages.last_mut() {
        Some(last) if last.role == role => {
            if matches!(
                (last.parts.last(), parts.first()),
                (Some(OutlinePart::Text(_)), Some(OutlinePart::Text(_)))
            ) {
                last.parts.push(OutlinePart::Text("\n\n".into()));
            }
            last.parts.extend(parts);
        }
        _ => outline.messages.push(OutlineMessage { role, parts }),
    }
}

/// How long a prompt is, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// What is shown.
    pub estimate: u32,
    /// It is certainly not shorter; only this is a reason to refuse, the engine counts exactly. Pictures and marks
    /// between messages alone: any number of letters, spaces above all, may be one token.
    pub at_least: u32,
}

/// Header and end mark of a message in usual chat templates.
const TOKENS_PER_MESSAGE: u32 = 4;
/// English text has about four bytes for each token of usual vocabularies.
const USUAL_BYTES_PER_TOKEN: usize = 4;

fn usual_tokens(text: &str) -> u32 {
    u32::try_from(text.len().div_ceil(USUAL_BYTES_PER_TOKEN)).unwrap_or(u32::MAX)
}

/// Measures a branch with a question at its end. What `model` has read and written before is known from that answer's
/// usage, less what it thought, which is not sent back; `image_tokens` gives the tokens of one picture.
pub fn length(
    system_prompt: &str,
    path: &[&Message],
    question: Option<&[Part]>,
    model: &ModelId,
    image_tokens: impl Fn(&ImageRef) -> u32,
) -> Length {
    let measured = path.iter().enumerate().rev().find_map(|(index, message)| {
        let same = message
            .model
            .as_ref()
            .is_some_and(|label| label.id == *model);
        message
            .usage
            .filter(|usage| same && usage.prompt_tokens > 0)
            .map(|usage| (index, usage, message))
    });
    let (rest, system, known) = match measured {
        Some((index, usage, answer)) => {
            let thought = answer.reasoning.as_deref().map_or(0, usual_tokens);
            let written = usage.completion_tokens.saturating_sub(thought);
            let known = usage.prompt_tokens.saturating_add(written);
            (&path[index + 1..], "", known)
        }
        None => (path, system_prompt, 0),
    };
    let mut estimate = known;
    for message in &outline(system, rest, question).messages {
        estimate = estimate.saturating_add(TOKENS_PER_MESSAGE);
        for part in &message.parts {
            estimate = estimate.saturating_add(match part {
                OutlinePart::Text(text) => usual_tokens(text),
                OutlinePart::Image(image) => image_tokens(image),
            });
        }
    }
    let whole = outline(system_prompt, path, question);
    let at_least = whole
        .images()
        .map(image_tokens)
        .fold(whole.messages.len() as u32, u32::saturating_add);
    Length { estimate, at_least }
}

/// Most characters of a title made from a question.
const TITLE_CHARS: usize = 60;

/// A conversation's first title: its first question, shortened at a word, or the first picture's name.
#[must_use]
pub fn title(parts: &[Part]) -> String {
    let text = parts.iter().find_map(|part| match part {
        Part::Text { text } if !text.trim().is_empty() => Some(text.as_str()),
        _ => None,
    });
    let Some(text) = text else {
        return parts
            .iter()
            .find_map(|part| match part {
                Part::Image { image } => Some(image.name.clone()),
                Part::Text { .. } => None,
            })
            .unwrap_or_else(|| "New chat".into());
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TITLE_CHARS {
        return line;
    }
    let cut: String = line.chars().take(TITLE_CHARS).collect();
    // A language without spaces is cut where it is.
    let end = cut
        .rfind(' ')
        .filter(|end| *end > cut.len() / 2)
        .unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches([',', ';', ':', ' ']))
}

#[cfg(test)]
mod tests {
    use paddock_conversation::{
        ConversationId, FinishReason, ImageId, ImageSize, MessageId, MessageStatus, ModelLabel,
        Usage,
    };

    use super::*;

    fn text(text: &str) -> Part {
        Part::Text { text: text.into() }
    }

    fn image(byte: u8) -> Part {
        let id = ImageId::from_digest([byte; 32]);
        Part::Image {
            image: ImageRef {
                id,
                name: format!("{byte}.png"),
                size: ImageSize::new(10, 10),
                alt: None,
            },
        }
    }

    fn message(role: Role, parts: Vec<Part>) -> Message {
        Message {
            id: MessageId::random(),
            conversation_id: ConversationId::random(),
            parent: None,
            role,
            parts,
            reasoning: None,
            created_at_ms: 0,
            status: MessageStatus::Finished {
                reason: FinishReason::Stop,
            },
            failure: None,
            model: None,
            usage: None,
            timings: None,
            receipts: vec![],
        }
    }

    #[test]
    fn pictures_of_every_turn_stay_in_their_order() {
        let first = message(Role::User, vec![image(1), image(2), text("Which is red?")]);
        let answer = message(Role::Assistant, vec![text("The first.")]);
        let outline = outline(
            " Be brief. ",
            &[&first, &answer],
            Some(&[image(3), text("And this?")]),
        );
        let roles: Vec<_> = outline.messages.iter().map(|m| m.role).collect();
        assert_eq!(
            roles,
            [
                PromptRole::System,
                PromptRole::User,
                PromptRole::Assistant,
                PromptRole::User
            ]
        );
        let names: Vec<_> = outline.images().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["1.png", "2.png", "3.png"]);
        assert_eq!(
            outline.messages[0].parts,
            [OutlinePart::Text("Be brief.".into())]
        );
    }

    #[test]
    fn an_answer_without_words_joins_the_questions_around_it_and_loses_no_picture() {
        let first = message(Role::User, vec![image(1), text("What is this?")]);
        let failed = message(Role::Assistant, vec![text("")]);
        let outline = outline("", &[&first, &failed], Some(&[text("Well?")]));
        assert_eq!(outline.messages.len(), 1);
        assert_eq!(outline.images().count(), 1);
        let words: String = outline.messages[0]
            .parts
            .iter()
            .filter_map(|part| match part {
                OutlinePart::Text(text) => Some(text.as_str()),
                OutlinePart::Image(_) => None,
            })
            .collect();
        assert_eq!(words, "What is this?\n\nWell?");
    }

    #[test]
    fn what_the_model_has_read_before_is_counted_as_it_was_measured() {
        let model = ModelLabel {
            id: ModelId::demo(),
            name: "Demo".into(),
            quant: "none".into(),
            place: "here".into(),
        };
        let question = message(Role::User, vec![image(1), text(&"x".repeat(4000))]);
        let mut answer = message(Role::Assistant, vec![text("Yes.")]);
        let next = [text("12345678")];
        let guess = length("", &[&question, &answer], Some(&next), &model.id, |_| 100);
        assert_eq!(
            guess,
            Length {
                estimate: 4 + 1100 + 4 + 1 + 4 + 2,
                at_least: 100 + 3
            }
        );
        answer.usage = Some(Usage {
            prompt_tokens: 700,
            completion_tokens: 20,
        });
        answer.model = Some(model.clone());
        let known = length("", &[&question, &answer], Some(&next), &model.id, |_| 100);
        assert_eq!(
            known,
            Length {
                estimate: 720 + 4 + 2,
                at_least: 100 + 3
            }
        );
        // A model that thought until the context was full can be asked on: what it thought is not sent back.
        answer.reasoning = Some("hmm ".repeat(7000));
        answer.usage = Some(Usage {
            prompt_tokens: 700,
            completion_tokens: 7400,
        });
        let thoughtful = length("", &[&question, &answer], Some(&next), &model.id, |_| 100);
        assert_eq!(
            thoughtful,
            Length {
                estimate: 700 + 400 + 4 + 2,
                at_least: 100 + 3
            }
        );
    }

    #[test]
    fn titles_are_short_whole_words() {
        assert_eq!(
            title(&[image(7), text("  What\n is this? ")]),
            "What is this?"
        );
        assert_eq!(title(&[image(7)]), "7.png");
        let long = title(&[text(&"word ".repeat(40))]);
        assert!(
            long.chars().count() <= 61 && long.ends_with("word…"),
            "{long}"
        );
        assert_eq!(title(&[text(&"字".repeat(100))]).chars().count(), 61);
    }
}
