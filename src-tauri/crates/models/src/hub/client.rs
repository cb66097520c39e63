//! Requests to the Hub's own pages: search, a repository's facts and files.
//!
//! Outside: the files' content.
//!
//! Protocol: `huggingface_hub` (`hf_api.py`, `file_download.py`): `/api/models/...`, `/{repo}/resolve/{rev}/{path}`,
//! `X-Error-Code`, `X-Linked-Etag`.

use std::time::Duration;

use reqwest::header::{HeaderMap, LINK, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};

use super::{HubError, Reference, Token};

/// How to reach the Hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// `https://huggingface.co` or a mirror.
    pub endpoint: String,
    pub token: Option<Token>,
    /// Requests for one file at a time, 1 to 32.
    pub connections: usize,
    /// Bytes of a part; the least that is loaded again after a failure.
    pub part_bytes: u64,
    /// No bytes for so long is a stall.
    pub stall: Duration,
    /// First pause before another attempt; it doubles up to 60 times this.
    pub first_pause: Duration,
    /// Attempts without a single new byte before giving up.
    pub attempts: u32,
    /// Most bytes a second over all connections; none: no limit.
    pub bytes_per_second: Option<u64>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            connections: 6,
            part_bytes: 16 << 20,
            stall: Duration::from_secs(20),
            first_pause: Duration::from_millis(500),
            attempts: 8,
            bytes_per_second: None,
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

/// A checksum as the Hub publishes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "hex", rename_all = "lowercase")]
pub enum Hash {
    /// Large files: SHA-256 of the content.
    Sha256(String),
    /// Small files: git's SHA-1 of `blob <length>\0` and the content.
    Git(String),
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    pub path: String,
    pub bytes: u64,
    /// None if the endpoint does not tell; such a file is never taken.
    pub hash: Option<Hash>,
}

/// Whether a licence has to be accepted on the repository's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// Accepted at once.
    Automatic,
    /// The publisher decides.
    Manual,
}

/// A repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub repository: String,
    /// The commit that the revision was; downloads are pinned to it.
    pub commit: String,
    pub gate: Gate,
    /// As the model card names it: `apache-2.0`, `llama4`.
    pub licence: Option<String>,
    pub files: Vec<RemoteFile>,
}

/// A result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    pub repository: String,
    pub downloads: u64,
    pub likes: u64,
    pub gated: bool,
    /// `image-text-to-text`, `text-generation`.
    pub task: Option<String>,
}

/// A connection to one endpoint.
#[derive(Debug, Clone)]
pub struct Hub {
    pub(crate) http: Client,
    pub(crate) endpoint: Url,
    pub(crate) options: HubOptions,
}

/// Most pages of a file list that are read (1,000 files each).
const MOST_PAGES: usize = 50;

#[derive(Deserialize)]
struct ModelInfo {
    sha: Option<String>,
    #[serde(default)]
    gated: serde_json::Value,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    oid: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    #[serde(default)]
    downloads: u64,
    #[serde(default)]
    likes: u64,
    #[serde(default)]
    gated: serde_json::Value,
    pipeline_tag: Option<String>,
}

impl Hub {
    /// Proxies come from the environment, as everywhere.
    ///
    /// # Errors
    /// If the endpoint is no http address.
    pub fn new(options: HubOptions) -> Result<Self, HubError> {
        let endpoint = Url::parse(&options.endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
            .ok_or_else(|| HubError::Unreachable {
                host: options.endpoint.clone(),
                detail: "it is no web address".to_owned(),
            })?;
        let http = Client::builder()
            .user_agent(concat!("paddock/", env!("CARGO_PKG_VERSION")))
            // Redirects are followed by hand, so that the token stays with the Hub.
            .redirect(redirect::Policy::none())
            .connect_timeout(options.stall.max(Duration::from_secs(1)))
            // Compressed transfers would spoil ranges and lengths.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .build()
            .map_err(|error| HubError::Unreachable {
                host: options.endpoint.clone(),
                detail: error.to_string(),
            })?;
        Ok(Self {
            http,
            endpoint,
            options,
        })
    }

    pub(crate) fn host(&self) -> String {
        self.endpoint.host_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            for segment in segments {
                path.extend(segment.split('/'));
            }
        }
        url
    }

    /// A request that carries the token only to the endpoint's own origin.
    pub(crate) fn get(&self, url: Url) -> reqwest::RequestBuilder {
        let own = url.origin() == self.endpoint.origin();
        let request = self.http.get(url);
        match &self.options.token {
            Some(token) if own => request.bearer_auth(token.reveal()),
            _ => request,
        }
    }

    /// Sends with attempts and pauses, for answers that are read as a whole.
    async fn ask(&self, url: Url, repository: &str) -> Result<(HeaderMap, Vec<u8>), HubError> {
        let mut pause = self.options.first_pause;
        let mut last = HubError::TooManyRequests;
        for attempt in 0..self.options.attempts.max(1) {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(self.options.first_pause * 60);
            }
            let sent = self
                .get(url.clone())
                .timeout(self.options.stall * 3)
                .send()
                .await;
            let response = match sent {
                Ok(response) => response,
                Err(error) => {
                    last = self.unreachable(&error);
                    continue;
                }
            };
            match self.refusal(&response, repository, "") {
                None => {}
                Some(error @ (HubError::TooManyRequests | HubError::Server { .. })) => {
                    if let Some(wait) = retry_after(response.headers()) {
                        pause = pause.max(wait);
                    }
                    last = error;
                    continue;
                }
                Some(error) => return Err(error),
            }
            let headers = response.headers().clone();
            match response.bytes().await {
                Ok(body) => return Ok((headers, body.to_vec())),
                Err(error) => last = self.unreachable(&error),
            }
        }
        Err(last)
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> HubError {
        HubError::Unreachable {
            host: self.host(),
            detail: plain(error),
        }
    }

