//! The user's access token, which must never reach a log, an error or another host.
//!
//! Outside: the keychain.

/// A token of the Hub. Its text is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a pasted token; none if it cannot be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound = !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
        sound.then(|| Self(text.to_owned()))
    }

    /// The text, for the one request header that needs it.
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

/// A keychain that failed.
#[derive(Debug, thiserror::Error)]
#[error("The keychain could not be used: {0}.")]
pub struct TokenError(pub String);

/// Where the token is kept: the system's keychain in the app.
pub trait TokenStore: Send + Sync {
    /// # Errors
    /// If the keychain is locked or missing.
    fn token(&self) -> Result<Option<Token>, TokenError>;
    /// # Errors
    /// As [`TokenStore::token`].
    fn keep(&self, token: &Token) -> Result<(), TokenError>;
    /// # Errors
    /// As [`TokenStore::token`].
    fn forget(&self) -> Result<(), TokenError>;
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
