//! GGUF files: header, metadata and tensor list, split files included.
//!
//! Outside: what a loaded GGUF model can do (`family`), tensors' values.

mod header;

pub(crate) use header::{Header, read};

/// `name` of `name-00001-of-00003.gguf`, with the count: the parts of a split file share both.
pub(crate) fn split_stem(file: &str) -> Option<(&str, u32)> {
    let base = file.strip_suffix(".gguf")?;
    let (rest, count) = base.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    if digits(count) && digits(number) {
        Some((stem, count.parse().ok()?))
    } else {
        None
    }
}

/// The name of part `number` (from 1).
pub(crate) fn split_name(stem: &str, number: u32, count: u32) -> String {
    format!("{stem}-{number:05}-of-{count:05}.gguf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_split_file_are_told_from_other_names() {
        assert_eq!(
            split_stem("scout-Q4_K_M-00002-of-00003.gguf"),
            Some(("scout-Q4_K_M", 3))
        );
        assert_eq!(split_stem("scout-Q4_K_M.gguf"), None);
        assert_eq!(split_stem("a-1-of-3.gguf"), None);
        assert_eq!(split_name("a", 2, 3), "a-00002-of-00003.gguf");
    }
}
