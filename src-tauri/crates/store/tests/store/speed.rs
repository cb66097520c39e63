//! How fast it is with many chats.

use super::*;

#[test]
fn five_hundred_chats_with_five_pictures_each_are_listed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let pictures: Vec<_> = (0..50).map(|seed| picture(&store, seed)).collect();
    let mut last = None;
    for number in 0..500_usize {
        let mut parts: Vec<_> = (0..5)
            .map(|i| pictures[(number * 3 + i) % 50].clone())
            .collect();
        parts.push(text(&format!(
            "Question {number} about something long enough to be worth a search"
        )));
        let (conversation, _, answer) = begin(&store, None, None, parts, number as u64);
        store
            .finish_answer(
                answer,
                &"word ".repeat(60),
                "",
                &end(FinishReason::Stop),
                number as u64,
            )
            .unwrap();
        let (_, _, answer) = begin(
            &store,
            Some(conversation),
            Some(answer),
            vec![text("And?")],
            number as u64,
        );
        store
            .finish_answer(answer, "Yes.", "", &end(FinishReason::Stop), number as u64)
            .unwrap();
        last = Some(conversation);
    }
    drop(store);
    let opening = Instant::now();
    let store = open(folder.path());
    let all = store.list_conversations(None).unwrap();
    let listed = opening.elapsed();
    assert_eq!(all.len(), 500);
    assert!(all.iter().all(|summary| summary.images == 5));
    let switching = Instant::now();
    assert_eq!(store.messages(last.unwrap()).unwrap().len(), 4);
    let switched = switching.elapsed();
    let searching = Instant::now();
    assert_eq!(
        store
            .list_conversations(Some("question 499"))
            .unwrap()
            .len(),
        1
    );
    let searched = searching.elapsed();
    println!("opened and listed in {listed:?}, switched in {switched:?}, searched in {searched:?}");
    assert!(listed < Duration::from_millis(200), "{listed:?}");
    assert!(switched < Duration::from_millis(100), "{switched:?}");
    assert!(searched < Duration::from_millis(200), "{searched:?}");
    let size = std::fs::metadata(folder.path().join("paddock.db"))
        .unwrap()
        .len();
    assert!(
        size < 8 << 20,
        "the database holds references only, but has {size} bytes"
    );
}

/// Shows what a start costs by the size of the database; run it with `--run-ignored all --no-capture`.
#[test]
#[ignore = "a measurement, not a check"]
fn what_a_start_costs_by_size() {
    let folder = tempfile::tempdir().unwrap();
    for mib in [8, 16, 32, 64, 128] {
        let store = open(folder.path());
        let file = folder.path().join("paddock.db");
        while std::fs::metadata(&file).unwrap().len() < mib << 20 {
            let (_, _, answer) = begin(&store, None, None, vec![text("How is that?")], NOW_MS);
            let words: String = (0..3_000_u64)
                .map(|i| format!("{:x} ", i.wrapping_mul(0x9E37_79B9) % 50_000))
                .collect();
            let done = end(FinishReason::Stop);
            store
                .finish_answer(answer, &words, "", &done, NOW_MS)
                .unwrap();
        }
        drop(store);
        let opening = Instant::now();
        let store = open(folder.path());
        let opened = opening.elapsed();
        store.settled();
        let settled = opening.elapsed();
        println!("{mib} MiB: opened in {opened:?}, checked and copied after {settled:?}");
    }
}
