//! Many pictures at once: they wait on the disk, not in memory.

use std::sync::Arc;

use futures_util::StreamExt as _;
use paddock_pictures::{AttachOutcome, Pictures};
use paddock_store::Store;

use super::{decoders, fixture, memory};

/// A file of `side` x `side` pixels without compression, of one colour.
fn bmp(side: u32, shade: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(side, side, image::Rgb([shade, 40, 80]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Bmp)
        .unwrap();
    bytes.into_inner()
}

#[tokio::test]
async fn pictures_wait_on_the_disk_and_come_in_their_order() {
    const FILES: u8 = 24;
    const FILE_BYTES: u64 = 3 * 2000 * 2000;
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for number in 0..FILES {
        let path = folder.path().join(format!("{number}.bmp"));
        // One among them is none.
        let bytes = if number == 7 {
            fixture("truncated.jpg")
        } else {
            bmp(2000, number)
        };
        std::fs::write(&path, bytes).unwrap();
        paths.push(path);
    }
    let store = Arc::new(Store::open(&folder.path().join("data"), 0).unwrap());
    let pictures = Pictures::new(store, decoders(), folder.path().to_owned());
    let before = memory("VmHWM").max(memory("VmRSS"));
    let mut outcomes = Box::pin(pictures.attach_many(paths, true));
    for number in 0..FILES {
        match outcomes.next().await.unwrap() {
            AttachOutcome::Attached { attachment } => {
                assert_eq!(attachment.name, format!("{number}.bmp"));
            }
            AttachOutcome::Refused { name, failure } => {
                assert_eq!((name.as_str(), number), ("7.bmp", 7));
                assert_eq!(failure.code, "imageTruncated");
            }
        }
    }
    assert!(outcomes.next().await.is_none());
    let grown = memory("VmHWM") - before;
    println!(
        "{} MB for {FILES} files of {} MB",
        grown >> 20,
        FILE_BYTES >> 20
    );
    // Two on their way to or from a decoder, and what the allocator holds back in each of the threads that read and write.
    assert!(
        grown < u64::from(FILES) * FILE_BYTES * 6 / 10,
        "{} MB",
        grown >> 20
    );
    pictures.close();
}
