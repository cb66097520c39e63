//! Why a model could not be loaded or asked, each with a sentence and a next step.
//!
//! Outside: failures of the store or of pictures.

use paddock_conversation::Failure;
use paddock_protocol::engine::LoadErrorCode;

/// Everything that can go wrong between a request and its answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// No connection to the engine, or to the server that stands in `place`.
    #[error("{place} cannot be reached ({detail}).")]
    Unreachable { place: String, detail: String },
    /// The engine answered with an error.
    #[error("{message}")]
    Refused {
        status: u16,
        /// The protocol's error code, if it gave one.
        code: Option<String>,
        message: String,
    },
    /// The answer ended without saying why: it is not whole.
    #[error("The answer was cut off.")]
    CutOff,
    /// The connection broke in the middle of an answer.
    #[error("The engine stopped in the middle of the answer{}.", .detail.as_deref().map(|d| format!(" ({d})")).unwrap_or_default())]
    Died { detail: Option<String> },
    /// The engine process ended; the supervisor knows how.
    #[error("{message}")]
    Ended {
        message: String,
        /// The system ended it, most probably because memory ran out.
        out_of_memory: bool,
    },
    /// It ended several times in short order and is not started again by itself.
    #[error("The engine ended {deaths} times within a minute and was not started again. {last}")]
    KeepsDying { deaths: u32, last: String },
    /// Something that is not the protocol came back.
    #[error("The engine sent something that is not a chat answer: {detail}.")]
    Protocol { detail: String },
    /// Nothing came for too long.
    #[error("{place} has said nothing for {seconds} seconds.")]
    Silent { place: String, seconds: u64 },
    /// It says that it is ready, and is not.
    #[error("The engine has loaded the model, but cannot be reached ({detail}).")]
    NotReached { detail: String },
    /// A load would have to end an engine that is answering.
    #[error("{model} is answering at the moment.")]
    Busy { model: String },
    /// The engine program is not where it should be, or cannot be run.
    #[error("The engine program cannot be started ({detail}).")]
    NotStarted { detail: String },
    /// The model could not be loaded.
    #[error("{message}")]
    LoadFailed {
        code: LoadErrorCode,
        message: String,
    },
    /// Another model was asked for while this one was loading.
    #[error("Another model was chosen, or the engine was restarted, while this one was loading.")]
    Superseded,
    /// It was ended on purpose while it answered: another model, a restart.
    #[error("The engine was stopped while it answered, to load another model or to restart.")]
    Stopped,
    /// The app is ending.
    #[error("The engine is being shut down.")]
    ShutDown,
}

