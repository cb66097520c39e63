//! A file on its way: `NAME.part` with the data, `NAME.parts` with the parts that are in it; verified, it becomes `NAME`.
//!
//! Outside: where the data comes from.
//!
//! The journal has a line `index crc32` for each part, written after the part's data. Killing the program at any
//! moment loses at most the parts in flight. The CRC tells which part a disk spoiled; what the whole must be, the
//! publisher's checksum decides.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sha2::Digest as _;

use super::client::Hash;

/// The file being put together.
#[derive(Debug)]
pub struct PartFile {
    target: PathBuf,
    data: File,
    journal: Mutex<File>,
    done: Mutex<BTreeMap<u64, u32>>,
    bytes: u64,
    part_bytes: u64,
}

fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

impl PartFile {
    /// Opens or begins; a journal of another part size or file length is thrown away.
    pub fn open(target: &Path, bytes: u64, part_bytes: u64) -> std::io::Result<Self> {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let data = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(target, ".part"))?;
        let journal_path = beside(target, ".parts");
        let head = format!("paddock-parts 1 {bytes} {part_bytes}");
        let text = std::fs::read_to_string(&journal_path).unwrap_or_default();
        let mut lines = text.split_inclusive('\n');
        let known = lines.next().is_some_and(|line| line.trim_end() == head)
            && data.metadata()?.len() == bytes;
        let mut done = BTreeMap::new();
        if known {
            for line in lines {
                // A line without its end was being written when the program was killed.
                let Some((index, crc)) = line.strip_suffix('\n').and_then(|l| l.split_once(' ')) else {
                    continue;
                };
                if let (Ok(index), Ok(crc)) = (index.parse::<u64>(), u32::from_str_radix(crc, 16))
                    && index < bytes.div_ceil(part_bytes)
                {
                    done.insert(index, crc);
                }
            }
        }
        data.set_len(bytes)?;
        let file = Self {
            target: target.to_owned(),
            data,
            journal: Mutex::new(File::options().create(true).append(true).open(&journal_path)?),
            done: Mutex::new(done),
            bytes,
            part_bytes,
        };
        file.rewrite_journal(&head)?;
        Ok(file)
    }

    fn rewrite_journal(&self, head: &str) -> std::io::Result<()> {
        let path = beside(&self.target, ".parts");
        let fresh = beside(&self.target, ".parts.new");
        let mut text = format!("{head}\n");
        for (index, crc) in self.lock_done().iter() {
            text.push_str(&format!("{index} {crc:08x}\n"));
        }
        std::fs::write(&fresh, text)?;
        std::fs::rename(&fresh, &path)?;
        let journal = File::options().append(true).open(&path)?;
        *self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = journal;
        Ok(())
    }

    fn lock_done(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, u32>> {
        self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Bytes that are in it.
    pub fn done_bytes(&self) -> u64 {
        let done: Vec<u64> = self.lock_done().keys().copied().collect();
        done.into_iter().map(|index| self.range(index)).map(|(from, to)| to - from).sum()
    }

    /// Parts still missing.
    pub fn missing(&self) -> Vec<u64> {
        let done = self.lock_done();
        (0..self.bytes.div_ceil(self.part_bytes))
            .filter(|index| !done.contains_key(index))
            .collect()
    }

    /// First byte and end of a part.
    pub fn range(&self, index: u64) -> (u64, u64) {
        let from = index * self.part_bytes;
        (from, (from + self.part_bytes).min(self.bytes))
    }

    pub fn parts(&self) -> u64 {
        self.bytes.div_ceil(self.part_bytes)
    }

    /// Blocks.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        #[cfg(unix)]
        {
            std::os::unix::fs::FileExt::write_all_at(&self.data, bytes, offset)
        }
        #[cfg(windows)]
        {
            let mut at = 0;
            while at < bytes.len() {
                at += std::os::windows::fs::FileExt::seek_write(&self.data, &bytes[at..], offset + at as u64)?;
            }
            Ok(())
        }
    }

    /// Marks a part as whole.
    pub fn finish(&self, index: u64, crc: u32) -> std::io::Result<()> {
        let mut journal = self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        journal.write_all(format!("{index} {crc:08x}\n").as_bytes())?;
        self.lock_done().insert(index, crc);
        Ok(())
    }

    /// The CRC that a part had when it came.
    pub fn crc(&self, index: u64) -> Option<u32> {
        self.lock_done().get(&index).copied()
    }

    /// Forgets the parts whose data on disk is not what came; returns how many. Blocks.
    pub fn forget_spoiled(&self) -> std::io::Result<u64> {
        let parts: Vec<(u64, u32)> = self.lock_done().iter().map(|(i, c)| (*i, *c)).collect();
        let mut reader = File::open(beside(&self.target, ".part"))?;
        let mut buffer = Vec::new();
        let mut spoiled = 0;
        for (index, crc) in parts {
            let (from, to) = self.range(index);
            std::io::Seek::seek(&mut reader, std::io::SeekFrom::Start(from))?;
            buffer.clear();
            (&mut reader).take(to - from).read_to_end(&mut buffer)?;
            if crc32fast::hash(&buffer) != crc {
                self.lock_done().remove(&index);
                spoiled += 1;
            }
        }
        if spoiled > 0 {
            self.rewrite_journal(&format!("paddock-parts 1 {} {}", self.bytes, self.part_bytes))?;
        }
        Ok(spoiled)
    }

    /// Whether the whole is what the publisher has. Blocks.
    pub fn verify(&self, hash: &Hash) -> std::io::Result<bool> {
        verify(&beside(&self.target, ".part"), self.bytes, hash)
    }

    /// Gives the verified file its name. Blocks.
    pub fn complete(self) -> std::io::Result<()> {
        self.data.sync_all()?;
        std::fs::rename(beside(&self.target, ".part"), &self.target)?;
        let _ = std::fs::remove_file(beside(&self.target, ".parts"));
        Ok(())
    }
}

