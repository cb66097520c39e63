//! The bytes of one file of a repository: the signed link behind the Hub's redirect, ranges, and what servers make of
//! them.
//!
//! Outside: where the bytes go, and attempts.

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode, Url};
use tokio::sync::Mutex;

use crate::client::{Step, host_of, too_many_hops};
use crate::{Hub, HubError, RemoteFile};

/// Most redirects of one request.
const MOST_HOPS: usize = 8;

/// One file at its commit. The address that the Hub's redirect leads to is asked for once and used until it expires.
#[derive(Debug)]
pub struct RemoteContent {
    hub: Hub,
    repository: String,
    file: RemoteFile,
    resolve: Url,
    link: Mutex<Option<Url>>,
}

/// An answer that brings bytes.
#[derive(Debug)]
pub struct Body {
    hub: Hub,
    response: Response,
    /// The server ignored the range: it sends the whole file from its first byte.
    pub whole: bool,
}

impl Body {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// The connection broke or stalled.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, HubError> {
        self.hub.chunk(&mut self.response).await
    }

    pub fn host(&self) -> String {
        host_of(self.response.url())
    }
}

impl RemoteContent {
    pub fn new(hub: &Hub, repository: &str, commit: &str, file: &RemoteFile) -> Self {
        Self {
            hub: hub.clone(),
            repository: repository.to_owned(),
            resolve: hub.url(&[repository, "resolve", commit, &file.path]),
            file: file.clone(),
            link: Mutex::new(None),
        }
    }

    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    pub fn file(&self) -> &RemoteFile {
        &self.file
    }

    /// Asks for the bytes `from..to`. An expired link is made anew once.
    ///
    /// # Errors
    /// The server refuses, lies about the file's length, or cannot be reached.
    pub async fn open(&self, from: u64, to: u64) -> Result<Body, HubError> {
        let mut renewed = false;
        loop {
            let known = self.link.lock().await.clone();
            let start = known.clone().unwrap_or_else(|| self.resolve.clone());
            match self.follow(start, from, to).await? {
                Ok(body) => return Ok(body),
                Err(refused) => {
                    // The link may be older than its signature allows; another connection may have renewed it meanwhile.
                    let mut link = self.link.lock().await;
                    if known.is_none() || *link == known {
                        *link = None;
                    }
                    if renewed || known.is_none() {
                        return Err(refused);
                    }
                    renewed = true;
                }
            }
        }
    }

    /// The inner error: somebody else than the Hub refuses the link.
    async fn follow(
        &self,
        start: Url,
        from: u64,
        to: u64,
    ) -> Result<Result<Body, HubError>, HubError> {
        let mut url = start;
        for _ in 0..MOST_HOPS {
            match self.hub.step(&url, Some((from, to))).await? {
                Step::Redirect(target) => {
                    if self.hub.owns(&url) && !self.hub.owns(&target) {
                        *self.link.lock().await = Some(target.clone());
                    }
                    url = target;
                }
                Step::Answer(response) => {
                    return self.accept(response, &url, from).map_or_else(
                        |error| match error {
                            HubError::LinkRefused { .. } => Ok(Err(error)),
                            _ => Err(error),
                        },
                        |body| Ok(Ok(body)),
                    );
                }
            }
        }
        Err(too_many_hops(&url))
    }

    fn accept(&self, response: Response, url: &Url, from: u64) -> Result<Body, HubError> {
        let status = response.status();
        if !self.hub.owns(url) && matches!(status.as_u16(), 400 | 401 | 403 | 404 | 410) {
            return Err(HubError::LinkRefused {
                host: host_of(url),
                status: status.as_u16(),
            });
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(self.wrong_length(url, total(&response).unwrap_or(0)));
        }
        if let Some(error) = self
            .hub
            .refusal(&response, &self.repository, &self.file.path)
        {
            return Err(error);
        }
        let whole = status != StatusCode::PARTIAL_CONTENT;
        if whole {
            if let Some(bytes) = response.content_length()
                && bytes != self.file.bytes
            {
                return Err(self.wrong_length(url, bytes));
            }
        } else {
            if let Some(bytes) = total(&response)
                && bytes != self.file.bytes
            {
                return Err(self.wrong_length(url, bytes));
            }
            if start(&response) != Some(from) {
                return Err(HubError::BadAnswer {
                    host: host_of(url),
                    detail: "other bytes than those asked for".to_owned(),
                });
            }
        }
        Ok(Body {
            hub: self.hub.clone(),
            response,
            whole,
        })
    }

    fn wrong_length(&self, url: &Url, actual_bytes: u64) -> HubError {
        HubError::WrongLength {
            host: host_of(url),
            file: self.file.path.clone(),
            expected_bytes: self.file.bytes,
            actual_bytes,
        }
    }
}

fn content_range(response: &Response) -> Option<(&str, &str)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.trim().strip_prefix("bytes ")?.split_once('/')
}

/// The file's length as `Content-Range` has it.
fn total(response: &Response) -> Option<u64> {
    content_range(response)?.1.trim().parse().ok()
}

/// The first byte that comes.
fn start(response: &Response) -> Option<u64> {
    content_range(response)?
        .0
        .split_once('-')?
        .0
        .trim()
        .parse()
        .ok()
}
