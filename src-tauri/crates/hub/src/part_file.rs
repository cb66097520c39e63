//! A file on its way: `NAME.part` with the data, `NAME.parts` with the parts that are in it; verified, it becomes `NAME`.
//!
//! Outside: where the data comes from.
//!
//! The journal has a line `index crc32` for each part, written after the part's data. Killing the program at any
//! moment loses at most the parts in flight. The CRC tells which part a disk spoiled; what the whole must be, the
//! publisher's checksum decides. All calls block.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sha2::Digest as _;

use crate::Hash;

/// Read at once while hashing: small enough for the processor's cache.
const HASH_STEP_BYTES: usize = 256 << 10;

/// The file being put together.
#[derive(Debug)]
pub struct PartFile {
    target: PathBuf,
    data: File,
    journal: Mutex<File>,
    state: Mutex<State>,
    /// One writes at a time: where the system takes one at a time it lets the others spin.
    writing: Mutex<()>,
    changed: Condvar,
    bytes: u64,
    part_bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    /// CRC of each part that is in the file.
    done: BTreeMap<u64, u32>,
    /// Nobody wants the hash any more.
    stopped: bool,
}

fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn head(bytes: u64, part_bytes: u64) -> String {
    format!("paddock-parts 1 {bytes} {part_bytes}")
}

/// The parts that a journal names; none if it is of another file length or part size.
fn read_journal(target: &Path, bytes: u64, part_bytes: u64) -> BTreeMap<u64, u32> {
    let mut done = BTreeMap::new();
    let text = std::fs::read_to_string(beside(target, ".parts")).unwrap_or_default();
    let there = std::fs::metadata(beside(target, ".part")).is_ok_and(|meta| meta.len() == bytes);
    let mut lines = text.split_inclusive('\n');
    let known = lines
        .next()
        .is_some_and(|line| line.trim_end() == head(bytes, part_bytes));
    if !known || !there {
        return done;
    }
    for line in lines {
        // A line without its end was being written when the program was killed.
        let fields = line
            .strip_suffix('\n')
            .and_then(|line| line.split_once(' '));
        if let Some((index, crc)) = fields
            && let (Ok(index), Ok(crc)) = (index.parse::<u64>(), u32::from_str_radix(crc, 16))
            && index < bytes.div_ceil(part_bytes)
        {
            done.insert(index, crc);
        }
    }
    done
}

/// Bytes of a file on its way, without touching it.
pub fn done_bytes(target: &Path, bytes: u64, part_bytes: u64) -> u64 {
    read_journal(target, bytes, part_bytes)
        .keys()
        .map(|index| part_bytes.min(bytes - index * part_bytes))
        .sum()
}

/// Takes away what is left of a file on its way.
pub fn remove_parts(target: &Path) {
    for ending in [".part", ".parts"] {
        // What is not there need not be removed; what cannot be is found again by `open`.
        let _ = std::fs::remove_file(beside(target, ending));
    }
}

impl PartFile {
    /// Opens or begins; a journal of another part size or file length is thrown away.
    pub fn open(target: &Path, bytes: u64, part_bytes: u64) -> std::io::Result<Self> {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let done = read_journal(target, bytes, part_bytes);
        let data = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(target, ".part"))?;
        data.set_len(bytes)?;
        let journal = write_journal(target, bytes, part_bytes, &done)?;
        Ok(Self {
            target: target.to_owned(),
            data,
            journal: Mutex::new(journal),
            state: Mutex::new(State {
                done,
                stopped: false,
            }),
            writing: Mutex::default(),
            changed: Condvar::new(),
            bytes,
            part_bytes,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, File> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn parts(&self) -> u64 {
        self.bytes.div_ceil(self.part_bytes)
    }

    /// The part that a byte is in.
    pub fn part_of(&self, position: u64) -> u64 {
        position / self.part_bytes
    }

    /// First byte and end of a part.
    pub fn range(&self, index: u64) -> (u64, u64) {
        let from = index * self.part_bytes;
        (from, (from + self.part_bytes).min(self.bytes))
    }

    pub fn is_done(&self, index: u64) -> bool {
        self.state().done.contains_key(&index)
    }

    /// The CRC that a part had when it came.
    pub fn crc(&self, index: u64) -> Option<u32> {
        self.state().done.get(&index).copied()
    }

    /// Bytes that are in it.
    pub fn done_bytes(&self) -> u64 {
        let state = self.state();
        state
            .done
            .keys()
            .map(|index| self.range(*index))
            .map(|(from, to)| to - from)
            .sum()
    }

    /// Parts still missing, in order.
    pub fn missing(&self) -> Vec<u64> {
        let state = self.state();
        (0..self.parts())
            .filter(|index| !state.done.contains_key(index))
            .collect()
    }

    pub fn write(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::write_all_at(&self.data, bytes, offset)
        }
        #[cfg(windows)]
        {
            let mut at = 0;
            while at < bytes.len() {
                at += std::os::windows::fs::FileExt::seek_write(
                    &self.data,
                    &bytes[at..],
                    offset + at as u64,
                )?;
            }
            Ok(())
        }
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::read_exact_at(&self.data, into, offset)
        }
        #[cfg(windows)]
        {
            let mut at = 0;
            while at < into.len() {
                match std::os::windows::fs::FileExt::seek_read(
                    &self.data,
                    &mut into[at..],
                    offset + at as u64,
                )? {
                    0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    read => at += read,
                }
            }
            Ok(())
        }
    }

