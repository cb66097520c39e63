//! The environment that the engine process starts with: only what a program that computes needs. Everything else of the app's
//! own stays behind: it may hold secrets, or switches that change the engine behind the user's back.
//!
//! Outside: the variables that the supervisor sets itself.

use std::ffi::OsString;

/// Names that are handed on, in capitals: Windows does not tell them apart.
const ALLOWED: &[&str] = &[
    // Where programs, libraries, the user and temporary files are.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    // Language, and so the encoding of file names; the time zone.
    "LANG",
    "LANGUAGE",
    "TZ",
    // Threads, and where a scheduler put the process.
    "OMP_NUM_THREADS",
    "RAYON_NUM_THREADS",
    // Graphics processors: which of them, and where CUDA's libraries and compiled kernels are.
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_HOME",
    "CUDA_PATH",
    "CUDA_CACHE_PATH",
    "CUDA_MODULE_LOADING",
    // What a crash says on standard error.
    "RUST_BACKTRACE",
    // Windows.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
];

/// Beginnings of names that are handed on.
const ALLOWED_PREFIXES: &[&str] = &["LC_", "NVIDIA_", "OMP_"];

/// The folders of the user, by the XDG base directory specification.
const ALLOWED_XDG: &[&str] = &[
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

/// The variables of `parent` that the engine may have.
pub fn clean(parent: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    parent
        .into_iter()
        .filter(|(name, _)| {
            let name = name.to_string_lossy().to_ascii_uppercase();
            ALLOWED.contains(&name.as_str())
                || ALLOWED_XDG.contains(&name.as_str())
                || ALLOWED_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(names: &[&str]) -> Vec<String> {
        let parent = names
            .iter()
            .map(|name| (OsString::from(name), OsString::from("x")));
        clean(parent)
            .into_iter()
            .filter_map(|(name, _)| name.into_string().ok())
            .collect()
    }

    #[test]
    fn secrets_and_engine_switches_stay_behind() {
        let nothing: [String; 0] = [];
        assert_eq!(
            kept(&[
                "GITHUB_PAT",
                "DB_PASS",
                "DATABASE_URL",
                "http_proxy",
                "HTTPS_PROXY",
                "AWS_ACCESS_KEY_ID",
                "AWS_PROFILE",
                "HF_TOKEN",
                "HF_HOME",
                "OPENAI_API_KEY",
                "github_token",
                "SSH_AUTH_SOCK",
                "DBUS_SESSION_BUS_ADDRESS",
                "DISPLAY",
                "WAYLAND_DISPLAY",
                "XAUTHORITY",
                "XDG_SESSION_ID",
                "RING_CONFIG",
                "MISTRALRS_NO_MMAP",
                "LD_PRELOAD",
                "LD_AUDIT",
                "DYLD_INSERT_LIBRARIES",
                "RUST_LOG",
                "PADDOCK_ENGINE_TOKEN",
                "A_VARIABLE_OF_TOMORROW",
            ]),
            nothing
        );
    }

    #[test]
    fn what_a_program_needs_is_handed_on() {
        let needed = [
            "PATH",
            "HOME",
            "LANG",
            "LC_ALL",
            "TMPDIR",
            "CUDA_VISIBLE_DEVICES",
            "NVIDIA_VISIBLE_DEVICES",
            "OMP_NUM_THREADS",
            "SystemRoot",
        ];
        assert_eq!(kept(&needed), needed);
    }
}
