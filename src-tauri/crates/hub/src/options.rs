//! How the Hub is reached, and how patiently.
//!
//! Outside: where the values come from (settings, `credentials`).

use std::time::Duration;

use reqwest::Url;

use crate::{Token, TokenError};

/// The Hub itself.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How to reach the Hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// `https://huggingface.co` or a mirror.
    pub endpoint: String,
    pub token: Option<Token>,
    /// Why a token may have been overlooked: the keychain could not be asked. Said when the endpoint refuses.
    pub token_problem: Option<TokenError>,
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
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            token: None,
            token_problem: None,
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

/// An endpoint as it is compared and kept: without spaces around it or a slash at its end, its host in small letters. What is
/// no address stays as it is.
#[must_use]
pub fn normal_endpoint(text: &str) -> String {
    let text = text.trim().trim_end_matches('/');
    match Url::parse(text) {
        Ok(url) => url.as_str().trim_end_matches('/').to_owned(),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_endpoint_has_one_name() {
        for same in [
            "https://hub.example/hf",
            " https://HUB.example/hf/ ",
            "https://hub.example:443/hf//",
        ] {
            assert_eq!(normal_endpoint(same), "https://hub.example/hf");
        }
        assert_eq!(normal_endpoint("mirror"), "mirror");
    }

    #[test]
    fn a_token_is_not_shown() {
        let options = HubOptions {
            token: Token::new("hf_x"),
            ..HubOptions::default()
        };
        assert!(!format!("{options:?}").contains("hf_x"));
    }
}
