//! Databases that the disk or a crash has damaged: noticed, set aside, gone on without losing anything.

use std::collections::BTreeMap;

use paddock_store::{BackupState, CheckState, begin_empty, restore_newest};

use super::*;

/// A generator whose numbers are the same in every run (Knuth's MMIX constants).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("paddock.db")
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = files(&folder.join("backups")).into_keys().collect();
    found.sort();
    found
}

/// A store with conversations, pictures, a draft and settings, closed, and a copy of its database beside it.
fn kept_folder() -> tempfile::TempDir {
    let folder = quick_folder();
    let store = open(folder.path());
    let mut numbers = Numbers(7);
    for number in 0..40_u32 {
        let words: String = (0..60)
            .map(|_| format!("word{} ", numbers.below(5_000)))
            .collect();
        let parts = vec![picture(&store, number % 10), text(&words)];
        let (_, _, answer) = begin(&store, None, None, parts, NOW_MS + u64::from(number));
        store
            .finish_answer(answer, &words, "thinking", &end(FinishReason::Stop), NOW_MS)
            .unwrap();
    }
    store.save_draft(None, "to be sent", &[]).unwrap();
    store
        .put_document("settings", 1, &serde_json::json!({"theme": "dark"}))
        .unwrap();
    drop(store);
    let store = Store::open(folder.path(), NOW_MS + DAY_MS).unwrap();
    let health = store.settled();
    assert_eq!(health.check, CheckState::Passed);
    assert!(matches!(health.backup, BackupState::Done { .. }));
    drop(store);
    assert_eq!(backups(folder.path()).len(), 1);
    folder
}

