//! Pictures as files, and what is removed when.

use super::*;

#[test]
fn a_picture_is_stored_once_and_a_changed_one_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = b"pixels".repeat(100);
    let id = Blobs::id_of(&bytes);
    assert_eq!(id.as_str().len(), 64);
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    store.blobs().put(&id, Rendition::Thumb, b"small").unwrap();
    store
        .blobs()
        .put(&id, Rendition::Thumb, b"smaller")
        .unwrap();
    assert_eq!(store.blobs().read(&id, Rendition::Original).unwrap(), bytes);
    assert_eq!(
        store.blobs().read(&id, Rendition::Thumb).unwrap(),
        b"smaller"
    );
    let place = folder
        .path()
        .join("pictures")
        .join(&id.as_str()[..2])
        .join(&id.as_str()[2..]);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2);
    assert_eq!(
        std::fs::read_dir(folder.path().join("pictures/tmp"))
            .unwrap()
            .count(),
        0
    );
    std::fs::write(place.join("original"), b"other").unwrap();
    assert!(matches!(
        store.blobs().read(&id, Rendition::Original),
        Err(StoreError::ImageChanged(_))
    ));
}

#[test]
fn deleted_conversations_come_back_until_they_are_removed_with_their_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (shared, lonely, drafted) = (picture(&store, 1), picture(&store, 2), picture(&store, 3));
    let id = |part: &Part| match part {
        Part::Image { image } => image.id.clone(),
        Part::Text { .. } => panic!(),
    };
    let (gone, ..) = begin(&store, None, None, vec![shared.clone(), lonely.clone()], 10);
    let (stays, ..) = begin(&store, None, None, vec![shared.clone()], 10);
    store.save_draft(Some(stays), "", &[id(&drafted)]).unwrap();
    // Whoever put a picture since the store was opened may need its files.
    drop(store);
    let store = open(folder.path());
    let keep = Duration::from_millis(10 * DAY_MS);
    let deleted_ms = NOW_MS;
    store.delete_conversation(gone, deleted_ms).unwrap();
    assert!(matches!(
        store.conversation(gone),
        Err(StoreError::NoConversation(_))
    ));
    let after = |days: u64| deleted_ms + days * DAY_MS;
    for day in 1..10 {
        let purged = store.purge_deleted(after(day), keep).unwrap();
        assert_eq!((purged.conversations, purged.pictures), (0, 0), "{day}");
    }
    assert_eq!(store.restore_conversation(gone).unwrap().images, 2);
    store.delete_conversation(gone, after(9)).unwrap();
    for day in 10..19 {
        assert_eq!(
            store.purge_deleted(after(day), keep).unwrap().conversations,
            0,
            "{day}"
        );
    }
    let purged = store.purge_deleted(after(19), keep).unwrap();
    assert_eq!(
        (purged.conversations, purged.pictures, purged.stayed),
        (1, 1, vec![])
    );
    assert!(matches!(
        store.restore_conversation(gone),
        Err(StoreError::NoConversation(_))
    ));
    let blobs = store.blobs();
    assert!(blobs.contains(&id(&shared), Rendition::Original));
    assert!(blobs.contains(&id(&drafted), Rendition::Original));
    assert!(matches!(
        blobs.read(&id(&lonely), Rendition::Original),
        Err(StoreError::NoImage(_))
    ));
}

fn place(folder: &Path, id: &ImageId) -> PathBuf {
    let (shard, rest) = id.as_str().split_at(2);
    folder.join("pictures").join(shard).join(rest)
}

fn image_of(part: &Part) -> ImageId {
    match part {
        Part::Image { image } => image.id.clone(),
        Part::Text { .. } => panic!("no picture"),
    }
}

#[test]
fn a_picture_that_the_disk_changed_is_healed_when_it_is_attached_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = b"pixels".repeat(50_000);
    let id = Blobs::id_of(&bytes);
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    let file = place(folder.path(), &id).join("original");
    let mut rotten = bytes.clone();
    rotten[123_456] ^= 4;
    std::fs::write(&file, &rotten).unwrap();
    assert!(matches!(
        store.blobs().read(&id, Rendition::Original),
        Err(StoreError::ImageChanged(_))
    ));
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    assert_eq!(store.blobs().read(&id, Rendition::Original).unwrap(), bytes);
    // One that is whole is not written again.
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    assert_eq!(
        std::fs::metadata(&file).unwrap().modified().unwrap(),
        written
    );
}

