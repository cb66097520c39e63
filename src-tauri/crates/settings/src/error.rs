//! Why a choice was not kept.
//!
//! Outside: choices that are kept and cannot be followed, such as a device that is gone; whoever uses them says so.

use paddock_conversation::Failure;
use paddock_store::StoreError;

#[derive(Debug, Clone, thiserror::Error)]
pub enum SettingsError {
    #[error("The setting {name} must be {range}.")]
    OutOfRange {
        name: &'static str,
        range: &'static str,
    },
    /// A reason that comes with its words.
    #[error("{}", .0.message)]
    Refused(Failure),
    #[error("The setting {name} was changed elsewhere in the meantime.")]
    ChangedElsewhere { name: &'static str },
    #[error("{}", .0.message)]
    NotKept(Failure),
}

impl From<StoreError> for SettingsError {
    fn from(error: StoreError) -> Self {
        Self::NotKept(error.failure())
    }
}

impl SettingsError {
    /// Whether the one who asked can mend it.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::OutOfRange { .. } | Self::Refused(_))
    }

    /// As the page shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::OutOfRange { .. } => Failure::new(
                "settingOutOfRange",
                self.to_string(),
                "Enter a number within the range.",
            ),
            Self::ChangedElsewhere { .. } => Failure::new(
                "settingChanged",
                self.to_string(),
                "Look at it again, then change it.",
            ),
            Self::Refused(failure) | Self::NotKept(failure) => failure.clone(),
        }
    }
}
