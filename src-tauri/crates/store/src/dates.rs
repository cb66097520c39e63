//! Dates in the names of files: UTC, sortable, without the colons that some file systems refuse.
//!
//! Outside: the clock. SQLite knows the calendar.

use rusqlite::{Connection, params};

use crate::error::StoreError;

/// The last moment that has a four-digit year.
const LAST_MS: u64 = 253_402_300_799_000;

/// For example `2026-11-28T15-01-30Z`.
pub fn stamp(ms: u64) -> Result<String, StoreError> {
    Ok(Connection::open_in_memory()?.query_row(
        "SELECT strftime('%Y-%m-%dT%H-%M-%SZ', ?1, 'unixepoch')",
        [(ms.min(LAST_MS) / 1000) as i64],
        |row| row.get(0),
    )?)
}

/// Milliseconds since 1970; none if the text is no [`stamp`].
pub fn parse(stamp: &str) -> Option<u64> {
    let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
    let seconds: Option<i64> = Connection::open_in_memory()
        .and_then(|connection| {
            connection.query_row(
                "SELECT unixepoch(?1 || ' ' || ?2)",
                params![date, time.replace('-', ":")],
                |row| row.get(0),
            )
        })
        .ok()?;
    u64::try_from(seconds?).ok()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_its_moment_to_the_second() {
        assert_eq!(stamp(1_795_878_090_123).unwrap(), "2026-11-28T15-01-30Z");
        assert_eq!(parse("2026-11-28T15-01-30Z"), Some(1_795_878_090_000));
        assert_eq!(stamp(0).unwrap(), "1970-01-01T00-00-00Z");
        assert_eq!(stamp(u64::MAX).unwrap(), "9999-12-31T23-59-59Z");
        for wrong in [
            "",
            "Z",
            "T",
            "2026-13-28T15-01-30Z",
            "2026-11-28",
            "x'T;--Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
