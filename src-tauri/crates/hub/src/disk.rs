//! Free space, and writing a small file so that it is whole or not there.
//!
//! Outside: weights.

use std::io::Write as _;
use std::path::Path;

/// Bytes that this user may still write at a path that need not exist yet; none if the system does not tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|folder| folder.exists())?;
    fs4::available_space(there).ok()
}

/// Writes a file under another name and gives it its name when it is on the disk. Blocks.
pub fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&fresh, path)
}
