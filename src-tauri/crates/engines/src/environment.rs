//! The environment that a child process starts with: what a program needs to run at all, and nothing else of the app's own.
//! A secret is not leaked by not being known as one, and no switch of a library changes the engine behind the user's back
//! (mistral.rs has one that opens an unauthenticated port).
//!
//! Outside: the variables that the supervisor sets itself.

use std::ffi::OsString;

/// Names that are handed on, in capitals. Where programs, libraries, temporary files and the user's folder are; language; time
/// zone; what Windows programs cannot start without.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "RUST_BACKTRACE",
    // macOS.
    "__CF_USER_TEXT_ENCODING",
    // Windows.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
];

/// Beginnings of names that are handed on: language, and which GPUs a program may see and where their libraries are.
const KEPT_PREFIXES: &[&str] = &["LC_", "CUDA_", "NVIDIA_"];

/// The variables of `parent` that a child may have.
pub fn clean(parent: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    parent
        .into_iter()
        .filter(|(name, _)| {
            let name = name.to_string_lossy().to_ascii_uppercase();
            KEPT.contains(&name.as_str())
                || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_program_needs_goes_on() {
        let kept = [
            "PATH",
            "HOME",
            "SystemRoot",
            "LC_CTYPE",
            "CUDA_VISIBLE_DEVICES",
            "LD_LIBRARY_PATH",
        ];
        let left = [
            "RING_CONFIG",
            "MISTRALRS_NO_MMAP",
            "HF_TOKEN",
            "OPENAI_API_KEY",
            "github_token",
            "GITLAB_PAT",
            "DB_PASS",
            "DATABASE_URL",
            "https_proxy",
            "AWS_PROFILE",
            "SSH_AUTH_SOCK",
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "RUST_LOG",
            "PADDOCK_DATA_DIR",
            "DBUS_SESSION_BUS_ADDRESS",
        ];
        let parent = kept.iter().chain(&left);
        let parent = parent.map(|name| (OsString::from(name), OsString::from("x")));
        let clean: Vec<_> = clean(parent)
            .into_iter()
            .map(|(name, _)| name.into_string().unwrap())
            .collect();
        assert_eq!(clean, kept);
    }
}
