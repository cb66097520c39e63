//! The token that `hf auth login` left on this computer.
//!
//! Outside: whether it may be used for an endpoint (`credentials`).
//!
//! Where it lies: `huggingface_hub/constants.py`: `HF_TOKEN_PATH`, else `token` in `HF_HOME`, which is
//! `$XDG_CACHE_HOME/huggingface`, by default `~/.cache/huggingface`. `HF_HUB_DISABLE_IMPLICIT_TOKEN` says not to use it unasked.

use std::io::Read as _;
use std::path::PathBuf;

use crate::Token;

/// A token has some forty characters; a file with more is none.
const MOST_BYTES: u64 = 1024;

/// The token and the file it is in; `lookup` reads a variable. Blocks for a small file.
pub fn login_token(lookup: impl Fn(&str) -> Option<String>) -> Option<(Token, PathBuf)> {
    let set = |name: &str| lookup(name).filter(|text| !text.trim().is_empty());
    let unwanted = set("HF_HUB_DISABLE_IMPLICIT_TOKEN")
        .is_some_and(|text| ["1", "ON", "YES", "TRUE"].contains(&text.to_uppercase().as_str()));
    if unwanted {
        return None;
    }
    let home = || {
        set("HOME")
            .or_else(|| set("USERPROFILE"))
            .map(PathBuf::from)
    };
    let cache = || {
        set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(home()?.join(".cache")))
    };
    let folder = || {
        set("HF_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(cache()?.join("huggingface")))
    };
    let path = set("HF_TOKEN_PATH")
        .map(PathBuf::from)
        .or_else(|| Some(folder()?.join("token")))?;
    let mut text = String::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
        .ok()?;
    Some((Token::new(&text)?, path))
}
