//! Databases of older and newer schemas, and who owns the folder.

use super::*;

#[test]
fn one_process_owns_the_folder_and_a_newer_schema_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(
        Store::open(folder.path(), NOW_MS),
        Err(StoreError::InUse)
    ));
    drop(store);
    drop(open(folder.path()));
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    database
        .execute("UPDATE state SET schema = 99", [])
        .unwrap();
    drop(database);
    assert!(matches!(
        Store::open(folder.path(), NOW_MS),
        Err(StoreError::TooNew { found: 99, .. })
    ));
}

/// A database that schema 1 wrote, as a text that anybody can read. A released fixture is never edited.
#[test]
fn a_database_of_schema_1_opens_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    database
        .execute_batch(include_str!("fixtures/schema1.sql"))
        .unwrap();
    drop(database);
    let store = open(folder.path());
    let all = store.list_conversations(None).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].title.as_str(), all[0].images, all[0].updated_at_ms),
        ("What is this?", 1, 1_700_000_005_000)
    );
    let messages = store.messages(all[0].id).unwrap();
    assert_eq!(
        messages[0].images().next().unwrap().size,
        ImageSize::new(300, 400)
    );
    assert_eq!(messages[1].text(), "A red circle.");
    assert_eq!(messages[1].receipts[0].tokens, 20);
    assert_eq!(messages[1].usage.unwrap().prompt_tokens, 40);
    assert_eq!(
        messages[2].status,
        MessageStatus::Finished {
            reason: FinishReason::Interrupted
        }
    );
    assert_eq!(messages[2].failure, None);
    assert_eq!(
        store.load_draft(Some(all[0].id)).unwrap().images[0].name,
        "photo.jpg"
    );
    assert_eq!(
        store.document("settings").unwrap().unwrap().1["theme"],
        "dark"
    );
    assert_eq!(store.local_models().unwrap(), ["/models/small"]);
    assert_eq!(
        store.list_conversations(Some("red circle")).unwrap().len(),
        1
    );
}

#[test]
fn a_database_of_schema_2_opens_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    database
        .execute_batch(include_str!("fixtures/schema2.sql"))
        .unwrap();
    drop(database);
    let store = open(folder.path());
    let all = store.list_conversations(None).unwrap();
    assert_eq!(all.len(), 1);
    let messages = store.messages(all[0].id).unwrap();
    let image = messages[0].images().next().unwrap();
    assert_eq!(image.alt.as_deref(), Some("A red circle on white"));
    let pages = store.attachment(&image.id).unwrap().pages.unwrap();
    assert_eq!((pages.number, pages.total), (2, 3));
    assert_eq!(messages[1].text(), "A red circle.");
    // What was deleted before the upgrade can be taken back for the whole time after it.
    let deleted = "018bcfe5-6800-7000-8000-000000000009".parse().unwrap();
    let keep = Duration::from_millis(2 * DAY_MS);
    for day in 0..2 {
        let purged = store.purge_deleted(NOW_MS + day * DAY_MS, keep).unwrap();
        assert_eq!((purged.conversations, purged.pictures), (0, 0), "{day}");
    }
    assert_eq!(store.restore_conversation(deleted).unwrap().title, "Gone");
}

/// One bit of a header must not send anybody to a newer Paddock.
#[test]
fn a_schema_number_that_the_tables_contradict_is_damage() {
    for number in [0, 1, 2, 7, 99] {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
        database
            .pragma_update(None, "user_version", number)
            .unwrap();
        drop(database);
        assert!(
            matches!(
                Store::open(folder.path(), NOW_MS),
                Err(StoreError::Damaged { .. })
            ),
            "{number}"
        );
    }
}
