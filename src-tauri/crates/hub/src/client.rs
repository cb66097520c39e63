//! One request at a time to an endpoint: the token, redirects, attempts and pauses.
//!
//! Outside: what is asked (`api`, `fetch`).
//!
//! Protocol: `huggingface_hub` (`hf_api.py`, `file_download.py`): `/api/models/...`, `/{repo}/resolve/{revision}/{path}`,
//! `X-Error-Code`. Redirects are followed by hand so that the token stays with the endpoint's own origin.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::{HubError, HubOptions, Token};

/// Most redirects of one request.
const MOST_HOPS: usize = 8;
/// Most that one answer of the API may have: a page of 1,000 files has 400 kB.
const MOST_ANSWER_BYTES: usize = 32 << 20;
/// While somebody is waiting for an answer, no server's wish to wait longer is followed.
const LONGEST_INTERACTIVE_PAUSE: Duration = Duration::from_secs(10);
/// Attempts while somebody is waiting.
const INTERACTIVE_ATTEMPTS: u32 = 4;

/// A connection to one endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Client,
    endpoint: Url,
    options: HubOptions,
}

/// What one request came to.
#[derive(Debug)]
pub(crate) enum Step {
    Answer(Response),
    Redirect(Url),
}

impl Hub {
    /// Proxies come from the environment, as everywhere, except for an endpoint on this computer.
    ///
    /// # Errors
    /// If the endpoint is no http address.
    pub fn new(options: HubOptions) -> Result<Self, HubError> {
        let endpoint = parse(&options.endpoint)?;
        let mut http = Client::builder()
            .user_agent(concat!("paddock/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(options.stall)
            .tcp_nodelay(true);
        if is_loopback(&endpoint) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| HubError::Unreachable {
            host: options.endpoint.clone(),
            detail: plain(&error),
        })?;
        Ok(Self(Arc::new(Inner {
            http,
            endpoint,
            options,
        })))
    }

    #[must_use]
    pub fn options(&self) -> &HubOptions {
        &self.0.options
    }

    /// The endpoint's host, for people.
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.0.endpoint)
    }

    /// The page of a repository, for people.
    #[must_use]
    pub fn page(&self, repository: &str) -> String {
        self.url(&[repository]).to_string()
    }

    /// The endpoint's address with path segments behind it; a `/` inside of one separates, too.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.0.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            for segment in segments {
                path.extend(segment.split('/'));
            }
        }
        url
    }

    /// Whether an address belongs to the endpoint itself.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        url.origin() == self.0.endpoint.origin()
    }

    /// The token, for the endpoint's own origin only, and never in clear text through a network.
    fn token_for(&self, url: &Url) -> Option<&Token> {
        let safe = url.scheme() == "https" || is_loopback(url);
        self.0
            .options
            .token
            .as_ref()
            .filter(|_| safe && self.owns(url))
    }

    /// Sends one GET, without following anything. `range`: first byte and end.
    pub(crate) async fn step(
        &self,
        url: &Url,
        range: Option<(u64, u64)>,
    ) -> Result<Step, HubError> {
        let mut request = self
            .0
            .http
            .get(url.clone())
            // A compressed transfer would spoil ranges and lengths.
            .header(ACCEPT_ENCODING, "identity");
        if let Some(token) = self.token_for(url) {
            request = request.bearer_auth(token.reveal());
        }
        if let Some((from, to)) = range {
            request = request.header(RANGE, format!("bytes={from}-{}", to.saturating_sub(1)));
        }
        let response = tokio::time::timeout(self.0.options.stall, request.send())
            .await
            .map_err(|_| self.stalled(url))?
            .map_err(|error| unreachable(url, &error))?;
        if !response.status().is_redirection() {
            return Ok(Step::Answer(response));
        }
        let target = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            // Relative addresses are as good as others: the Hub uses them for renamed repositories.
            .and_then(|text| url.join(text).ok())
            .filter(|target| matches!(target.scheme(), "http" | "https"));
        target
            .map(Step::Redirect)
            .ok_or_else(|| HubError::BadAnswer {
                host: host_of(url),
                detail: "a redirect to nowhere".to_owned(),
            })
    }

    /// Asks the API with attempts and pauses; the answer is read as a whole.
    pub(crate) async fn ask(
        &self,
        url: Url,
        repository: &str,
    ) -> Result<(HeaderMap, Vec<u8>), HubError> {
        let mut patience = Patience::interactive(&self.0.options);
        loop {
            match self.ask_once(&url, repository).await {
                Ok(answer) => return Ok(answer),
                Err(error) => patience.wait(error, false).await?,
            }
        }
    }

    async fn ask_once(
        &self,
        url: &Url,
        repository: &str,
    ) -> Result<(HeaderMap, Vec<u8>), HubError> {
        let mut url = url.clone();
        for _ in 0..MOST_HOPS {
            match self.step(&url, None).await? {
                Step::Redirect(target) => url = target,
                Step::Answer(mut response) => {
                    if let Some(error) = self.refusal(&response, repository, "") {
                        return Err(error);
                    }
                    let headers = std::mem::take(response.headers_mut());
                    let mut body = Vec::new();
                    while let Some(bytes) = self.chunk(&mut response).await? {
                        if body.len() + bytes.len() > MOST_ANSWER_BYTES {
                            return Err(HubError::BadAnswer {
                                host: host_of(&url),
                                detail: "its answer has no end".to_owned(),
                            });
                        }
                        body.extend_from_slice(&bytes);
                    }
                    return Ok((headers, body));
                }
            }
        }
        Err(too_many_hops(&url))
    }

    /// The next bytes of an answer; none at its end.
    pub(crate) async fn chunk(
        &self,
        response: &mut Response,
    ) -> Result<Option<bytes::Bytes>, HubError> {
        let next = tokio::time::timeout(self.0.options.stall, response.chunk()).await;
        match next {
            Err(_) => Err(self.stalled(response.url())),
            Ok(Err(error)) => Err(unreachable(response.url(), &error)),
            Ok(Ok(bytes)) => Ok(bytes),
        }
    }

    fn stalled(&self, url: &Url) -> HubError {
        HubError::Stalled {
            host: host_of(url),
            seconds: self.0.options.stall.as_secs().max(1),
        }
    }

    /// What a status of the endpoint says, if it is no success.
    pub(crate) fn refusal(
        &self,
        response: &Response,
        repository: &str,
        file: &str,
    ) -> Option<HubError> {
        let status = response.status();
        if status.is_success() {
            return None;
        }
        let code = response
            .headers()
            .get("x-error-code")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let host = host_of(response.url());
        let wait = retry_after(response.headers());
        let repository = repository.to_owned();
        let gated = |repository: String| HubError::Gated {
            page: self.page(&repository),
            repository,
        };
        let error = match (status, code) {
            (_, "GatedRepo") => gated(repository),
            (_, "RepoNotFound" | "RevisionNotFound") => HubError::NotFound { repository },
            (_, "EntryNotFound") => HubError::FileNotFound {
                repository,
                file: file.to_owned(),
            },
            (StatusCode::UNAUTHORIZED, _) if self.token_for(response.url()).is_some() => {
                HubError::BadToken { host }
            }
            // The Hub hides what is not open behind 401.
            (StatusCode::UNAUTHORIZED, _) => HubError::NotFound { repository },
            (StatusCode::FORBIDDEN, _) => gated(repository),
            (StatusCode::NOT_FOUND, _) if file.is_empty() => HubError::NotFound { repository },
            (StatusCode::NOT_FOUND, _) => HubError::FileNotFound {
                repository,
                file: file.to_owned(),
            },
            (StatusCode::TOO_MANY_REQUESTS, _) => HubError::TooManyRequests { host, wait },
            _ => HubError::Server {
                host,
                status: status.as_u16(),
                wait,
            },
        };
        let closed = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        Some(match &self.0.options.token_problem {
            // "Add a token" would be the wrong advice to one who has added it.
            Some(reason) if closed && self.owns(response.url()) => HubError::TokenUnreadable {
                refused: Box::new(error),
                reason: reason.clone(),
            },
            _ => error,
        })
    }
}

