//! The system's keychain: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Outside: what a token is used for.

use keyring::Entry;

use crate::{Token, TokenError, TokenStore};

/// Under this name the user finds the token in the keychain's own window.
const SERVICE: &str = "Paddock (Hugging Face Hub)";

/// The keychain of the user who is logged in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keychain;

/// Without a session bus libdbus starts one if it can, and forks and waits to find out; that is not for us to do.
#[cfg(target_os = "linux")]
fn session_bus() -> bool {
    let address = std::env::var_os("DBUS_SESSION_BUS_ADDRESS");
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map(std::path::PathBuf::from);
    address.is_some_and(|address| !address.is_empty())
        || folder.is_some_and(|folder| folder.join("bus").exists())
}

#[cfg(not(target_os = "linux"))]
fn session_bus() -> bool {
    true
}

fn entry(endpoint: &str) -> Result<Entry, TokenError> {
    if !session_bus() {
        return Err(TokenError::NoKeychain {
            detail: "there is no session bus".to_owned(),
        });
    }
    Entry::new(SERVICE, endpoint).map_err(|error| of(&error))
}

/// The platform's words, never the secret: `BadEncoding` carries the stored bytes and must not be printed.
fn of(error: &keyring::Error) -> TokenError {
    match error {
        keyring::Error::PlatformFailure(cause) => TokenError::NoKeychain {
            detail: cause.to_string(),
        },
        keyring::Error::NoStorageAccess(cause) => TokenError::Refused {
            detail: cause.to_string(),
        },
        keyring::Error::TooLong(name, limit) => TokenError::Refused {
            detail: format!("its {name} may have {limit} characters"),
        },
        keyring::Error::Invalid(name, reason) => TokenError::Refused {
            detail: format!("{name} is invalid: {reason}"),
        },
        keyring::Error::Ambiguous(_) => TokenError::Refused {
            detail: "it holds several tokens for this endpoint".to_owned(),
        },
        _ => TokenError::Refused {
            detail: "what it holds is no text".to_owned(),
        },
    }
}

impl TokenStore for Keychain {
    fn token(&self, endpoint: &str) -> Result<Option<Token>, TokenError> {
        match entry(endpoint)?.get_password() {
            Ok(text) => Ok(Token::new(&text)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(of(&error)),
        }
    }

    fn keep(&self, endpoint: &str, token: &Token) -> Result<(), TokenError> {
        entry(endpoint)?
            .set_password(token.reveal())
            .map_err(|error| of(&error))
    }

    fn forget(&self, endpoint: &str) -> Result<(), TokenError> {
        match entry(endpoint)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(of(&error)),
        }
    }
}
