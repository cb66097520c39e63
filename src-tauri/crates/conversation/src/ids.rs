//! Ids as types of their own, so that one kind cannot be passed for another.
//!
//! Outside: where ids come from besides new random ones (an [`ImageId`] is computed by the store).

use serde::{Deserialize, Serialize};
use specta::Type;
use uuid::Uuid;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {kind} id")]
pub struct IdError {
    pub kind: &'static str,
    pub text: String,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type)]
        #[serde(transparent)]
        pub struct $name(#[specta(type = String)] Uuid);

        impl $name {
            /// A new id; ids made later sort later (UUIDv7).
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError {
                    kind: $kind,
                    text: text.to_owned(),
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One conversation.
    ConversationId,
    "conversation"
);
uuid_id!(
    /// One message of one conversation.
    MessageId,
    "message"
);
uuid_id!(
    /// One run of the model; minted by whoever asks, so that it can be cancelled before it began.
    GenerationId,
    "generation"
);

/// The SHA-256 of a picture's original bytes: 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type)]
#[serde(try_from = "String", into = "String")]
#[specta(type = String)]
pub struct ImageId(String);

impl ImageId {
    /// The id of a digest.
    #[must_use]
    pub fn from_digest(sha256: [u8; 32]) -> Self {
        Self(hex::encode(sha256))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ImageId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let valid = text.len() == 64
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if valid {
            Ok(Self(text))
        } else {
            Err(IdError {
                kind: "image",
                text,
            })
        }
    }
}

impl std::str::FromStr for ImageId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::try_from(text.to_owned())
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> Self {
        id.0
    }
}

impl std::fmt::Display for ImageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `demo`, `local:<absolute path>` or `server:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type)]
#[serde(transparent)]
pub struct ModelId(String);

impl ModelId {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The model that ships with Paddock.
    #[must_use]
    pub fn demo() -> Self {
        Self("demo".into())
    }

    /// A folder or file on this computer; `path` must be absolute.
    #[must_use]
    pub fn local(path: &str) -> Self {
        Self(format!("local:{path}"))
    }

    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.0 == "demo"
    }

    /// The path of a local model.
    #[must_use]
    pub fn local_path(&self) -> Option<&str> {
        self.0.strip_prefix("local:")
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<_> = (0..200).map(|_| MessageId::random()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_image_id_is_64_lowercase_hex_digits_and_nothing_else() {
        let id = ImageId::from_digest([0xab; 32]);
        assert_eq!(id.to_string().parse::<ImageId>().unwrap(), id);
        for wrong in [
            "",
            "../../etc/passwd",
            &"A".repeat(64),
            &"a".repeat(63),
            &"g".repeat(64),
        ] {
            assert!(wrong.parse::<ImageId>().is_err(), "{wrong}");
        }
    }
}
