//! What is in a data folder, read beside the program that owns it.
//!
//! Outside: changing it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Whether a message with this text in it is written down for good.
///
/// # Panics
/// If there is a database and it cannot be read.
#[must_use]
pub fn has_text(data: &Path, text: &str) -> bool {
    let path = data.join("paddock.db");
    if !path.is_file() {
        return false;
    }
    let open = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let connection = open.expect("the database");
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .expect("a time to wait");
    connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM part WHERE instr(text, ?1) > 0)",
            [text],
            |row| row.get(0),
        )
        .expect("the parts of messages")
}