    /// Marks a part as whole.
    pub fn finish(&self, index: u64, crc: u32) -> std::io::Result<()> {
        self.journal()
            .write_all(format!("{index} {crc:08x}\n").as_bytes())?;
        self.state().done.insert(index, crc);
        self.changed.notify_all();
        Ok(())
    }

    /// Forgets parts: they are missing again.
    pub fn forget(&self, parts: &[u64]) -> std::io::Result<()> {
        let mut journal = self.journal();
        let mut state = self.state();
        for index in parts {
            state.done.remove(index);
        }
        *journal = write_journal(&self.target, self.bytes, self.part_bytes, &state.done)?;
        Ok(())
    }

    /// The parts whose data on disk is not what came.
    pub fn spoiled(&self) -> std::io::Result<Vec<u64>> {
        let parts: Vec<(u64, u32)> = self.state().done.iter().map(|(i, c)| (*i, *c)).collect();
        let mut spoiled = Vec::new();
        for (index, crc) in parts {
            let mut hasher = crc32fast::Hasher::new();
            self.each_piece(index, |piece| hasher.update(piece))?;
            if hasher.finalize() != crc {
                spoiled.push(index);
            }
        }
        Ok(spoiled)
    }

    fn each_piece(&self, index: u64, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
        let (from, to) = self.range(index);
        let mut buffer = vec![0; HASH_STEP_BYTES.min((to - from) as usize)];
        let mut at = from;
        while at < to {
            let piece = &mut buffer[..HASH_STEP_BYTES.min((to - at) as usize)];
            self.read(at, piece)?;
            take(piece);
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Reads the file from its beginning, waiting for parts that are not there yet, so that the checksum is known
    /// shortly after the last part came. False: it is another than the publisher's. None: [`Self::stop`] was called.
    pub fn verify(&self, hash: &Hash) -> std::io::Result<Option<bool>> {
        let found = match hash {
            Hash::Sha256(_) => self.digest(sha2::Sha256::new())?,
            Hash::Git(_) => {
                let mut hasher = sha1::Sha1::new();
                hasher.update(format!("blob {}\0", self.bytes));
                self.digest(hasher)?
            }
        };
        let (Hash::Sha256(wanted) | Hash::Git(wanted)) = hash;
        Ok(found.map(|found| found == *wanted))
    }

    fn digest(&self, mut hasher: impl sha2::Digest) -> std::io::Result<Option<String>> {
        for index in 0..self.parts() {
            let state = self
                .changed
                .wait_while(self.state(), |state| {
                    !state.stopped && !state.done.contains_key(&index)
                })
                .unwrap_or_else(PoisonError::into_inner);
            if state.stopped {
                return Ok(None);
            }
            drop(state);
            self.each_piece(index, |piece| hasher.update(piece))?;
        }
        Ok(Some(hex::encode(hasher.finalize())))
    }

    /// Ends a [`Self::verify`] that is waiting, and those to come until [`Self::go_on`].
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    pub fn go_on(&self) {
        self.state().stopped = false;
    }

    /// Gives the verified file its name.
    pub fn complete(&self) -> std::io::Result<()> {
        std::fs::rename(beside(&self.target, ".part"), &self.target)?;
        remove_parts(&self.target);
        Ok(())
    }
}

fn write_journal(
    target: &Path,
    bytes: u64,
    part_bytes: u64,
    done: &BTreeMap<u64, u32>,
) -> std::io::Result<File> {
    let path = beside(target, ".parts");
    let fresh = beside(target, ".parts.new");
    let mut text = head(bytes, part_bytes);
    text.push('\n');
    for (index, crc) in done {
        text.push_str(&format!("{index} {crc:08x}\n"));
    }
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, &path)?;
    File::options().append(true).open(&path)
}

/// Compares a file that is already there with a checksum.
pub fn is_file(path: &Path, bytes: u64, hash: &Hash) -> bool {
    let Ok(data) = File::open(path) else {
        return false;
    };
    if !data.metadata().is_ok_and(|meta| meta.len() == bytes) {
        return false;
    }
    let parts = PartFile {
        target: path.to_owned(),
        // Never written: the parts of a file that is there are all done.
        journal: match data.try_clone() {
            Ok(clone) => Mutex::new(clone),
            Err(_) => return false,
        },
        data,
        state: Mutex::new(State {
            done: [(0, 0)].into(),
            stopped: false,
        }),
        writing: Mutex::default(),
        changed: Condvar::new(),
        bytes,
        part_bytes: bytes.max(1),
    };
    matches!(parts.verify(hash), Ok(Some(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_survive_and_a_spoiled_one_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("model.safetensors");
        let content: Vec<u8> = (0..2500_u32).map(|i| (i * 7) as u8).collect();
        let put = |file: &PartFile, index: u64| {
            let (from, to) = file.range(index);
            let piece = &content[from as usize..to as usize];
            file.write(from, piece).unwrap();
            file.finish(index, crc32fast::hash(piece)).unwrap();
        };
        let file = PartFile::open(&target, 2500, 1000).unwrap();
        put(&file, 0);
        put(&file, 2);
        drop(file);
        // Killed while writing a line.
        let journal = beside(&target, ".parts");
        let mut text = std::fs::read_to_string(&journal).unwrap();
        text.push_str("1 00");
        std::fs::write(&journal, text).unwrap();
        assert_eq!(done_bytes(&target, 2500, 1000), 1500);
        let file = PartFile::open(&target, 2500, 1000).unwrap();
        assert_eq!((file.missing(), file.done_bytes()), (vec![1], 1500));
        put(&file, 1);
        let hash = Hash::Sha256(hex::encode(sha2::Sha256::digest(&content)));
        assert_eq!(file.verify(&hash).unwrap(), Some(true));
        file.write(2100, &[1, 2, 3]).unwrap();
        assert_eq!(file.verify(&hash).unwrap(), Some(false));
        assert_eq!(file.spoiled().unwrap(), [2]);
        file.forget(&[2]).unwrap();
        assert_eq!(file.missing(), [2]);
        put(&file, 2);
        assert_eq!(file.verify(&hash).unwrap(), Some(true));
        file.complete().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), content);
        assert!(!journal.exists());
        assert!(is_file(&target, 2500, &hash) && !is_file(&target, 2501, &hash));
        // Another length: nothing of the old is believed.
        let file = PartFile::open(&folder.path().join("x"), 10, 4).unwrap();
        put(&file, 0);
        drop(file);
        let file = PartFile::open(&folder.path().join("x"), 12, 4).unwrap();
        assert_eq!(file.missing().len(), 3);
    }

    #[test]
    fn the_checksum_follows_parts_that_come_out_of_order_and_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let file = PartFile::open(&folder.path().join("x"), 8, 3).unwrap();
        // printf 'abcdefgh' | git hash-object --stdin
        let hash = Hash::Git("84a6826b89c7a7eec0fd36dca8e9ff8e33e5e0ef".to_owned());
        let real = Hash::Git(hex::encode(sha1::Sha1::digest(b"blob 8\0abcdefgh")));
        std::thread::scope(|scope| {
            let following = scope.spawn(|| file.verify(&real).unwrap());
            for index in [2, 0, 1] {
                let (from, to) = file.range(index);
                let piece = &b"abcdefgh"[from as usize..to as usize];
                file.write(from, piece).unwrap();
                file.finish(index, crc32fast::hash(piece)).unwrap();
            }
            assert_eq!(following.join().unwrap(), Some(true));
            assert_eq!(file.verify(&hash).unwrap(), Some(false));
            file.forget(&[1]).unwrap();
            let waiting = scope.spawn(|| file.verify(&real).unwrap());
            file.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
    }

    #[test]
    fn an_empty_file_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("empty");
        let file = PartFile::open(&target, 0, 4).unwrap();
        assert!(file.missing().is_empty());
        // git hash-object /dev/null
        let hash = Hash::Git("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".to_owned());
        assert_eq!(file.verify(&hash).unwrap(), Some(true));
        file.complete().unwrap();
        assert!(is_file(&target, 0, &hash));
    }
}
