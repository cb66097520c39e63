//! A GGUF model: one file or all parts of a split one.
//!
//! Outside: the binary format.

use paddock_conversation::Failure;

use crate::error::CheckpointError;
use crate::family::{Family, Support};
use crate::gguf::{self, Header};
use crate::quant::Quant;
use crate::read::text_files::{NO_TEMPLATE, find};
use crate::source::{FileEntry, ReadRange};
use crate::summary::{Checkpoint, Form, Settings, Vision, main_type, parameters};
use crate::tensors::group;
use crate::{config, names};

/// A split file has dozens of parts at most.
const MOST_PARTS: u32 = 10_000;

pub async fn read(
    source: &impl ReadRange,
    name: &str,
    file: &str,
    files: &[FileEntry],
) -> Result<Checkpoint, CheckpointError> {
    let parts = parts(file, files)?;
    let mut whole: Option<Header> = None;
    let mut tensors = Vec::new();
    for part in &parts {
        let mut header = gguf::read(source, &part.name, part.bytes).await?;
        tensors.append(&mut header.tensors);
        // The first part holds the metadata.
        whole.get_or_insert(header);
    }
    let header = whole.unwrap_or_default();
    if let Some(count) = header.number("split.tensors.count")
        && parts.len() > 1
        && count != tensors.len() as u64
    {
        return Err(CheckpointError::broken(
            file,
            format!("it should have {count} tensors and has {}", tensors.len()),
        ));
    }
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        return Err(CheckpointError::broken(
            file,
            format!("tensor {} is in two of its parts", twice.name),
        ));
    }
    let architecture = header
        .text("general.architecture")
        .ok_or_else(|| CheckpointError::broken(file, "it names no architecture"))?
        .to_owned();
    let family = Family::of_gguf(&architecture);
    if architecture == "clip"
        && let Support::No { why } = &family.support
    {
        return Err(CheckpointError::Unsupported {
            what: name.to_owned(),
            why: why.clone(),
        });
    }
    let shape = config::gguf_shape(file, &architecture, &header)?;
    let weights = group(tensors.iter());
    let mut checkpoint = Checkpoint {
        name: header
            .text("general.name")
            .filter(|name| !name.trim().is_empty())
            .map_or_else(|| name.trim_end_matches(".gguf").to_owned(), str::to_owned),
        form: Form::Gguf,
        family,
        vision: Vision::None,
        parameters: parameters(&weights),
        bytes: parts
            .iter()
            .map(|part| part.bytes)
            .fold(0, u64::saturating_add),
        stored: main_type(&weights),
        max_context_tokens: shape.max_context_tokens,
        quants: vec![Quant::None],
        architecture,
        weights,
        settings: Settings::default(),
        blocking: None,
        notes: Vec::new(),
        files: parts.clone(),
        weight_files: parts,
        shape,
    };
    checkpoint.judge(false);
    let unread = checkpoint
        .weights
        .iter()
        .find(|group| !group.stored.engine_reads_from_gguf());
    if let Some(group) = unread {
        let why = format!(
            "the engine does not read the quantisation {}; Q4_K_M, Q6_K or Q8_0 files work",
            group.stored.label()
        );
        checkpoint.unsupported(why);
    }
    match header.text("tokenizer.ggml.model") {
        Some("gpt2" | "llama" | "replit") => {}
        found => {
            let why = match found {
                None => "the file holds no tokenizer".to_owned(),
                Some(kind) => format!("the engine does not know its tokenizer of the kind {kind}"),
            };
            checkpoint.unsupported(why);
        }
    }
    if checkpoint.files.len() > 1 {
        let why = format!(
            "the engine reads a GGUF model from one file, and this one comes in {}; `llama-gguf-split --merge` joins them",
            checkpoint.files.len()
        );
        checkpoint.unsupported(why);
    }
    if header.text("tokenizer.chat_template").is_none() {
        checkpoint.unsupported(NO_TEMPLATE.to_owned());
    }
    if files.iter().any(|file| names::is_projector(&file.name)) {
        checkpoint.vision = Vision::Unsupported {
            why: "the engine takes no pictures with GGUF models; the safetensors version sees them"
                .to_owned(),
        };
        checkpoint.notes.push(text_only(&checkpoint.name));
    }
    Ok(checkpoint)
}

/// What to know of a GGUF model whose projector is there.
#[must_use]
pub fn text_only(name: &str) -> Failure {
    Failure::new(
        "modelCannotSee",
        format!("{name} answers about text only: the engine takes no pictures with GGUF models."),
        "For pictures, choose the safetensors version of the model.",
    )
}

fn parts(file: &str, files: &[FileEntry]) -> Result<Vec<FileEntry>, CheckpointError> {
    let Some((stem, count)) = names::split_stem(file) else {
        return find(files, file)
            .cloned()
            .map(|file| vec![file])
            .ok_or_else(|| CheckpointError::NotFound {
                path: file.to_owned(),
            });
    };
    if count > MOST_PARTS {
        return Err(CheckpointError::broken(
            file,
            "its name tells of impossibly many parts",
        ));
    }
    (1..=count)
        .map(|number| {
            let part = names::split_name(stem, number, count);
            find(files, &part)
                .cloned()
                .ok_or(CheckpointError::FileMissing {
                    file: part,
                    purpose: "the model is split and needs all its parts",
                })
        })
        .collect()
}
