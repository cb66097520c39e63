//! A file that lines are added to, of which so many of so much are kept.
//!
//! Outside: what the lines say.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// `name.log` and, older, `name.1.log`, `name.2.log`...
#[derive(Debug)]
pub struct RotatingFile {
    folder: PathBuf,
    name: String,
    most_bytes: u64,
    most_files: usize,
    file: File,
    bytes: u64,
}

impl RotatingFile {
    /// Goes on with the file that is there. At least one file is kept.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(folder: &Path, name: &str, most_bytes: u64, most_files: usize) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = append(&path(folder, name, 0))?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            folder: folder.to_owned(),
            name: name.to_owned(),
            most_bytes,
            most_files: most_files.max(1),
            file,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = |number| path(&self.folder, &self.name, number);
        for number in (1..self.most_files).rev() {
            match std::fs::rename(path(number - 1), path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = if self.most_files == 1 {
            File::create(path(0))?
        } else {
            append(&path(0))?
        };
        self.bytes = 0;
        Ok(())
    }
}

/// Only the user may read it; several programs may add to it.
fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn path(folder: &Path, name: &str, number: usize) -> PathBuf {
    match number {
        0 => folder.join(format!("{name}.log")),
        number => folder.join(format!("{name}.{number}.log")),
    }
}

impl Write for RotatingFile {
    /// One call, one line: it is never split over two files.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.most_bytes {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The last lines of all files that are there, oldest first.
pub fn last_lines(folder: &Path, name: &str, most_files: usize, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for number in 0..most_files.max(1) {
        if lines.len() >= count {
            break;
        }
        let Ok(bytes) = std::fs::read(path(folder, name, number)) else {
            break;
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut older: Vec<String> = text.lines().map(str::to_owned).collect();
        older.append(&mut lines);
        lines = older;
    }
    lines.split_off(lines.len().saturating_sub(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_files_of_so_many_bytes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        for _ in 0..2 {
            // The second run goes on where the first ended.
            let mut file = RotatingFile::open(&logs, "a", 1000, 3).unwrap();
            for number in 0..100 {
                writeln!(file, "{number:99}").unwrap();
            }
        }
        let mut names: Vec<_> = std::fs::read_dir(&logs)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                assert!(entry.metadata().unwrap().len() <= 1000);
                entry.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        assert_eq!(names, ["a.1.log", "a.2.log", "a.log"]);
        let last = last_lines(&logs, "a", 3, 15);
        let numbers: Vec<u32> = last
            .iter()
            .map(|line| line.trim().parse().unwrap())
            .collect();
        assert_eq!(numbers, (85..100).collect::<Vec<_>>());
        assert_eq!(last_lines(&logs, "none", 3, 15), Vec::<String>::new());
    }

    #[test]
    fn a_line_longer_than_a_file_is_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(folder.path(), "a", 10, 1).unwrap();
        for line in ["a line longer than that\n", "another longer line\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(
            last_lines(folder.path(), "a", 1, 5),
            ["another longer line"]
        );
    }
}