/// Makes a picture's files look written at a moment.
fn date(folder: &Path, id: &ImageId, ms: u64) {
    let place = place(folder, id);
    let time = std::time::UNIX_EPOCH + Duration::from_millis(ms);
    for path in [place.join("original"), place] {
        std::fs::File::open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
}

#[test]
fn files_without_a_row_are_swept_a_day_later_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let named = image_of(&picture(&store, 1));
    let orphan = |number: u32| {
        let bytes = [9, number as u8];
        let id = Blobs::id_of(&bytes);
        store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
        id
    };
    let (old, young, to_come, ancient) = (orphan(1), orphan(2), orphan(3), orphan(4));
    std::fs::create_dir_all(folder.path().join("pictures/ab/not a picture")).unwrap();
    std::fs::write(folder.path().join("pictures/zz"), "a file").unwrap();
    drop(store);
    let later_ms = NOW_MS + 3 * DAY_MS;
    date(folder.path(), &named, NOW_MS + 1);
    date(folder.path(), &old, NOW_MS + 1);
    date(folder.path(), &young, later_ms - DAY_MS + 60_000);
    date(folder.path(), &to_come, later_ms + 60_000);
    // Of a database before this one.
    date(folder.path(), &ancient, NOW_MS - DAY_MS);
    let store = Store::open(folder.path(), later_ms).unwrap();
    store.settled();
    let there = |id| store.blobs().contains(id, Rendition::Original);
    assert!(!there(&old));
    for stays in [&named, &young, &to_come, &ancient] {
        assert!(there(stays));
    }
    assert!(folder.path().join("pictures/ab/not a picture").is_dir());
    assert!(folder.path().join("pictures/zz").is_file());
}

#[test]
fn a_file_that_cannot_be_removed_stops_nothing_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let pictures: Vec<_> = (0..5).map(|seed| picture(&store, seed)).collect();
    let (gone, ..) = begin(&store, None, None, pictures.clone(), NOW_MS);
    store.delete_conversation(gone, NOW_MS).unwrap();
    drop(store);
    let stuck = image_of(&pictures[2]);
    // No permission keeps the superuser from removing a file, but a folder in its place does.
    let obstacle = place(folder.path(), &stuck).join("upright.png");
    std::fs::create_dir(&obstacle).unwrap();
    std::fs::write(obstacle.join("x"), "x").unwrap();
    let store = open(folder.path());
    let purged = store
        .purge_deleted(NOW_MS + DAY_MS, Duration::from_millis(DAY_MS))
        .unwrap();
    assert_eq!((purged.conversations, purged.pictures), (1, 4));
    assert_eq!(purged.stayed.len(), 1);
    assert_eq!(purged.stayed[0].0, stuck);
    assert!(purged.stayed[0].1.contains("cannot be read or written"));
    for part in &pictures {
        assert!(!store.blobs().contains(&image_of(part), Rendition::Original));
    }
    drop(store);
    std::fs::remove_dir_all(&obstacle).unwrap();
    std::fs::write(&obstacle, "no obstacle any more").unwrap();
    let store = open(folder.path());
    let purged = store
        .purge_deleted(NOW_MS + DAY_MS, Duration::from_millis(DAY_MS))
        .unwrap();
    assert_eq!((purged.pictures, purged.stayed), (1, vec![]));
    assert!(!place(folder.path(), &stuck).exists());
}

#[test]
fn a_clock_that_was_a_month_ahead_once_costs_nobody_a_deleted_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let kept = picture(&store, 1);
    let (deleted, ..) = begin(&store, None, None, vec![kept.clone()], NOW_MS);
    store.delete_conversation(deleted, NOW_MS).unwrap();
    let month = Duration::from_millis(30 * DAY_MS);
    let ahead_ms = NOW_MS + 31 * DAY_MS;
    let (other, _, answer) = begin(&store, None, None, vec![text("Then")], ahead_ms);
    drop(store);
    // Started twice with the wrong clock, then with an even worse one, then with the right one.
    for now_ms in [ahead_ms, ahead_ms + 60_000, ahead_ms * 10, NOW_MS + 60_000] {
        let store = Store::open(folder.path(), now_ms).unwrap();
        assert_eq!(store.purge_deleted(now_ms, month).unwrap().conversations, 0);
    }
    let store = open(folder.path());
    // What was written then is the newest only until something newer is.
    let (newer, ..) = begin(&store, None, None, vec![text("Now")], NOW_MS + 60_000);
    let order = || -> Vec<_> {
        let all = store.list_conversations(None).unwrap();
        all.iter().map(|summary| summary.id).collect()
    };
    assert_eq!(order(), [other, newer]);
    store
        .finish_answer(answer, "", "", &end(FinishReason::Stop), NOW_MS + 50_000)
        .unwrap();
    assert_eq!(order(), [newer, other]);
    assert_eq!(store.restore_conversation(deleted).unwrap().images, 1);
    assert!(
        store
            .blobs()
            .contains(&image_of(&kept), Rendition::Original)
    );
}
