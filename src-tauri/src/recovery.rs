//! A database that cannot be used: what the user is asked before the window opens, and what is done then.
//!
//! Outside: finding the damage, copies, and setting aside (the store). Nothing is ever deleted.

use std::path::Path;
use std::time::{Duration, SystemTime};

use paddock_chat::{Chat, ChatError};
use paddock_store::{Backup, StoreError, begin_empty, restore_newest};
use rfd::{MessageButtons, MessageDialog, MessageDialogResult, MessageLevel};

/// What the user may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Set the damaged database aside and take the newest copy that passes its check.
    Restore,
    /// Set it aside and begin with nothing.
    BeginEmpty,
    /// Leave everything as it is.
    Quit,
}

/// The words of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    words: String,
    /// Labels, the first one being what is best.
    buttons: Vec<(&'static str, Choice)>,
}

/// What is asked; without a good copy there is nothing to restore. `age`: how old the newest good copy is.
fn question(detail: &str, age: Option<Duration>, folder: &Path) -> Question {
    let mut words = format!("Paddock's database is damaged ({detail}).");
    let mut buttons = Vec::new();
    if let Some(age) = age {
        words += &format!("\n\nThere is a good copy from {}.", ago(age));
        buttons.push(("Restore the copy", Choice::Restore));
    } else {
        words += "\n\nThere is no good copy.";
    }
    words += &format!(
        " Whatever you choose, nothing is deleted: what is set aside is kept in {}.",
        folder.join("damaged").display()
    );
    buttons.push(("Begin empty", Choice::BeginEmpty));
    buttons.push(("Quit", Choice::Quit));
    Question { words, buttons }
}

fn ago(age: Duration) -> String {
    let hours = age.as_secs() / 3600;
    match hours {
        0 => "less than an hour ago".into(),
        1 => "an hour ago".into(),
        2..48 => format!("{hours} hours ago"),
        _ => format!("{} days ago", hours / 24),
    }
}

/// Opens the data folder; of a damaged database the user decides what is to become of it. None: the user quits.
///
/// # Errors
/// In words: why it cannot be opened.
pub fn open(
    title: &str,
    folder: &Path,
    open: impl Fn() -> Result<Chat, ChatError>,
) -> Result<Option<Chat>, String> {
    loop {
        let error = match open() {
            Ok(chat) => return Ok(Some(chat)),
            Err(error) => error,
        };
        let ChatError::Store(StoreError::Damaged {
            detail,
            newest_good_copy,
        }) = error
        else {
            return Err(error.failure().to_string());
        };
        tracing::error!(detail, "the database is damaged");
        let age = newest_good_copy.as_ref().map(age);
        let done = match ask(title, &question(&detail, age, folder)) {
            Choice::Restore => restore_newest(folder, now_ms()).map(drop),
            Choice::BeginEmpty => begin_empty(folder, now_ms()).map(drop),
            Choice::Quit => return Ok(None),
        };
        done.map_err(|error| error.failure().to_string())?;
    }
}

fn age(copy: &Backup) -> Duration {
    Duration::from_millis(now_ms().saturating_sub(copy.made_ms))
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// Asks in a dialog of the system, on the main thread. Who closes it quits.
fn ask(title: &str, question: &Question) -> Choice {
    let labels: Vec<String> = question
        .buttons
        .iter()
        .map(|(label, _)| (*label).to_owned())
        .collect();
    let buttons = match labels.as_slice() {
        [one, two] => MessageButtons::OkCancelCustom(one.clone(), two.clone()),
        [one, two, three, ..] => {
            MessageButtons::YesNoCancelCustom(one.clone(), two.clone(), three.clone())
        }
        _ => MessageButtons::Ok,
    };
    let answer = MessageDialog::new()
        .set_level(MessageLevel::Warning)
        .set_title(title)
        .set_description(&question.words)
        .set_buttons(buttons)
        .show();
    chosen(&answer, question)
}

/// What an answer of the dialog means. Systems say a label, or only which button it was.
fn chosen(answer: &MessageDialogResult, question: &Question) -> Choice {
    let place = match answer {
        MessageDialogResult::Custom(label) => {
            let found = question.buttons.iter().find(|(known, _)| known == label);
            return found.map_or(Choice::Quit, |(_, choice)| *choice);
        }
        MessageDialogResult::Ok | MessageDialogResult::Yes => 0,
        MessageDialogResult::No => 1,
        MessageDialogResult::Cancel => return Choice::Quit,
    };
    question
        .buttons
        .get(place)
        .map_or(Choice::Quit, |(_, choice)| *choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "/home/someone/paddock";

    fn asked(age: Option<Duration>) -> Question {
        question("page 7", age, Path::new(FOLDER))
    }

    #[test]
    fn what_cannot_be_done_is_not_offered() {
        let with = asked(Some(Duration::from_secs(50 * 3600)));
        let choices: Vec<Choice> = with.buttons.iter().map(|(_, choice)| *choice).collect();
        assert_eq!(choices, [Choice::Restore, Choice::BeginEmpty, Choice::Quit]);
        assert!(with.words.contains("2 days ago") && with.words.contains("paddock/damaged"));
        let without = asked(None);
        let choices: Vec<Choice> = without.buttons.iter().map(|(_, choice)| *choice).collect();
        assert_eq!(choices, [Choice::BeginEmpty, Choice::Quit]);
    }

    #[test]
    fn a_closed_dialog_changes_nothing() {
        let question = asked(Some(Duration::from_secs(60)));
        for (answer, choice) in [
            (MessageDialogResult::Cancel, Choice::Quit),
            (
                MessageDialogResult::Custom("Restore the copy".into()),
                Choice::Restore,
            ),
            (
                MessageDialogResult::Custom("Begin empty".into()),
                Choice::BeginEmpty,
            ),
            (MessageDialogResult::Custom("Quit".into()), Choice::Quit),
            (MessageDialogResult::Custom("?".into()), Choice::Quit),
            (MessageDialogResult::Yes, Choice::Restore),
            (MessageDialogResult::No, Choice::BeginEmpty),
        ] {
            assert_eq!(chosen(&answer, &question), choice, "{answer:?}");
        }
    }
}
