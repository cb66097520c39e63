//! What the Hub tells: search results, a repository's facts, its files with their checksums.
//!
//! Outside: the files' content.

use reqwest::header::{HeaderMap, LINK};
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Hub, HubError, Reference};

/// Most pages of a file list that are read (1,000 files each).
const MOST_PAGES: usize = 50;
/// Results of one search.
const MOST_HITS: &str = "40";

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
    /// `/` between folders; checked to stay inside of its folder.
    pub path: String,
    pub bytes: u64,
    /// None if the endpoint does not tell; such a file is never taken.
    pub hash: Option<Hash>,
}

/// Whether a licence has to be accepted on the repository's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
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
    /// `owner/name`.
    pub name: String,
    /// The commit that the revision was; everything else is asked for by it.
    pub commit: String,
    pub gate: Gate,
    /// As the model card names it: `apache-2.0`, `llama4`.
    pub licence: Option<String>,
    pub files: Vec<RemoteFile>,
}

/// A result of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HubHit {
    pub repository: String,
    /// In the last 30 days.
    #[specta(type = u32)]
    pub downloads: u64,
    #[specta(type = u32)]
    pub likes: u64,
    pub gated: bool,
    /// `image-text-to-text`, `text-generation`.
    pub task: Option<String>,
}

#[derive(Deserialize)]
struct ModelInfo {
    sha: Option<String>,
    #[serde(default)]
    gated: serde_json::Value,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(rename = "cardData", default)]
    card: serde_json::Value,
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
    /// A repository's facts and all its files.
    ///
    /// # Errors
    /// If it does not exist, is not open to this token, or the Hub cannot be reached.
    pub async fn repository(&self, reference: &Reference) -> Result<Repository, HubError> {
        let name = &reference.repository;
        let url = self.url(&["api", "models", name, "revision", &reference.revision]);
        let (_, body) = self.ask(url, name).await?;
        let info: ModelInfo = self.read(&body)?;
        let commit = info
            .sha
            .clone()
            .filter(|sha| sha.len() == 40 && hex(sha))
            .ok_or_else(|| self.bad_answer("the commit is missing"))?;
        Ok(Repository {
            files: self.files(name, &commit).await?,
            name: name.clone(),
            commit,
            gate: gate(&info.gated),
            licence: licence(&info),
        })
    }

    async fn files(&self, name: &str, commit: &str) -> Result<Vec<RemoteFile>, HubError> {
        let mut url = self.url(&["api", "models", name, "tree", commit]);
        url.set_query(Some("recursive=true"));
        let mut files = Vec::new();
        for _ in 0..MOST_PAGES {
            let (headers, body) = self.ask(url.clone(), name).await?;
            let entries: Vec<TreeEntry> = self.read(&body)?;
            for entry in entries.into_iter().filter(|entry| entry.kind == "file") {
                if !is_safe(&entry.path) {
                    return Err(self.bad_answer(&format!("{:?} is no file name", entry.path)));
                }
                files.push(file(entry));
            }
            let next = next_page(&headers).and_then(|text| url.join(&text).ok());
            match next {
                None => return Ok(files),
                // A page list never leads elsewhere.
                Some(next) if self.owns(&next) => url = next,
                Some(_) => return Err(self.bad_answer("its file list leads to another host")),
            }
        }
        Err(self.bad_answer("its file list has no end"))
    }

    /// Repositories whose name or card match, most downloaded first.
    ///
    /// # Errors
    /// If the Hub cannot be reached.
    pub async fn search(&self, query: &str) -> Result<Vec<HubHit>, HubError> {
        let mut url = self.url(&["api", "models"]);
        url.query_pairs_mut()
            .append_pair("search", query.trim())
            .append_pair("sort", "downloads")
            .append_pair("direction", "-1")
            .append_pair("limit", MOST_HITS);
        let (_, body) = self.ask(url, query).await?;
        let found: Vec<Found> = self.read(&body)?;
        Ok(found
            .into_iter()
            .map(|hit| HubHit {
                gated: gate(&hit.gated) != Gate::Open,
                repository: hit.id,
                downloads: hit.downloads,
                likes: hit.likes,
                task: hit.pipeline_tag,
            })
            .collect())
    }

    fn read<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, HubError> {
        serde_json::from_slice(body).map_err(|error| self.bad_answer(&error.to_string()))
    }

    fn bad_answer(&self, detail: &str) -> HubError {
        HubError::BadAnswer {
            host: self.host(),
            detail: detail.to_owned(),
        }
    }
}

fn gate(gated: &serde_json::Value) -> Gate {
    match (gated.as_str(), gated.as_bool()) {
        (Some("manual"), _) => Gate::Manual,
        (Some(_), _) | (_, Some(true)) => Gate::Automatic,
        _ => Gate::Open,
    }
}

fn licence(info: &ModelInfo) -> Option<String> {
    let text = |name: &str| info.card.get(name)?.as_str().map(str::to_owned);
    let tag = || {
        info.tags
            .iter()
            .find_map(|tag| tag.strip_prefix("license:"))
            .map(str::to_owned)
    };
    let licence = text("license").or_else(tag);
    match licence.as_deref() {
        // Such licences have their name in a field of its own.
        Some("other") => text("license_name").or(licence),
        _ => licence,
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
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A path that stays inside of its folder on every system; it comes from a server.
fn is_safe(path: &str) -> bool {
    path.len() <= 1024
        && path.split('/').all(|piece| {
            !piece.is_empty()
                && !matches!(piece, "." | "..")
                && !piece.contains(['\\', ':'])
                && !piece.contains(char::is_control)
        })
}

/// The address in `Link: <...>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(LINK)?.to_str().ok()?;
    text.split(',').find_map(|link| {
        let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        rest.contains("rel=\"next\"").then(|| address.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for good in [
            "config.json",
            "Q4/a b-00001-of-00002.gguf",
            ".gitattributes",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "a/../../b",
            "..",
            "a//b",
            "a\\b",
            "C:x",
            "a\nb",
            "a/",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    #[test]
    fn licences_have_their_own_names() {
        let of = |json: serde_json::Value| licence(&serde_json::from_value(json).unwrap());
        let other = serde_json::json!({"cardData": {"license": "other", "license_name": "llama4"}});
        assert_eq!(of(other).as_deref(), Some("llama4"));
        let tag = serde_json::json!({"tags": ["x", "license:apache-2.0"]});
        assert_eq!(of(tag).as_deref(), Some("apache-2.0"));
        assert_eq!(of(serde_json::json!({"cardData": null})), None);
    }
}