/// Whether a text can be an endpoint: an http address.
///
/// # Errors
/// If it is none.
pub fn check_endpoint(text: &str) -> Result<(), HubError> {
    parse(text.trim()).map(drop)
}

fn parse(text: &str) -> Result<Url, HubError> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| HubError::BadEndpoint {
            endpoint: text.to_owned(),
        })
}

/// Attempts and the growing pauses between them.
#[derive(Debug)]
pub(crate) struct Patience {
    next: Duration,
    first: Duration,
    longest: Duration,
    failures: u32,
    attempts: u32,
}

impl Patience {
    /// While somebody is waiting for the answer.
    pub fn interactive(options: &HubOptions) -> Self {
        Self {
            longest: LONGEST_INTERACTIVE_PAUSE,
            attempts: options.attempts.clamp(1, INTERACTIVE_ATTEMPTS),
            ..Self::new(options)
        }
    }

    /// For a download, which has time.
    pub fn new(options: &HubOptions) -> Self {
        Self {
            next: options.first_pause,
            first: options.first_pause,
            longest: options.longest_pause,
            failures: 0,
            attempts: options.attempts.max(1),
        }
    }

    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Waits before another attempt, or gives the error back if none is left or would help.
    pub async fn wait(&mut self, error: HubError, progressed: bool) -> Result<(), HubError> {
        if progressed {
            self.failures = 0;
            self.next = self.first;
        }
        self.failures += 1;
        if !error.may_pass() || self.failures >= self.attempts {
            return Err(error);
        }
        let asked = error.wait().unwrap_or_default();
        if asked > self.longest {
            return Err(error);
        }
        tokio::time::sleep(self.next.max(asked)).await;
        self.next = (self.next * 2).min(self.first * 60);
        Ok(())
    }
}