fn copy_of(from: &Path) -> tempfile::TempDir {
    let to = quick_folder();
    for (path, bytes) in files(from) {
        let target = to.path().join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
    to
}

/// Reads all there is; what cannot be read is a typed error, never a panic.
fn read_all(store: &Store) -> Result<usize, StoreError> {
    let mut messages = 0;
    store.load_draft(None)?;
    store.document("settings")?;
    store.list_conversations(Some("word12 word"))?;
    for summary in store.list_conversations(None)? {
        store.conversation(summary.id)?;
        for message in store.messages(summary.id)? {
            for image in message.images() {
                store.attachment(&image.id)?;
            }
            messages += 1;
        }
    }
    Ok(messages)
}

/// Sees to it that a folder whose database is damaged loses nothing and can be gone on with.
fn go_on(folder: &Path, before: &BTreeMap<PathBuf, Vec<u8>>, restore: bool) {
    for (path, bytes) in before {
        assert_eq!(std::fs::read(path).as_ref().ok(), Some(bytes), "{path:?}");
    }
    let damaged = std::fs::read(database(folder)).ok();
    let empty = !restore;
    if restore {
        restore_newest(folder, NOW_MS + 2 * DAY_MS).unwrap();
    } else {
        begin_empty(folder, NOW_MS + 2 * DAY_MS).unwrap();
    }
    let aside = folder.join("damaged/2026-11-30T15-01-30Z");
    assert_eq!(std::fs::read(aside.join("paddock.db")).ok(), damaged);
    let store = Store::open(folder, NOW_MS + 3 * DAY_MS).unwrap();
    store.settled();
    assert_eq!(read_all(&store).unwrap(), if empty { 0 } else { 80 });
    // It can be written, and no picture is gone.
    begin(
        &store,
        None,
        None,
        vec![text("On we go")],
        NOW_MS + 3 * DAY_MS,
    );
    drop(store);
    let pictures = |folder: &Path| files(&folder.join("pictures")).len();
    assert_eq!(pictures(if empty { &aside } else { folder }), 10);
    assert_eq!(
        backups(if empty { &aside } else { folder }).first(),
        Some(&before_backup(
            before,
            folder,
            if empty { &aside } else { folder }
        ))
    );
}

fn before_backup(before: &BTreeMap<PathBuf, Vec<u8>>, folder: &Path, now: &Path) -> PathBuf {
    let old = before
        .keys()
        .find(|path| path.starts_with(folder.join("backups")))
        .unwrap();
    now.join(old.strip_prefix(folder).unwrap())
}

#[test]
fn one_flipped_bit_anywhere_is_survived_or_offers_a_choice() {
    let kept = kept_folder();
    let whole = std::fs::read(database(kept.path())).unwrap();
    let mut numbers = Numbers(2026);
    // Every byte of the header, then anywhere.
    let places = (0..100_u64)
        .map(|byte| byte * 8 + byte % 8)
        .chain((0..200).map(|_| numbers.below(whole.len() as u64 * 8)))
        .collect::<Vec<_>>();
    let (mut opened, mut damaged) = (0, 0);
    for (number, bit) in places.into_iter().enumerate() {
        let folder = copy_of(kept.path());
        let mut bytes = whole.clone();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        std::fs::write(database(folder.path()), &bytes).unwrap();
        let before = files(folder.path());
        match Store::open(folder.path(), NOW_MS + DAY_MS) {
            Ok(store) => {
                opened += 1;
                if let Err(error) = read_all(&store) {
                    let code = error.failure().code;
                    assert!(
                        ["databaseDamaged", "database", "noImage", "searchIndex"]
                            .contains(&code.as_str()),
                        "bit {bit}: {error}"
                    );
                }
                store.settled();
            }
            Err(StoreError::Damaged {
                newest_good_copy: Some(copy),
                ..
            }) => {
                damaged += 1;
                assert!(copy.path.is_file() && copy.made_ms == NOW_MS + DAY_MS);
                go_on(folder.path(), &before, number % 2 == 0);
            }
            Err(other) => panic!("bit {bit}: {other:?}"),
        }
    }
    println!("{opened} opened, {damaged} were found damaged");
    assert!(opened > 30 && damaged > 30, "{opened} {damaged}");
}

#[test]
fn a_truncated_or_missing_database_offers_a_choice() {
    let kept = kept_folder();
    let whole = std::fs::read(database(kept.path())).unwrap();
    let page = 4096;
    for (number, length) in [
        0,
        1,
        99,
        100,
        512,
        page,
        page + 1,
        10 * page,
        whole.len() - page,
        whole.len() - 1,
    ]
    .into_iter()
    .enumerate()
    {
        let folder = copy_of(kept.path());
        std::fs::write(database(folder.path()), &whole[..length]).unwrap();
        let before = files(folder.path());
        match Store::open(folder.path(), NOW_MS) {
            Err(StoreError::Damaged {
                newest_good_copy: Some(_),
                ..
            }) => go_on(folder.path(), &before, number % 2 == 0),
            other => panic!("{length}: {other:?}"),
        }
    }
    // Gone altogether, or replaced by something else.
    let folder = copy_of(kept.path());
    std::fs::remove_file(database(folder.path())).unwrap();
    let before = files(folder.path());
    assert!(matches!(
        Store::open(folder.path(), NOW_MS),
        Err(StoreError::Damaged { .. })
    ));
    go_on(folder.path(), &before, true);
    let folder = copy_of(kept.path());
    std::fs::write(
        database(folder.path()),
        "A letter, not a database. ".repeat(400),
    )
    .unwrap();
    let before = files(folder.path());
    assert!(matches!(
        Store::open(folder.path(), NOW_MS),
        Err(StoreError::Damaged { .. })
    ));
    go_on(folder.path(), &before, false);
}

#[test]
fn the_newest_good_copy_is_taken_and_without_one_nothing_is_touched() {
    let kept = kept_folder();
    for day in 2..4 {
        let store = Store::open(kept.path(), NOW_MS + day * DAY_MS).unwrap();
        store
            .put_document("day", 1, &serde_json::json!(day))
            .unwrap();
        store.settled();
        drop(store);
    }
    // What is half written never has the name of a copy.
    std::fs::write(kept.path().join("backups/next.part"), b"SQLite format 3").unwrap();
    let copies = backups(kept.path());
    assert_eq!(copies.len(), 4, "{copies:?}");
    std::fs::write(database(kept.path()), vec![7; 8192]).unwrap();
    let newest = copies
        .iter()
        .rfind(|path| path.extension().unwrap() == "db")
        .unwrap();
    let mut bytes = std::fs::read(newest).unwrap();
    // The number of the root page's cells.
    bytes[103] ^= 0x40;
    std::fs::write(newest, &bytes).unwrap();
    let Err(StoreError::Damaged {
        newest_good_copy: Some(copy),
        ..
    }) = Store::open(kept.path(), NOW_MS + 4 * DAY_MS)
    else {
        panic!()
    };
    assert_eq!(copy.made_ms, NOW_MS + 2 * DAY_MS);
    assert_eq!(
        restore_newest(kept.path(), NOW_MS + 4 * DAY_MS).unwrap(),
        copy
    );
    let store = Store::open(kept.path(), NOW_MS + 4 * DAY_MS).unwrap();
    assert!(matches!(
        restore_newest(kept.path(), NOW_MS),
        Err(StoreError::InUse)
    ));
    assert_eq!(read_all(&store).unwrap(), 80);
    drop(store);
    // All copies damaged.
    for path in backups(kept.path()) {
        std::fs::write(path, vec![7; 8192]).unwrap();
    }
    std::fs::write(database(kept.path()), vec![7; 8192]).unwrap();
    let before = files(kept.path());
    assert!(matches!(
        Store::open(kept.path(), NOW_MS),
        Err(StoreError::Damaged {
            newest_good_copy: None,
            ..
        })
    ));
    assert!(matches!(
        restore_newest(kept.path(), NOW_MS),
        Err(StoreError::NoGoodCopy)
    ));
    assert_eq!(files(kept.path()), before);
}

#[test]
fn a_copy_is_made_once_a_day_and_before_an_upgrade_and_seven_are_kept() {
    let folder = quick_folder();
    let old = rusqlite::Connection::open(database(folder.path())).unwrap();
    old.execute_batch(include_str!("fixtures/schema1.sql"))
        .unwrap();
    drop(old);
    drop(open(folder.path()));
    let copies = backups(folder.path());
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(copies[0].ends_with("paddock-000001-2026-11-28T15-01-30Z.db"));
    let copy = rusqlite::Connection::open(&copies[0]).unwrap();
    let schema: u32 = copy
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(schema, 1, "as it was before the upgrade");
    drop(copy);
    // Not twice on one day; while it is open, a turn that begins asks for the next one.
    let store = Store::open(folder.path(), NOW_MS + DAY_MS - 1).unwrap();
    assert_eq!(store.settled().backup, BackupState::NotDue);
    begin(&store, None, None, vec![text("Hi")], NOW_MS + DAY_MS);
    assert!(matches!(store.settled().backup, BackupState::Done { .. }));
    begin(&store, None, None, vec![text("Hi")], NOW_MS + DAY_MS + 1);
    store.settled();
    drop(store);
    assert_eq!(backups(folder.path()).len(), 2);
    // A clock that was wrong once does not end the copies.
    for now_ms in [NOW_MS + 500 * DAY_MS, NOW_MS + 2 * DAY_MS] {
        drop_settled(Store::open(folder.path(), now_ms).unwrap());
    }
    for day in 3..12 {
        drop_settled(Store::open(folder.path(), NOW_MS + day * DAY_MS).unwrap());
    }
    let copies = backups(folder.path());
    assert_eq!(copies.len(), 7);
    assert!(copies[6].ends_with("paddock-000013-2026-12-09T15-01-30Z.db"));
}

fn drop_settled(store: Store) {
    assert!(matches!(store.settled().backup, BackupState::Done { .. }));
}

#[test]
fn damage_that_shows_in_use_is_told_and_the_next_start_offers_the_choice() {
    let kept = kept_folder();
    let store = Store::open(kept.path(), NOW_MS + DAY_MS).unwrap();
    store.settled();
    let all = store.list_conversations(None).unwrap();
    // A bad sector under the running program: the pages of the messages, wherever they are.
    let file = database(kept.path());
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("UPDATE state SET seen_ms = seen_ms + 1")
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8 * 4096..].fill(0xA5);
    let mut target = std::fs::File::options().write(true).open(&file).unwrap();
    std::io::Write::write_all(&mut target, &bytes).unwrap();
    // What another connection writes ends what this one remembers of the file.
    other
        .execute_batch("UPDATE state SET seen_ms = seen_ms + 1")
        .unwrap();
    let failed = all
        .iter()
        .find_map(|summary| store.messages(summary.id).err())
        .expect("what is overwritten cannot be read");
    assert!(
        matches!(
            &failed,
            StoreError::Damaged {
                newest_good_copy: Some(_),
                ..
            }
        ),
        "{failed:?}"
    );
    assert_eq!(failed.failure().code, "databaseDamaged");
    assert!(matches!(store.health().check, CheckState::Damaged { .. }));
    drop((store, other, target));
    assert!(kept.path().join("paddock.db-suspect").is_file());
    let before = files(kept.path());
    assert!(matches!(
        Store::open(kept.path(), NOW_MS + DAY_MS),
        Err(StoreError::Damaged { .. })
    ));
    go_on(kept.path(), &before, true);
    assert!(!kept.path().join("paddock.db-suspect").exists());
}

