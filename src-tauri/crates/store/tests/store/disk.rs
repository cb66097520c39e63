//! Full, read-only and locked disks: each said as what it is, and over when it is over.

use std::process::Command;

use super::*;

/// Runs a test of this program once more where it may mount (a mount namespace of its own, which goes with it). Returns
/// false in the second run, which is the one that tests.
///
/// A system that lets nobody mount gets a line instead of the test.
fn elsewhere(test: &str) -> bool {
    const INSIDE: &str = "PADDOCK_STORE_MAY_MOUNT";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let namespaces = [
        ["--mount", "--propagation=private"].as_slice(),
        &["--user", "--map-root-user", "--mount"],
    ];
    let may = |options: &[&str]| {
        let script =
            "d=$(mktemp -d) && mount -t tmpfs -o size=64k none $d && umount $d && rmdir $d";
        let tried = Command::new("unshare")
            .args(options)
            .args(["sh", "-c", script])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(options) = namespaces.into_iter().find(|options| may(options)) else {
        eprintln!("{test}: not tested, nothing can be mounted here");
        return true;
    };
    let output = Command::new("unshare")
        .args(options)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

fn mount(arguments: &[&str], at: &Path) {
    let output = Command::new("mount")
        .args(arguments)
        .arg(at)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn small_disk(kib: u32) -> tempfile::TempDir {
    let disk = tempfile::tempdir().unwrap();
    mount(
        &["-t", "tmpfs", "-o", &format!("size={kib}k"), "none"],
        disk.path(),
    );
    disk
}

fn fill(disk: &Path) -> PathBuf {
    use std::io::Write as _;
    let path = disk.join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    let block = [1_u8; 1024];
    while file.write_all(&block).is_ok() {}
    path
}

fn quick_check(folder: &Path) -> String {
    rusqlite::Connection::open(folder.join("paddock.db"))
        .unwrap()
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .unwrap()
}

#[test]
fn a_disk_that_fills_up_in_mid_turn_and_is_freed_costs_nothing_written_afterwards() {
    if elsewhere(
        "disk::a_disk_that_fills_up_in_mid_turn_and_is_freed_costs_nothing_written_afterwards",
    ) {
        return;
    }
    let disk = small_disk(2048);
    let folder = disk.path().join("data");
    let store = open(&folder);
    store.settled();
    let kept = picture(&store, 1);
    let (conversation, _, answer) = begin(&store, None, None, vec![kept.clone(), text("Hi")], 1);
    store.append_text(answer, "Before. ", "").unwrap();
    let ballast = fill(disk.path());
    // An answer streams on until it cannot be written any more.
    let piece = "word ".repeat(200);
    let mut written = 0;
    let full = loop {
        match store.append_text(answer, &piece, "") {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 5_000, "the disk never fills up");
    };
    assert!(matches!(full, StoreError::DiskFull), "{full:?}");
    let failure = full.failure();
    assert_eq!(failure.code, "diskFull");
    assert!(failure.next_step.contains("space"));
    // Nothing else can be written either, and everything can be read.
    let bytes = vec![3; 300_000];
    let id = Blobs::id_of(&bytes);
    assert!(matches!(
        store.blobs().put(&id, Rendition::Original, &bytes),
        Err(StoreError::DiskFull)
    ));
    assert!(!store.blobs().contains(&id, Rendition::Original));
    assert!(matches!(
        store.finish_answer(answer, &piece, "", &end(FinishReason::Stop), 2),
        Err(StoreError::DiskFull)
    ));
    assert_eq!(store.list_conversations(None).unwrap().len(), 1);
    let text_now = store.message(answer).unwrap().text();
    assert_eq!(text_now, format!("Before. {}", piece.repeat(written)));
    // A store that is opened now says so, too, or opens.
    drop(store);
    match Store::open(&folder, NOW_MS) {
        Ok(_) | Err(StoreError::DiskFull) => {}
        Err(other) => panic!("{other:?}"),
    }
    std::fs::remove_file(&ballast).unwrap();
    let store = open(&folder);
    let (_, _, next) = begin(
        &store,
        Some(conversation),
        Some(answer),
        vec![text("On")],
        3,
    );
    // Full and freed once more, without closing.
    let ballast = fill(disk.path());
    let mut lost = None;
    for _ in 0..5_000 {
        if let Err(error) = store.append_text(next, &piece, "") {
            lost = Some(error);
            break;
        }
    }
    assert!(matches!(lost, Some(StoreError::DiskFull)), "{lost:?}");
    std::fs::remove_file(&ballast).unwrap();
    store.append_text(next, "After.", "").unwrap();
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    store
        .finish_answer(next, " The end.", "", &end(FinishReason::Stop), 4)
        .unwrap();
    drop(store);
    assert_eq!(quick_check(&folder), "ok");
    let store = open(&folder);
    assert!(
        store
            .message(next)
            .unwrap()
            .text()
            .ends_with("After. The end.")
    );
    assert_eq!(store.message(answer).unwrap().text(), text_now);
    assert_eq!(store.blobs().read(&id, Rendition::Original).unwrap(), bytes);
    assert_eq!(
        store.list_conversations(Some("after. the end")).unwrap()[0].id,
        conversation
    );
}

#[test]
fn a_copy_that_does_not_fit_is_said_and_leaves_nothing_half_written() {
    if elsewhere("disk::a_copy_that_does_not_fit_is_said_and_leaves_nothing_half_written") {
        return;
    }
    let disk = small_disk(1024);
    let folder = disk.path().join("data");
    let store = open(&folder);
    store.settled();
    let (_, _, answer) = begin(&store, None, None, vec![text("Hi")], 1);
    store
        .append_text(answer, &"words ".repeat(20_000), "")
        .unwrap();
    let ballast = fill(disk.path());
    store.back_up_if_due(NOW_MS + DAY_MS);
    let paddock_store::BackupState::Failed { detail } = store.settled().backup else {
        panic!("{:?}", store.health())
    };
    assert!(detail.contains("full"), "{detail}");
    let copies = || std::fs::read_dir(folder.join("backups")).map_or(0, Iterator::count);
    assert_eq!(copies(), 0);
    std::fs::remove_file(ballast).unwrap();
    store.back_up_if_due(NOW_MS + DAY_MS);
    assert!(matches!(
        store.settled().backup,
        paddock_store::BackupState::Done { .. }
    ));
    assert_eq!(copies(), 1);
}

#[test]
fn a_read_only_disk_is_said_as_such_and_works_again_when_it_may_be_written() {
    if elsewhere("disk::a_read_only_disk_is_said_as_such_and_works_again_when_it_may_be_written") {
        return;
    }
    let disk = small_disk(4096);
    let folder = disk.path().join("data");
    let store = open(&folder);
    let (conversation, ..) = begin(&store, None, None, vec![text("Hi")], 1);
    drop(store);
    mount(&["-o", "remount,ro"], disk.path());
    for place in [folder.clone(), disk.path().join("not there yet")] {
        let error = Store::open(&place, NOW_MS).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        assert_eq!(error.failure().code, "readOnly");
    }
    mount(&["-o", "remount,rw"], disk.path());
    let store = open(&folder);
    begin(&store, Some(conversation), None, vec![text("On")], 2);
    assert_eq!(store.messages(conversation).unwrap().len(), 4);
}

#[test]
fn a_locked_database_is_said_as_such_and_works_again_when_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.settled();
    let (conversation, _, answer) = begin(&store, None, None, vec![text("Hi")], 1);
    let other = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append_text(answer, "lost?", "").unwrap_err();
    assert!(matches!(error, StoreError::Locked), "{error:?}");
    assert_eq!(error.failure().code, "databaseLocked");
    assert_eq!(store.messages(conversation).unwrap().len(), 2);
    other.execute_batch("ROLLBACK").unwrap();
    store.append_text(answer, "kept", "").unwrap();
    // Whoever holds it for a moment only is waited for.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let appended = scope.spawn(|| store.append_text(answer, " too", ""));
        other.execute_batch("COMMIT").unwrap();
        appended.join().unwrap().unwrap();
    });
    assert_eq!(store.message(answer).unwrap().text(), "kept too");
}