pub(crate) fn too_many_hops(url: &Url) -> HubError {
    HubError::BadAnswer {
        host: host_of(url),
        detail: "redirects without end".to_owned(),
    }
}

pub(crate) fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "the server".to_owned(),
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

fn unreachable(url: &Url, error: &reqwest::Error) -> HubError {
    HubError::Unreachable {
        host: host_of(url),
        detail: plain(error),
    }
}

/// An error's innermost cause, without the address, which may hold a signature.
fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut depth = 0;
    while let Some(inner) = cause.source() {
        cause = inner;
        depth += 1;
    }
    if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else if depth == 0 {
        "the connection broke".to_owned()
    } else {
        cause.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(endpoint: &str) -> Result<Hub, HubError> {
        Hub::new(HubOptions {
            endpoint: endpoint.to_owned(),
            token: Token::new("hf_secret"),
            ..HubOptions::default()
        })
    }

    #[test]
    fn the_token_goes_to_the_endpoint_only_and_never_in_clear_text() {
        let goes = |endpoint: &str, url: &str| {
            let hub = hub(endpoint).unwrap();
            hub.token_for(&Url::parse(url).unwrap()).is_some()
        };
        assert!(goes("https://hub.example", "https://hub.example/a/b"));
        assert!(goes("http://127.0.0.1:81", "http://127.0.0.1:81/a"));
        for other in [
            "https://cdn.example/a",
            "https://hub.example:444/a",
            "http://hub.example/a",
            "https://hub.example.evil.example/a",
        ] {
            assert!(!goes("https://hub.example", other), "{other}");
        }
        assert!(!goes("http://hub.example", "http://hub.example/a"));
    }

    #[test]
    fn an_endpoint_is_a_web_address() {
        for wrong in ["", "hub.example", "ftp://hub.example", "file:///etc"] {
            assert!(
                matches!(hub(wrong), Err(HubError::BadEndpoint { .. })),
                "{wrong}"
            );
        }
        let hub = hub("https://mirror.example/hf/").unwrap();
        assert_eq!(hub.page("a/b"), "https://mirror.example/hf/a/b");
    }
}