#[test]
fn a_damaged_search_index_is_made_anew_and_nobody_notices() {
    let kept = kept_folder();
    let spoil = || {
        let database = rusqlite::Connection::open(database(kept.path())).unwrap();
        let changed = database
            .execute("DELETE FROM search_data WHERE id > 10", [])
            .unwrap();
        assert!(changed > 0);
    };
    let found = |store: &Store| store.list_conversations(Some("word12")).unwrap().len();
    let expected = found(&Store::open(kept.path(), NOW_MS + DAY_MS).unwrap());
    assert!(expected > 0);
    // At a start.
    spoil();
    let store = Store::open(kept.path(), NOW_MS + DAY_MS).unwrap();
    assert_eq!(found(&store), expected);
    // While it is open: an answer that ends writes to the index.
    spoil();
    assert_eq!(found(&store), expected);
    let (conversation, _, answer) = begin(&store, None, None, vec![text("zebra")], NOW_MS);
    spoil();
    store
        .finish_answer(answer, "A giraffe", "", &end(FinishReason::Stop), NOW_MS)
        .unwrap();
    assert_eq!(store.message(answer).unwrap().text(), "A giraffe");
    assert_eq!(
        store.list_conversations(Some("giraffe zebra")).unwrap()[0].id,
        conversation
    );
    assert_eq!(found(&store), expected);
}
