//! A GGUF model: one file or all parts of a split one.
//!
//! Outside: the binary format.

use super::files::NO_TEMPLATE;
use super::{Checkpoint, Form, Vision, files, main_type, parameters};
use crate::gguf::{self, Header};
use crate::tensors::group;
use crate::{CheckpointError, Family, FileEntry, Quant, ReadRange, Support, config};

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
        bytes: parts.iter().map(|part| part.bytes).sum(),
        stored: main_type(&weights),
        max_context_tokens: shape.max_context_tokens,
        quants: vec![Quant::None],
        architecture,
        weights,
        tiling: None,
        blocking: None,
        notes: Vec::new(),
        files: parts,
        shape,
    };
    checkpoint.judge(false);
    let unread = checkpoint
        .weights
        .iter()
        .find(|group| !group.stored.engine_reads_from_gguf());
    if let Some(group) = unread {
        let error = CheckpointError::Unsupported {
            what: checkpoint.name.clone(),
            why: format!(
                "the engine does not read the quantisation {}; Q4_K_M, Q6_K or Q8_0 files work",
                group.stored.label()
            ),
        };
        checkpoint.block(&error);
    }
    match header.text("tokenizer.ggml.model") {
        Some("gpt2" | "llama" | "replit") => {}
        found => {
            let why = match found {
                None => "the file holds no tokenizer".to_owned(),
                Some(kind) => format!("the engine does not know its tokenizer of the kind {kind}"),
            };
            let error = CheckpointError::Unsupported {
                what: checkpoint.name.clone(),
                why,
            };
            checkpoint.block(&error);
        }
    }
    if checkpoint.files.len() > 1 {
        let error = CheckpointError::Unsupported {
            what: checkpoint.name.clone(),
            why: format!(
                "the engine reads a GGUF model from one file, and this one comes in {}; `llama-gguf-split --merge` joins them",
                checkpoint.files.len()
            ),
        };
        checkpoint.block(&error);
    }
    if header.text("tokenizer.chat_template").is_none() {
        let error = CheckpointError::Unsupported {
            what: checkpoint.name.clone(),
            why: NO_TEMPLATE.to_owned(),
        };
        checkpoint.block(&error);
    }
    if files
        .iter()
        .any(|file| crate::discover::is_projector(&file.name))
    {
        checkpoint.vision = Vision::Unsupported {
            why: "the engine takes no pictures with GGUF models; the safetensors version sees them"
                .to_owned(),
        };
        checkpoint
            .notes
            .push(crate::discover::text_only(&checkpoint.name));
    }
    Ok(checkpoint)
}

fn parts(file: &str, files: &[FileEntry]) -> Result<Vec<FileEntry>, CheckpointError> {
    let Some((stem, count)) = gguf::split_stem(file) else {
        return files::find(files, file)
            .cloned()
            .map(|file| vec![file])
            .ok_or_else(|| CheckpointError::NotFound {
                path: file.to_owned(),
            });
    };
    (1..=count)
        .map(|number| {
            let part = gguf::split_name(stem, number, count);
            files::find(files, &part)
                .cloned()
                .ok_or(CheckpointError::FileMissing {
                    file: part,
                    purpose: "the model is split and needs all its parts",
                })
        })
        .collect()
}