/// Compares a file with a checksum. Blocks.
pub fn verify(path: &Path, bytes: u64, hash: &Hash) -> std::io::Result<bool> {
    let file = File::open(path)?;
    if file.metadata()?.len() != bytes {
        return Ok(false);
    }
    let mut reader = BufReader::with_capacity(1 << 20, file);
    Ok(match hash {
        Hash::Sha256(wanted) => {
            let mut hasher = sha2::Sha256::new();
            std::io::copy(&mut reader, &mut hasher)?;
            to_hex(&hasher.finalize()) == *wanted
        }
        Hash::Git(wanted) => {
            let mut hasher = sha1::Sha1::new();
            hasher.update(format!("blob {bytes}\0"));
            std::io::copy(&mut reader, &mut hasher)?;
            to_hex(&hasher.finalize()) == *wanted
        }
    })
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
        let file = PartFile::open(&target, 2500, 1000).unwrap();
        assert_eq!((file.missing(), file.done_bytes()), (vec![1], 1500));
        put(&file, 1);
        let hash = Hash::Sha256(to_hex(&sha2::Sha256::digest(&content)));
        assert!(file.verify(&hash).unwrap());
        file.write(2100, &[1, 2, 3]).unwrap();
        assert!(!file.verify(&hash).unwrap());
        assert_eq!(file.forget_spoiled().unwrap(), 1);
        assert_eq!(file.missing(), [2]);
        put(&file, 2);
        assert!(file.verify(&hash).unwrap());
        file.complete().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), content);
        assert!(!journal.exists());
        // Another length: nothing of the old is believed.
        let file = PartFile::open(&folder.path().join("x"), 10, 4).unwrap();
        put(&file, 0);
        drop(file);
        let file = PartFile::open(&folder.path().join("x"), 12, 4).unwrap();
        assert_eq!(file.missing().len(), 3);
    }
}
