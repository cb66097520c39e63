//! What people paste to name a model: `owner/name`, `owner/name:Q4_K_M`, or an address of its page or of one file.
//!
//! Outside: whether it exists.

use paddock_conversation::Failure;

/// A repository, its revision, and one file of it if that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `owner/name`.
    pub repository: String,
    /// Branch, tag or commit; `main` if none was named.
    pub revision: String,
    pub file: Option<String>,
    /// The quantisation of a GGUF repository's file, as other programs name it: `Q4_K_M`.
    pub tag: Option<String>,
}

/// A text that names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no model of the Hub.")]
pub struct ReferenceError(pub String);

fn part(text: &str) -> bool {
    // The Hub's own rule for names, which also keeps them safe as folder names.
    !text.is_empty()
        && text.len() <= 96
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
        && !text.ends_with('.')
}

/// `%20` and its like, as browsers write them; anything else stays.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

impl ReferenceError {
    /// As the window shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(
            "hubBadName",
            format!("{:?} names no model of the Hub.", self.0),
            "Write it like owner/name, or paste the address of its page.",
        )
    }
}

impl std::str::FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = || ReferenceError(text.to_owned());
        let trimmed = text.trim();
        let path = match trimmed.split_once("://") {
            Some((_, rest)) => rest.split_once('/').ok_or_else(error)?.1,
            None => ["huggingface.co/", "hf.co/", "www.huggingface.co/"]
                .iter()
                .find_map(|host| trimmed.strip_prefix(host))
                .unwrap_or(trimmed),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut pieces = path.trim_end_matches('/').split('/');
        let (Some(owner), Some(name)) = (pieces.next(), pieces.next()) else {
            return Err(error());
        };
        let (name, tag) = match name.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (name, None),
        };
        if !part(owner) || !part(name) || tag.is_some_and(|tag| !part(tag)) {
            return Err(error());
        }
        // What Ollama calls the usual one is none that a name of a file could have.
        let tag = tag.filter(|tag| !tag.eq_ignore_ascii_case("latest"));
        let rest: Vec<&str> = pieces.collect();
        let (revision, file) = match rest.as_slice() {
            [] => ("main", None),
            ["tree", revision] => (*revision, None),
            ["blob" | "resolve" | "raw" | "tree", revision, file @ ..] => (
                *revision,
                Some(percent_decoded(&file.join("/"))).filter(|file| !file.is_empty()),
            ),
            _ => return Err(error()),
        };
        if !part(revision) || file.is_some() && tag.is_some() {
            return Err(error());
        }
        Ok(Self {
            repository: format!("{owner}/{name}"),
            revision: revision.to_owned(),
            file,
            tag: tag.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_people_paste() {
        let plain = |text: &str| {
            let reference: Reference = text.parse().unwrap();
            (reference.repository, reference.revision, reference.file)
        };
        let smol = "HuggingFaceTB/SmolVLM-256M-Instruct".to_owned();
        for text in [
            "HuggingFaceTB/SmolVLM-256M-Instruct",
            " https://huggingface.co/HuggingFaceTB/SmolVLM-256M-Instruct/ ",
            "hf.co/HuggingFaceTB/SmolVLM-256M-Instruct",
            "https://mirror.example/HuggingFaceTB/SmolVLM-256M-Instruct?library=x#top",
            "https://huggingface.co/HuggingFaceTB/SmolVLM-256M-Instruct/tree/main",
        ] {
            assert_eq!(plain(text), (smol.clone(), "main".into(), None), "{text}");
        }
        let file = plain("https://huggingface.co/a/b-GGUF/blob/v2/b-Q4_K_M.gguf");
        let spaced = plain("https://huggingface.co/a/b/resolve/main/x/a%20b.gguf?download=true");
        assert_eq!(spaced.2.as_deref(), Some("x/a b.gguf"));
        assert_eq!(
            file,
            ("a/b-GGUF".into(), "v2".into(), Some("b-Q4_K_M.gguf".into()))
        );
        for text in [
            "a/b-GGUF:Q4_K_M",
            "hf.co/a/b-GGUF:Q4_K_M",
            "https://hf.co/a/b-GGUF:Q4_K_M",
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.repository, "a/b-GGUF", "{text}");
            assert_eq!(reference.tag.as_deref(), Some("Q4_K_M"), "{text}");
        }
        let latest: Reference = "hf.co/a/b:latest".parse().unwrap();
        assert_eq!((latest.tag, latest.file), (None, None));
        for text in [
            "",
            "a/b:",
            "a/b:../x",
            "a/b:c:d",
            "a/b:Q4/blob/main/x.gguf",
            "one",
            "../etc",
            "a/..",
            "a/b/c",
            "a b/c",
            "https://huggingface.co",
            "/a/b",
            "./a",
            "a/b/tree/../x",
            ".git/x",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
