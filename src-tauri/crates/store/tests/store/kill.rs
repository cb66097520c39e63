//! The process killed at any moment: what was said to be kept is there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::damage::Numbers;
use super::*;

const FOLDER: &str = "PADDOCK_STORE_KILLED_IN";
const SEED: &str = "PADDOCK_STORE_SEED";

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn words(numbers: &mut Numbers) -> String {
    format!("word{} ", numbers.below(100_000)).repeat(1 + numbers.below(40) as usize)
}

/// What is killed: turns, pictures, drafts, deletions and copies for ever. Each line is said once the thing is kept.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let mut numbers = Numbers(std::env::var(SEED).unwrap().parse().unwrap());
    let mut now_ms = NOW_MS;
    let store = Store::open(Path::new(&folder), now_ms).unwrap();
    say("kept open");
    loop {
        now_ms += DAY_MS / 3;
        let bytes: Vec<u8> = (0..numbers.below(100_000))
            .map(|_| numbers.below(256) as u8)
            .collect();
        let id = Blobs::id_of(&bytes);
        store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
        say("kept file");
        let size = ImageSize::new(3, 2);
        let attachment = Attachment {
            alt: None,
            pages: None,
            id: id.clone(),
            name: "x.png".into(),
            format: "PNG".into(),
            stored: size,
            upright: size,
            bytes: bytes.len() as u64,
            notes: vec![],
        };
        store.put_attachment(&attachment, now_ms).unwrap();
        say(&format!("kept picture {id}"));
        let image = ImageRef {
            id: id.clone(),
            name: "x".into(),
            size,
            alt: None,
        };
        let parts = vec![Part::Image { image }, text(&words(&mut numbers))];
        let (conversation, _, answer) = begin(&store, None, None, parts, now_ms);
        say(&format!("kept turn {answer} {id}"));
        for _ in 0..numbers.below(8) {
            store
                .append_text(answer, &words(&mut numbers), "hm ")
                .unwrap();
            say("kept piece");
        }
        let message = store
            .finish_answer(answer, "The end.", "", &end(FinishReason::Stop), now_ms)
            .unwrap();
        say(&format!(
            "kept answer {answer} {}",
            Blobs::id_of(message.text().as_bytes())
        ));
        store.save_draft(Some(conversation), "next", &[]).unwrap();
        if numbers.below(4) == 0 {
            let (gone, ..) = begin(&store, None, None, vec![text("To go")], now_ms);
            store.delete_conversation(gone, now_ms).unwrap();
            store
                .purge_deleted(now_ms, Duration::from_millis(DAY_MS))
                .unwrap();
            say("kept purge");
        }
    }
}

#[test]
fn killed_at_fifty_moments_all_that_was_kept_is_there() {
    let folder = quick_folder();
    let mut numbers = Numbers(50);
    let (mut answers, mut turns, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..50_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .env(SEED, (round + 1).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Killed after a step, wherever it is in the next one by then; and a little into that, by work instead of time.
        let steps = 1 + numbers.below(60);
        let spin = numbers.below(200_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        // One that was not sent may be purged later, but not before.
        let mut unsent = None;
        let mut note = |line: String| {
            // The first line shares its line with the name of the test.
            let Some((_, kept)) = line.split_once("kept ") else {
                return false;
            };
            let mut kept = kept.split(' ');
            match (kept.next(), kept.next(), kept.next()) {
                (Some("answer"), Some(id), Some(text)) => {
                    answers.push((id.parse::<MessageId>().unwrap(), text.to_owned()));
                }
                (Some("turn"), Some(id), Some(picture)) => {
                    turns.push(id.parse::<MessageId>().unwrap());
                    pictures.push(picture.parse::<ImageId>().unwrap());
                }
                (Some("picture"), Some(id), None) => {
                    unsent = Some(id.parse::<ImageId>().unwrap());
                }
                _ => {}
            }
            true
        };
        while seen < steps {
            let line = lines.next().expect("the child ended by itself").unwrap();
            seen += u64::from(note(line));
        }
        let mut state = Numbers(spin);
        for _ in 0..spin {
            std::hint::black_box(state.below(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died was kept as well.
        for line in lines {
            let line = line.unwrap();
            note(line);
        }

        let check: String = rusqlite::Connection::open(folder.path().join("paddock.db"))
            .unwrap()
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok", "round {round}");
        let store = Store::open(folder.path(), NOW_MS).unwrap();
        for (id, digest) in &answers {
            let message = store.message(*id).unwrap();
            assert_eq!(Blobs::id_of(message.text().as_bytes()).as_str(), digest);
            assert_eq!(
                message.status,
                MessageStatus::Finished {
                    reason: FinishReason::Stop
                }
            );
        }
        for id in &turns {
            assert_ne!(
                store.message(*id).unwrap().status,
                MessageStatus::Generating
            );
        }
        for id in pictures.iter().chain(&unsent) {
            store.attachment(id).unwrap();
            store.blobs().read(id, Rendition::Original).unwrap();
        }
        store.settled();
        // Every copy that has its name is whole.
        for entry in std::fs::read_dir(folder.path().join("backups"))
            .into_iter()
            .flatten()
        {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "db") {
                let check: String = rusqlite::Connection::open(&path)
                    .unwrap()
                    .pragma_query_value(None, "quick_check", |row| row.get(0))
                    .unwrap();
                assert_eq!(check, "ok", "{path:?}");
            }
        }
    }
    println!(
        "{} answers, {} turns, {} pictures",
        answers.len(),
        turns.len(),
        pictures.len()
    );
    assert!(answers.len() > 50 && pictures.len() > 50);
}
