//! Removing the files of pictures that no row names: left by a crash between the file and its row.
//!
//! Outside: pictures whose rows were removed on purpose (the conversations' purge).

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::Connection;

use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::tables::{image, state};

/// Younger ones may be needed by whoever looks into a crash.
const SPARED: Duration = Duration::from_secs(24 * 3600);

/// Sweeps; `spare_before_ms` spares what was written before a database was set aside, which may refer to it.
/// A file that cannot be removed stops nothing.
pub fn sweep(
    connection: &Connection,
    blobs: &Blobs,
    spare_before_ms: u64,
    now_ms: u64,
    stop: impl Fn() -> bool,
) -> Result<(), StoreError> {
    let kept = blobs.kept()?;
    // Read after the files: whoever came meanwhile is in hand.
    let named: HashSet<_> = image::ids(connection)?;
    let since_ms = spare_before_ms.max(state::pictures_since_ms(connection)?);
    let youngest_ms = now_ms.saturating_sub(SPARED.as_millis() as u64);
    let orphans = kept.into_iter().filter(|picture| {
        !named.contains(&picture.id) && (since_ms..youngest_ms).contains(&picture.written_ms)
    });
    for picture in orphans {
        if stop() {
            break;
        }
        match blobs.remove(&picture.id) {
            Ok(true) => tracing::info!(id = %picture.id, "a picture without a row was removed"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, id = %picture.id, "a picture without a row stays"),
        }
    }
    Ok(())
}
