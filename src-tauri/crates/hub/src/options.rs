//! How the Hub is reached, and how patiently.
//!
//! Outside: where the values come from other than the environment (settings, the keychain).

use std::time::Duration;

use crate::Token;

/// How to reach the Hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// `https://huggingface.co` or a mirror.
    pub endpoint: String,
    pub token: Option<Token>,
    /// Requests for parts of files at a time, 1 to 32.
    pub connections: usize,
    /// Bytes of a part: what is journalled, and the least that is loaded again after a failure.
    pub part_bytes: u64,
    /// Parts that one request asks for at most.
    pub run_parts: u64,
    /// No bytes for so long is a stall.
    pub stall: Duration,
    /// First pause before another attempt; it doubles up to 60 times this.
    pub first_pause: Duration,
    /// Longest pause that a server may ask for during a download.
    pub longest_pause: Duration,
    /// Attempts without a single new byte before giving up.
    pub attempts: u32,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            connections: 6,
            part_bytes: 2 << 20,
            run_parts: 16,
            stall: Duration::from_secs(20),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(300),
            attempts: 8,
        }
    }
}

impl HubOptions {
    /// The defaults with `HF_ENDPOINT` and `HF_TOKEN`, as other programs read them; `lookup` reads a variable.
    #[must_use]
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut options = Self::default();
        if let Some(endpoint) = lookup("HF_ENDPOINT").filter(|text| !text.trim().is_empty()) {
            options.endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        }
        options.token = lookup("HF_TOKEN").and_then(|text| Token::new(&text));
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_by_other_programs() {
        let options = HubOptions::from_environment(|name| match name {
            "HF_ENDPOINT" => Some("https://mirror.example/".to_owned()),
            "HF_TOKEN" => Some(" hf_x ".to_owned()),
            _ => None,
        });
        assert_eq!(options.endpoint, "https://mirror.example");
        assert_eq!(options.token, Token::new("hf_x"));
        assert!(!format!("{options:?}").contains("hf_x"));
    }
}