    /// What a status says, if it is no success.
    pub(crate) fn refusal(
        &self,
        response: &Response,
        repository: &str,
        file: &str,
    ) -> Option<HubError> {
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            return None;
        }
        let code = response
            .headers()
            .get("x-error-code")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let repository = repository.to_owned();
        Some(match (status, code) {
            (_, "GatedRepo") => HubError::Gated { repository },
            (_, "RepoNotFound" | "RevisionNotFound") => HubError::NotFound { repository },
            (_, "EntryNotFound") => HubError::FileNotFound {
                repository,
                file: file.to_owned(),
            },
            (StatusCode::UNAUTHORIZED, _) if self.options.token.is_some() => HubError::BadToken,
            // The Hub hides private repositories behind 401.
            (StatusCode::UNAUTHORIZED, _) => HubError::NotFound { repository },
            (StatusCode::FORBIDDEN, _) => HubError::Gated { repository },
            (StatusCode::NOT_FOUND, _) if file.is_empty() => HubError::NotFound { repository },
            (StatusCode::NOT_FOUND, _) => HubError::FileNotFound {
                repository,
                file: file.to_owned(),
            },
            (StatusCode::TOO_MANY_REQUESTS, _) => HubError::TooManyRequests,
            _ => HubError::Server {
                host: response.url().host_str().unwrap_or_default().to_owned(),
                status: status.as_u16(),
            },
        })
    }

    fn bad(&self, error: &serde_json::Error) -> HubError {
        HubError::BadAnswer {
            host: self.host(),
            detail: error.to_string(),
        }
    }

    /// A repository's facts and all its files.
    ///
    /// # Errors
    /// If it does not exist, is not open to this token, or the Hub cannot be reached.
    pub async fn repository(&self, reference: &Reference) -> Result<Repository, HubError> {
        let name = &reference.repository;
        let url = self.url(&["api", "models", name, "revision", &reference.revision]);
        let (_, body) = self.ask(url, name).await?;
        let info: ModelInfo = serde_json::from_slice(&body).map_err(|error| self.bad(&error))?;
        let commit = info.sha.filter(|sha| hex(sha)).ok_or_else(|| HubError::BadAnswer {
            host: self.host(),
            detail: "the commit is missing".to_owned(),
        })?;
        let gate = match info.gated.as_str() {
            Some("manual") => Gate::Manual,
            Some(_) => Gate::Automatic,
            None if info.gated.as_bool() == Some(true) => Gate::Automatic,
            None => Gate::Open,
        };
        let licence = info
            .tags
            .iter()
            .find_map(|tag| tag.strip_prefix("license:"))
            .map(str::to_owned);
        Ok(Repository {
            files: self.files(name, &commit).await?,
            repository: name.clone(),
            commit,
            gate,
            licence,
        })
    }

    async fn files(&self, name: &str, commit: &str) -> Result<Vec<RemoteFile>, HubError> {
        let mut url = self.url(&["api", "models", name, "tree", commit]);
        url.set_query(Some("recursive=true"));
        let mut next = Some(url);
        let mut files = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { break };
            let (headers, body) = self.ask(url, name).await?;
            let entries: Vec<TreeEntry> =
                serde_json::from_slice(&body).map_err(|error| self.bad(&error))?;
            files.extend(entries.into_iter().filter(|e| e.kind == "file").map(file));
            next = next_page(&headers)
                .and_then(|text| self.endpoint.join(&text).ok())
                // A page list never leads elsewhere.
                .filter(|url| url.origin() == self.endpoint.origin());
        }
        Ok(files)
    }

    /// Repositories whose name or card match.
    ///
    /// # Errors
    /// If the Hub cannot be reached.
    pub async fn search(&self, query: &str, limit: u32) -> Result<Vec<SearchHit>, HubError> {
        let mut url = self.url(&["api", "models"]);
        url.query_pairs_mut()
            .append_pair("search", query)
            .append_pair("sort", "downloads")
            .append_pair("direction", "-1")
            .append_pair("limit", &limit.clamp(1, 100).to_string());
        let (_, body) = self.ask(url, query).await?;
        let found: Vec<Found> = serde_json::from_slice(&body).map_err(|error| self.bad(&error))?;
        Ok(found
            .into_iter()
            .map(|hit| SearchHit {
                repository: hit.id,
                downloads: hit.downloads,
                likes: hit.likes,
                gated: hit.gated.is_string() || hit.gated.as_bool() == Some(true),
                task: hit.pipeline_tag,
            })
            .collect())
    }
}

fn file(entry: TreeEntry) -> RemoteFile {
    let (bytes, hash) = match entry.lfs {
        Some(lfs) => {
            let sound = lfs.oid.len() == 64 && hex(&lfs.oid);
            (lfs.size, sound.then_some(Hash::Sha256(lfs.oid)))
        }
        None => {
            let oid = entry.oid.filter(|oid| oid.len() == 40 && hex(oid));
            (entry.size, oid.map(Hash::Git))
        }
    };
    RemoteFile {
        path: entry.path,
        bytes,
        hash,
    }
}

fn hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The address in `Link: <...>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(LINK)?.to_str().ok()?;
    text.split(',').find_map(|link| {
        let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        rest.contains("rel=\"next\"").then(|| address.to_owned())
    })
}

/// Seconds of `Retry-After`, at most five minutes.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(300)))
}

/// An error's innermost cause, without the address (which may hold a signature).
pub(crate) fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else if std::ptr::addr_eq(cause, error) {
        "the connection broke".to_owned()
    } else {
        cause.to_string()
    }
}
