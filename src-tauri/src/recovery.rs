//! A database that cannot be used: what the user is asked before the window opens, and what is done then.
//!
//! Outside: finding the damage, copies, and setting aside (the store). Nothing is ever deleted.

use rfd::{MessageButtons, MessageDialog, MessageDialogResult, MessageLevel};

/// What the user may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Set the damaged database aside and take the newest copy that passes its check.
    Restore,
    /// Set it aside and begin with nothing.
    BeginEmpty,
    /// Leave everything as it is.
    Quit,
}

/// A database that was found damaged, with what can be done about it.
pub trait Damaged {
    /// What is wrong, in a sentence.
    fn sentence(&self) -> String;
    /// When the newest good copy was made, in words; none if there is none.
    fn newest_copy(&self) -> Option<String>;
    /// Where the damaged one is set aside, for the user to find.
    fn aside(&self) -> String;
}

/// The words of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub words: String,
    /// Labels, the first one being what is best.
    pub buttons: Vec<(&'static str, Choice)>,
}

/// What is asked; without a good copy there is nothing to restore.
pub fn question(damaged: &dyn Damaged) -> Question {
    let mut words = damaged.sentence();
    let mut buttons = Vec::new();
    if let Some(copy) = damaged.newest_copy() {
        words += &format!("\n\nThere is a good copy of {copy}.");
        buttons.push(("Restore the copy", Choice::Restore));
    } else {
        words += "\n\nThere is no good copy.";
    }
    words += &format!(
        " Whatever you choose, nothing is deleted: the damaged database is kept at {}.",
        damaged.aside()
    );
    buttons.push(("Begin empty", Choice::BeginEmpty));
    buttons.push(("Quit", Choice::Quit));
    Question { words, buttons }
}

/// Asks in a dialog of the system, on the main thread. Who closes it quits.
pub fn ask(title: &str, question: &Question) -> Choice {
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

    struct Found(Option<&'static str>);

    impl Damaged for Found {
        fn sentence(&self) -> String {
            "The database is damaged (page 7).".to_owned()
        }
        fn newest_copy(&self) -> Option<String> {
            self.0.map(str::to_owned)
        }
        fn aside(&self) -> String {
            "~/paddock/paddock.db.damaged".to_owned()
        }
    }

    #[test]
    fn what_cannot_be_done_is_not_offered() {
        let with = question(&Found(Some("yesterday, 10:00")));
        let choices: Vec<Choice> = with.buttons.iter().map(|(_, choice)| *choice).collect();
        assert_eq!(choices, [Choice::Restore, Choice::BeginEmpty, Choice::Quit]);
        assert!(
            with.words.contains("yesterday, 10:00") && with.words.contains("paddock.db.damaged")
        );
        let without = question(&Found(None));
        let choices: Vec<Choice> = without.buttons.iter().map(|(_, choice)| *choice).collect();
        assert_eq!(choices, [Choice::BeginEmpty, Choice::Quit]);
    }

    #[test]
    fn a_closed_dialog_changes_nothing() {
        let question = question(&Found(Some("yesterday")));
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
