//! What the names of files say: shards, parts of a split GGUF file, projectors, pickles.
//!
//! Outside: what is in the files.

/// By the ending, whatever its case.
fn ends(name: &str, ending: &str) -> bool {
    let at = name.len().checked_sub(ending.len());
    at.and_then(|at| name.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

/// Whether it is a GGUF file by its name.
#[must_use]
pub fn is_gguf(name: &str) -> bool {
    ends(name, ".gguf")
}

/// Whether it holds weights by its name, in any form that can be read here.
#[must_use]
pub fn is_weights(name: &str) -> bool {
    is_gguf(name) || ends(name, ".safetensors") || ends(name, ".uqff")
}

/// Whether it is an image projector, which belongs to a GGUF model and is none itself.
#[must_use]
pub fn is_projector(name: &str) -> bool {
    is_gguf(name) && name.to_ascii_lowercase().contains("mmproj")
}

/// Whether it holds pickled weights: by PyTorch's usual endings; `tokenizer.bin` and the like are too rare to tell apart.
#[must_use]
pub fn is_pickle(name: &str) -> bool {
    [".bin", ".pth", ".pt", ".ckpt"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Whether it holds the weights of an adapter (PEFT's name for it), which is no whole model.
#[must_use]
pub fn is_adapter(name: &str) -> bool {
    name.starts_with("adapter_model")
}

/// (stem, number, count) of `stem-00001-of-00003<ending>`.
fn numbered<'a>(name: &'a str, ending: &str) -> Option<(&'a str, u32, u32)> {
    let base = ends(name, ending).then(|| &name[..name.len() - ending.len()])?;
    let (rest, count) = base.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    if digits(count) && digits(number) {
        Some((stem, number.parse().ok()?, count.parse().ok()?))
    } else {
        None
    }
}

/// (stem, number, count) of a numbered safetensors shard, `model-00001-of-00003.safetensors`.
#[must_use]
pub fn shard(name: &str) -> Option<(&str, u32, u32)> {
    numbered(name, ".safetensors")
}

/// The name of shard `number` (from 1).
#[must_use]
pub fn shard_name(stem: &str, number: u32, count: u32) -> String {
    format!("{stem}-{number:05}-of-{count:05}.safetensors")
}

/// `name` of `name-00001-of-00003.gguf`, with the count: the parts of a split file share both.
#[must_use]
pub fn split_stem(file: &str) -> Option<(&str, u32)> {
    numbered(file, ".gguf").map(|(stem, _, count)| (stem, count))
}

/// The name of part `number` (from 1).
#[must_use]
pub fn split_name(stem: &str, number: u32, count: u32) -> String {
    format!("{stem}-{number:05}-of-{count:05}.gguf")
}

/// The name of a GGUF model: the file's without its ending. None for other files, projectors, and all parts of a split
/// file but the first.
#[must_use]
pub fn gguf_stem(name: &str) -> Option<&str> {
    if !is_gguf(name) || is_projector(name) {
        return None;
    }
    match numbered(name, ".gguf") {
        Some((stem, number, _)) => (number == 1).then_some(stem),
        None => name.get(..name.len() - ".gguf".len()),
    }
}

/// The GGUF models among names: projectors are none, and the parts of a split file count once, by the first that is there.
pub fn gguf_models<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut models: Vec<&str> = names
        .filter(|name| is_gguf(name) && !is_projector(name))
        .collect();
    models.sort_unstable();
    models.dedup_by(|next, first| match (split_stem(next), split_stem(first)) {
        (Some(next), Some(first)) => next == first,
        _ => false,
    });
    models
}

/// Whether a name of a file in a GGUF repository means this quantisation: `Q4_K_M` is in `x-Q4_K_M.gguf` and `Q4_K_M/x.gguf`,
/// and not in `x-Q4_K_M_L.gguf`.
#[must_use]
pub fn has_tag(name: &str, tag: &str) -> bool {
    let (name, tag) = (name.to_ascii_lowercase(), tag.to_ascii_lowercase());
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
    !tag.is_empty()
        && name.match_indices(&tag).any(|(at, _)| {
            edge(name[..at].chars().next_back()) && edge(name[at + tag.len()..].chars().next())
        })
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
        for name in ["scout-Q4_K_M.gguf", "a-1-of-3.gguf", "é.gguf", ".gguf", "f"] {
            assert_eq!(split_stem(name), None, "{name}");
        }
        assert_eq!(split_name("a", 2, 3), "a-00002-of-00003.gguf");
        assert_eq!(
            shard("pytorch_model-00001-of-00002.safetensors"),
            Some(("pytorch_model", 1, 2))
        );
    }

    #[test]
    fn each_gguf_model_counts_once() {
        let names = [
            "b.GGUF",
            "mmproj-a.gguf",
            "a-00002-of-00002.gguf",
            "a-00001-of-00002.gguf",
            "x.bin",
        ];
        assert_eq!(
            gguf_models(names.into_iter()),
            ["a-00001-of-00002.gguf", "b.GGUF"]
        );
        assert_eq!(gguf_stem("a-00001-of-00002.gguf"), Some("a"));
        assert_eq!(gguf_stem("a-00002-of-00002.gguf"), None);
    }

    #[test]
    fn a_tag_is_a_whole_word_of_the_name() {
        for (name, tag, has) in [
            ("m-Q4_K_M.gguf", "Q4_K_M", true),
            ("m.q4_k_m.gguf", "Q4_K_M", true),
            ("Q4_K_M/m-00001-of-00002.gguf", "q4_k_m", true),
            ("m-Q4_K_M_L.gguf", "Q4_K_M", false),
            ("m-IQ4_XS.gguf", "Q4_XS", false),
            ("m-Q4_K_M.gguf", "", false),
        ] {
            assert_eq!(has_tag(name, tag), has, "{name} {tag}");
        }
    }
}