impl EngineError {
    /// Stable camelCase code for the page.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Unreachable { .. } => "serverUnreachable".into(),
            Self::Refused {
                code: Some(code), ..
            } => camel(code),
            Self::Refused { .. } => "serverRefused".into(),
            Self::CutOff => "cutOff".into(),
            Self::NotReached { .. } => "engineNotReached".into(),
            Self::Busy { .. } => "engineBusy".into(),
            Self::Died { .. } => "engineDied".into(),
            Self::Ended {
                out_of_memory: true,
                ..
            } => "outOfMemory".into(),
            Self::Ended { .. } => "engineDied".into(),
            Self::KeepsDying { .. } => "engineKeepsDying".into(),
            Self::Protocol { .. } => "serverProtocol".into(),
            Self::Silent { .. } => "serverSilent".into(),
            Self::NotStarted { .. } => "engineNotStarted".into(),
            Self::LoadFailed { code, .. } => serde_json::to_value(code)
                .ok()
                .and_then(|value| value.as_str().map(camel))
                .unwrap_or_else(|| "loadFailed".into()),
            Self::Superseded => "superseded".into(),
            Self::Stopped => "engineStopped".into(),
            Self::ShutDown => "shuttingDown".into(),
        }
    }

    /// The one thing to do.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::NotReached { .. } => {
                "Ask again; if it happens again, restart the engine in the settings."
            }
            Self::CutOff => "Ask again.",
            Self::Busy { .. } => "Wait for its answer or stop it, then try again.",
            Self::Refused { code, status, .. } => match code.as_deref() {
                Some("context_exceeded" | "context_length_exceeded") => {
                    "Start a new chat, shorten the question, or raise the context length in the settings."
                }
                Some("images_not_supported") => {
                    "Choose a model that can see, or remove the picture."
                }
                Some("image_unreadable" | "image_url_not_allowed") => {
                    "Remove the picture, export it as PNG and attach it again."
                }
                Some("generation_failed" | "engine_crashed") => {
                    "Ask again; if it happens again, restart the engine in the settings."
                }
                _ if *status == 401 || *status == 403 => "Restart the engine in the settings.",
                _ => "Try again, or choose another model.",
            },
            Self::Died { .. }
            | Self::Ended {
                out_of_memory: false,
                ..
            } => "Ask again: the engine starts anew with your next question.",
            Self::Ended {
                out_of_memory: true,
                ..
            } => {
                "Lower the context length, choose a smaller quantisation or model, or close other programs."
            }
            Self::KeepsDying { .. } => {
                "Choose another model or a smaller context, then restart the engine in the settings."
            }
            Self::Protocol { .. } => {
                "Ask again; if it happens again, restart the engine in the settings."
            }
            Self::Silent { .. } => "Ask again: the engine starts anew if it is stuck.",
            Self::NotStarted { .. } => "Install Paddock again: the engine belongs beside the app.",
            Self::LoadFailed { code, .. } => match code {
                LoadErrorCode::CpuTooOld => {
                    "Use a computer whose processor has AVX2, as most made since 2014 have."
                }
                LoadErrorCode::ModelNotFound => {
                    "Choose the model's folder or file again in the settings."
                }
                LoadErrorCode::FileMissing | LoadErrorCode::FileBroken => {
                    "Download the model again, or choose another one."
                }
                LoadErrorCode::Unsupported => {
                    "Choose another model or another quantisation in the settings."
                }
                LoadErrorCode::OutOfMemory => {
                    "Lower the context length, choose a smaller quantisation or model, or close other programs."
                }
                LoadErrorCode::DeviceUnavailable => "Choose another device in the settings.",
                LoadErrorCode::BadArguments | LoadErrorCode::LoadFailed => {
                    "Choose other settings or another model, then try again."
                }
            },
            Self::Superseded => "Wait until the chosen model is ready, then ask again.",
            Self::Stopped => "Ask again.",
            Self::ShutDown => "Open the app again.",
        }
    }

    /// As the page shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string(), self.next_step())
    }
}

/// `context_exceeded` -> `contextExceeded`.
fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        if c == '_' || c == '-' {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_a_server_a_key_or_an_address() {
        let place = || "The engine".to_owned();
        let detail = || "x".to_owned();
        let refused = |status| EngineError::Refused {
            status,
            code: None,
            message: "No.".into(),
        };
        let load = |code| EngineError::LoadFailed {
            code,
            message: "No.".into(),
        };
        for error in [
            EngineError::Unreachable {
                place: place(),
                detail: detail(),
            },
            EngineError::NotReached { detail: detail() },
            EngineError::CutOff,
            EngineError::Busy { model: "A".into() },
            refused(401),
            refused(500),
            EngineError::Protocol { detail: detail() },
            EngineError::Silent {
                place: place(),
                seconds: 600,
            },
            load(LoadErrorCode::CpuTooOld),
        ] {
            let failure = error.failure();
            let words = format!("{} {}", failure.message, failure.next_step).to_lowercase();
            for word in ["server", "key", "address"] {
                assert!(!words.contains(word), "{word}: {words}");
            }
            assert!(failure.next_step.ends_with('.') && failure.message.ends_with('.'));
        }
    }

    #[test]
    fn codes_are_camel_case_and_keep_the_engines_own_reason() {
        let refused = EngineError::Refused {
            status: 400,
            code: Some("context_exceeded".into()),
            message: "Too long.".into(),
        };
        assert_eq!(refused.code(), "contextExceeded");
        assert!(refused.next_step().contains("new chat"));
        let load = EngineError::LoadFailed {
            code: LoadErrorCode::FileMissing,
            message: "No.".into(),
        };
        assert_eq!(load.code(), "fileMissing");
    }
}
