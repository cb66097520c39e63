//! The user's access token, which must never reach a log, an error or another host.
//!
//! Outside: the system's keychain (`keychain`), and which request carries it (`client`).

use paddock_conversation::Failure;

/// A token of the Hub. Its text is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a pasted token; none if it cannot be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound =
            !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
        sound.then(|| Self(text.to_owned()))
    }

    /// The text, for the one request header and the keychain that need it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Why a token could not be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing on this computer keeps secrets.
    #[error("This computer has no keychain that could keep the token ({detail}).")]
    NoKeychain { detail: String },
    /// There is one, but it refused.
    #[error("The keychain could not be used ({detail}).")]
    Refused { detail: String },
    /// Not a token at all.
    #[error("This is no access token: it is empty, or has spaces or unusual characters.")]
    NoToken,
}

impl TokenError {
    /// As the window shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (code, next_step) = match self {
            Self::NoKeychain { .. } => (
                "noKeychain",
                "Set the environment variable HF_TOKEN to the token instead and start Paddock again.",
            ),
            Self::Refused { .. } => (
                "keychainRefused",
                "Unlock the keychain and try again, or set the environment variable HF_TOKEN instead.",
            ),
            Self::NoToken => (
                "noToken",
                "Copy the token from the tokens page of your Hub account; it begins with hf_.",
            ),
        };
        Failure::new(code, self.to_string(), next_step)
    }
}

/// Where tokens are kept, one for each endpoint: a token of one must never be shown to another. All calls block.
pub trait TokenStore: std::fmt::Debug + Send + Sync {
    /// # Errors
    /// There is no keychain, or it is locked.
    fn token(&self, endpoint: &str) -> Result<Option<Token>, TokenError>;
    /// # Errors
    /// As [`TokenStore::token`].
    fn keep(&self, endpoint: &str, token: &Token) -> Result<(), TokenError>;
    /// # Errors
    /// As [`TokenStore::token`].
    fn forget(&self, endpoint: &str) -> Result<(), TokenError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let token = Token::new(" hf_secret\n").unwrap();
        assert_eq!(token.reveal(), "hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
        assert!(Token::new("two words").is_none() && Token::new("").is_none());
    }
}
