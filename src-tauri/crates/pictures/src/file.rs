//! Files that the user chose or dropped.
//!
//! Outside: what is in them.

use std::io::Read as _;
use std::path::Path;

use paddock_conversation::Failure;
use paddock_decode::{Limits, MediaError};

/// The last part of a path, as people know the file.
#[must_use]
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Reads a file that the user chose, never more than the longest that is taken and one byte. Blocks.
///
/// # Errors
/// It is not there, not allowed, or not a file; in words.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = Limits::DEFAULT.max_file_bytes;
    let name = file_name(path);
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(
            "fileNotFound",
            format!("{name} does not exist any more."),
            "Check where the file is, then attach it again.",
        ),
        std::io::ErrorKind::PermissionDenied => Failure::new(
            "fileNotAllowed",
            format!("{name} may not be read."),
            "Allow yourself to read the file, or attach a copy of it.",
        ),
        _ => Failure::new(
            "fileUnreadable",
            format!("{name} cannot be read ({error})."),
            "Attach a copy of the file.",
        ),
    };
    if path.is_dir() {
        return Err(Failure::new(
            "folder",
            format!("{name} is a folder."),
            "Attach the pictures in it.",
        ));
    }
    // A pipe or a device may never end.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Failure::new(
            "fileUnreadable",
            format!("{name} is not a file with a picture in it."),
            "Attach a picture file.",
        ));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // What the system says of the length is not trusted: the file may be growing.
    let expected = usize::try_from(metadata.len().min(limit)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(expected + 1);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        let error = MediaError::FileTooLong {
            bytes: bytes.len() as u64,
            max_bytes: limit,
        };
        return Err(error.failure());
    }
    Ok(bytes)
}
