//! Which access token belongs to an endpoint, where it comes from, and why one could not be looked up.
//!
//! Outside: keeping tokens (`keychain`), and which request carries one (`client`).
//!
//! A token is shown to the endpoint that it was made for and to no other: the environment's to the environment's endpoint,
//! the keychain's to the one it was kept for, that of `hf auth login` to the Hub itself.

use std::path::PathBuf;

use crate::login::login_token;
use crate::{DEFAULT_ENDPOINT, Token, TokenError, TokenStore, normal_endpoint};

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The variable `HF_TOKEN`.
    Environment,
    /// The system's keychain; the only source that Paddock writes to.
    Keychain,
    /// The file that `hf auth login` writes.
    Login(PathBuf),
}

impl TokenSource {
    /// For people: `HF_TOKEN`, the system's keychain, a file's path.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Environment => "HF_TOKEN".to_owned(),
            Self::Keychain => "the system's keychain".to_owned(),
            Self::Login(path) => path.display().to_string(),
        }
    }
}

/// The token for one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub found: Option<(Token, TokenSource)>,
    /// The keychain could not be asked, so "none" would be a guess.
    pub problem: Option<TokenError>,
}

/// The endpoint that the environment names (`HF_ENDPOINT`), else the Hub itself; `lookup` reads a variable.
#[must_use]
pub fn environment_endpoint(lookup: impl Fn(&str) -> Option<String>) -> String {
    lookup("HF_ENDPOINT")
        .filter(|text| !text.trim().is_empty())
        .map_or_else(
            || DEFAULT_ENDPOINT.to_owned(),
            |text| normal_endpoint(&text),
        )
}

impl Credentials {
    /// Looks in the environment, then in the keychain, then for the token of `hf auth login`. `lookup` reads a variable.
    /// Blocks.
    #[must_use]
    pub fn of(
        endpoint: &str,
        lookup: impl Fn(&str) -> Option<String>,
        keychain: &dyn TokenStore,
    ) -> Self {
        let endpoint = normal_endpoint(endpoint);
        if endpoint == environment_endpoint(&lookup)
            && let Some(token) = lookup("HF_TOKEN").and_then(|text| Token::new(&text))
        {
            return Self {
                found: Some((token, TokenSource::Environment)),
                problem: None,
            };
        }
        let (kept, problem) = match keychain.token(&endpoint) {
            Ok(kept) => (kept, None),
            Err(problem) => (None, Some(problem)),
        };
        let found = kept
            .map(|token| (token, TokenSource::Keychain))
            .or_else(|| {
                let (token, path) =
                    (endpoint == DEFAULT_ENDPOINT).then(|| login_token(&lookup))??;
                Some((token, TokenSource::Login(path)))
            });
        Self { found, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIRROR: &str = "https://mirror.example";

    /// A keychain with tokens for the Hub and a mirror, or a locked one.
    #[derive(Debug)]
    struct Kept {
        locked: bool,
        hub: bool,
    }

    fn locked() -> TokenError {
        TokenError::Refused {
            detail: "it is locked".to_owned(),
        }
    }

    impl TokenStore for Kept {
        fn token(&self, endpoint: &str) -> Result<Option<Token>, TokenError> {
            match endpoint {
                _ if self.locked => Err(locked()),
                DEFAULT_ENDPOINT => Ok(self.hub.then(|| Token::new("hf_kept")).flatten()),
                MIRROR => Ok(Token::new("mirror_kept")),
                _ => Ok(None),
            }
        }
        fn keep(&self, _: &str, _: &Token) -> Result<(), TokenError> {
            Err(locked())
        }
        fn forget(&self, _: &str) -> Result<(), TokenError> {
            Err(locked())
        }
    }

    const OPEN: Kept = Kept {
        locked: false,
        hub: true,
    };

    fn found(
        endpoint: &str,
        variables: &[(&str, &str)],
        keychain: &Kept,
    ) -> (Option<String>, Option<TokenSource>) {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match Credentials::of(endpoint, lookup, keychain).found {
            Some((token, source)) => (Some(token.reveal().to_owned()), Some(source)),
            None => (None, None),
        }
    }

    #[test]
    fn each_token_goes_to_the_endpoint_it_was_made_for() {
        let environment = [("HF_TOKEN", "hf_env")];
        let both = [
            ("HF_TOKEN", "hf_env"),
            ("HF_ENDPOINT", "https://mirror.example/"),
        ];
        for (endpoint, variables, token) in [
            (DEFAULT_ENDPOINT, &environment[..], Some("hf_env")),
            ("https://huggingface.co/", &environment, Some("hf_env")),
            ("https://HuggingFace.co", &environment, Some("hf_env")),
            // A mirror of the settings gets its own token or none, never that of the Hub.
            (MIRROR, &environment, Some("mirror_kept")),
            ("https://other.example", &environment, None),
            ("https://huggingface.co.evil.example", &environment, None),
            ("http://huggingface.co", &environment, None),
            // The environment's endpoint is a mirror: its token is that mirror's.
            (MIRROR, &both, Some("hf_env")),
            (DEFAULT_ENDPOINT, &both, Some("hf_kept")),
            (DEFAULT_ENDPOINT, &[], Some("hf_kept")),
        ] {
            assert_eq!(
                found(endpoint, variables, &OPEN).0.as_deref(),
                token,
                "{endpoint} with {variables:?}"
            );
        }
    }

    #[test]
    fn the_login_of_other_programs_is_the_last_to_be_asked_and_for_the_hub_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hf_login\n").unwrap();
        let home = folder.path().to_str().unwrap();
        let empty = Kept { hub: false, ..OPEN };
        let source = Some(TokenSource::Login(path.clone()));
        let login = (Some("hf_login".to_owned()), source);
        let variables = [("HF_HOME", home)];
        assert_eq!(found(DEFAULT_ENDPOINT, &variables, &empty), login);
        let named = [
            ("HF_HOME", "/nowhere"),
            ("HF_TOKEN_PATH", path.to_str().unwrap()),
        ];
        assert_eq!(found(DEFAULT_ENDPOINT, &named, &empty), login);
        assert_eq!(found("https://other.example", &variables, &empty).0, None);
        assert_eq!(
            found(DEFAULT_ENDPOINT, &variables, &OPEN).1,
            Some(TokenSource::Keychain)
        );
        let unwanted = [("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")];
        assert_eq!(found(DEFAULT_ENDPOINT, &unwanted, &empty).0, None);
    }

    #[test]
    fn a_locked_keychain_is_not_an_empty_one() {
        let keychain = Kept {
            locked: true,
            hub: true,
        };
        let nothing = |_: &str| None;
        let credentials = Credentials::of(MIRROR, nothing, &keychain);
        assert_eq!(credentials.problem, Some(locked()));
        assert_eq!(credentials.found, None);
        let environment = |name: &str| (name == "HF_TOKEN").then(|| "hf_env".to_owned());
        let credentials = Credentials::of(DEFAULT_ENDPOINT, environment, &keychain);
        assert_eq!(credentials.problem, None, "nobody had to ask it");
    }
}
