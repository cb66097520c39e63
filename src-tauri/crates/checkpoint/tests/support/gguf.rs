//! GGUF files made for a test.

use std::path::Path;

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

pub struct Gguf<'a> {
    pub architecture: &'a str,
    /// Number of the tensors' type, elements and bytes of a block of it.
    pub kind: u32,
    pub tokenizer: Option<&'a str>,
    pub template: bool,
    pub split: Option<(u16, u16, i32)>,
    pub names: &'a [&'a str],
}

pub fn write(path: &Path, gguf: &Gguf<'_>) {
    let mut meta: Vec<u8> = Vec::new();
    let mut entries = 0_u64;
    let mut add_text = |meta: &mut Vec<u8>, key: &str, value: &str| {
        text(meta, key);
        meta.extend(8_u32.to_le_bytes());
        text(meta, value);
        entries += 1;
    };
    add_text(&mut meta, "general.architecture", gguf.architecture);
    if let Some(kind) = gguf.tokenizer {
        add_text(&mut meta, "tokenizer.ggml.model", kind);
    }
    if gguf.template {
        add_text(
            &mut meta,
            "tokenizer.chat_template",
            "{{ messages[0].content }}",
        );
    }
    for (key, value) in [
        ("block_count", 1_u32),
        ("embedding_length", 256),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("context_length", 4096),
        ("feed_forward_length", 512),
        ("vocab_size", 1000),
    ] {
        text(&mut meta, &format!("{}.{key}", gguf.architecture));
        meta.extend(4_u32.to_le_bytes());
        meta.extend(value.to_le_bytes());
        entries += 1;
    }
    if let Some((number, count, tensors)) = gguf.split {
        for (key, value) in [("split.no", number), ("split.count", count)] {
            text(&mut meta, key);
            meta.extend(2_u32.to_le_bytes());
            meta.extend(value.to_le_bytes());
            entries += 1;
        }
        text(&mut meta, "split.tensors.count");
        meta.extend(5_u32.to_le_bytes());
        meta.extend(tensors.to_le_bytes());
        entries += 1;
    }
    let (elements, bytes) = match gguf.kind {
        12 => (256_u64, 144_u64),
        23 => (256, 136),
        _ => (1, 4),
    };
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((gguf.names.len() as u64).to_le_bytes());
    out.extend(entries.to_le_bytes());
    out.extend(meta);
    let each = 256 * 4 / elements * bytes;
    let stride = each.next_multiple_of(32);
    for (index, name) in gguf.names.iter().enumerate() {
        text(&mut out, name);
        out.extend(2_u32.to_le_bytes());
        out.extend(256_u64.to_le_bytes());
        out.extend(4_u64.to_le_bytes());
        out.extend(gguf.kind.to_le_bytes());
        out.extend((index as u64 * stride).to_le_bytes());
    }
    let data = out.len().next_multiple_of(32) + gguf.names.len() * stride as usize;
    out.resize(data, 0);
    std::fs::write(path, out).unwrap();
}

pub const WEIGHTS: [&str; 2] = ["token_embd.weight", "blk.0.attn_q.weight"];

pub fn plain<'a>() -> Gguf<'a> {
    Gguf {
        architecture: "llama",
        kind: 12,
        tokenizer: Some("gpt2"),
        template: true,
        split: None,
        names: &WEIGHTS,
    }
}
