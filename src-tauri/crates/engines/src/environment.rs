//! The environment that the engine process starts with: the app's own, without what could change the engine
//! behind the user's back or leak a secret to it.
//!
//! Outside: the variables that the supervisor sets itself.

use std::ffi::OsString;

/// Exact names that are never handed on. `RING_CONFIG` switches mistral.rs to a distributed mode without
/// authentication; the daemon variable makes it act as a worker of another process.
const REMOVED: &[&str] = &[
    "RING_CONFIG",
    "__MISTRALRS_DAEMON_INTERNAL",
    "RUST_LOG",
    "LD_PRELOAD",
];

/// Prefixes that are never handed on: switches of the engine's libraries, and the Hugging Face hub.
const REMOVED_PREFIXES: &[&str] = &[
    "MISTRALRS_",
    "__MISTRALRS",
    "HF_",
    "HUGGINGFACE_",
    "HUGGING_FACE_",
    "PADDOCK_",
    "DYLD_",
];

/// Endings of names that usually hold secrets.
const SECRET_SUFFIXES: &[&str] = &[
    "_TOKEN",
    "_API_KEY",
    "_SECRET",
    "_PASSWORD",
    "_ACCESS_KEY",
    "_SECRET_KEY",
];

/// The variables of `parent` that the engine may have.
pub fn clean(parent: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    parent
        .into_iter()
        .filter(|(name, _)| {
            let name = name.to_string_lossy().to_ascii_uppercase();
            !(REMOVED.contains(&name.as_str())
                || REMOVED_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
                || SECRET_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_engine_switches_stay_behind() {
        let parent = [
            ("PATH", "/bin"),
            ("RING_CONFIG", "x"),
            ("MISTRALRS_NO_MMAP", "1"),
            ("HF_TOKEN", "s"),
            ("OPENAI_API_KEY", "s"),
            ("github_token", "s"),
            ("CUDA_VISIBLE_DEVICES", "0"),
            ("HOME", "/home/x"),
        ]
        .map(|(k, v)| (OsString::from(k), OsString::from(v)));
        let kept: Vec<_> = clean(parent)
            .into_iter()
            .map(|(k, _)| k.into_string().unwrap())
            .collect();
        assert_eq!(kept, ["PATH", "CUDA_VISIBLE_DEVICES", "HOME"]);
    }
}
