//! A loaded engine in the test's own process, and everything that an answer was made of: the prompt's ids, the
//! logits of every step, the text, the receipt.
//!
//! Outside: HTTP and the process (the app's tests talk to the real program).
#![allow(dead_code)] // every test file uses a part

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use clap::Parser;
use mistralrs::Tensor;
use paddock_engine::{
    Arguments,
    host::{Event, Finished, Host, Processors},
    prompt::Refusal,
};
use paddock_protocol::chat::{ChatMessage, ChatRequest};
use serde_json::{Value, json};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

pub fn demo_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../resources/demo-model")
}

pub fn read_json(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub struct Engine {
    pub host: Arc<Host>,
    pub runtime: tokio::runtime::Runtime,
}

/// One answer.
#[derive(Debug, Default)]
pub struct Run {
    /// The prompt as the model got it, images expanded.
    pub prompt: Vec<u32>,
    /// The likeliest token of every step.
    pub ids: Vec<u32>,
    /// All logits of every step.
    pub logits: Vec<Vec<f32>>,
    pub text: String,
    pub finished: Option<Finished>,
    pub refusal: Option<Refusal>,
}

impl Engine {
    pub fn load(model: &Path, more: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut words = vec![
            "paddock-engine",
            "--model",
            model.to_str().unwrap(),
            "--device",
            "cpu",
            "--dtype",
            "f32",
        ];
        words.extend(more);
        let arguments = Arguments::parse_from(words);
        let host = runtime
            .block_on(Host::start(arguments, String::new()))
            .unwrap_or_else(|error| panic!("{}", error.message));
        Self { host, runtime }
    }

    pub fn ask(&self, request: &ChatRequest) -> Run {
        self.runtime
            .block_on(ask(self.host.clone(), request.clone(), Vec::new()))
    }

    pub fn ask_with(&self, request: &ChatRequest, processors: Processors) -> Run {
        self.runtime
            .block_on(ask(self.host.clone(), request.clone(), processors))
    }
}

type Steps = Arc<Mutex<Vec<(Vec<u32>, Vec<f32>)>>>;

pub async fn ask(host: Arc<Host>, request: ChatRequest, mut processors: Processors) -> Run {
    let mut run = Run::default();
    let prompt = match host.prepare(&request).await {
        Ok(prompt) => prompt,
        Err(refusal) => {
            run.refusal = Some(refusal);
            return run;
        }
    };
    let steps: Steps = Arc::default();
    let note = steps.clone();
    processors.push(Arc::new(move |logits: &Tensor, context: &[u32]| {
        let values = logits.flatten_all()?.to_vec1::<f32>()?;
        note.lock().unwrap().push((context.to_vec(), values));
        Ok(logits.clone())
    }));
    let mut events = host.generate(prompt, &request, processors);
    while let Some(event) = events.recv().await {
        match event {
            Event::Text(text) => run.text.push_str(&text),
            Event::Finished(finished) => run.finished = Some(finished),
            Event::Failed(refusal) => run.refusal = Some(refusal),
            Event::Progress(_) | Event::Reasoning(_) => {}
        }
    }
    for (context, values) in steps.lock().unwrap().drain(..) {
        if run.prompt.is_empty() {
            run.prompt = context;
        }
        run.ids.push(argmax(&values));
        run.logits.push(values);
    }
    run
}

fn argmax(values: &[f32]) -> u32 {
    let best = values
        .iter()
        .enumerate()
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .unwrap();
    u32::try_from(best.0).unwrap()
}

pub fn image_part(path: &Path) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", STANDARD.encode(bytes))}})
}

pub fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

pub fn user(parts: Vec<Value>) -> ChatMessage {
    serde_json::from_value(json!({"role": "user", "content": parts})).unwrap()
}

/// A greedy request.
pub fn request(messages: Vec<ChatMessage>, max_tokens: Option<u32>) -> ChatRequest {
    let mut request: ChatRequest =
        serde_json::from_value(json!({"messages": [], "temperature": 0.0})).unwrap();
    request.messages = messages;
    request.max_tokens = max_tokens;
    request
}

pub fn ask_text(text: &str) -> ChatRequest {
    request(vec![user(vec![text_part(text)])], None)
}

pub fn ask_about(images: &[&Path], text: &str) -> ChatRequest {
    let mut parts: Vec<Value> = images.iter().map(|path| image_part(path)).collect();
    parts.push(text_part(text));
    request(vec![user(parts)], None)
}

/// The messages of a reference case up to and without the answer to its last turn. Pictures stand before the
/// text, or where `<|image|>` stands in it.
pub fn messages(case: &Value, turns: &[Value], images: &Path) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    let mut say = |role: &str, content: Value| {
        messages.push(serde_json::from_value(json!({"role": role, "content": content})).unwrap());
    };
    if let Some(system) = case["system"].as_str() {
        say("system", json!(system));
    }
    for (number, turn) in turns.iter().enumerate() {
        let text = turn["user"].as_str().unwrap();
        let mut pictures = turn["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| image_part(&images.join(name.as_str().unwrap())));
        let mut parts = Vec::new();
        if case["layout"] == "interleaved" {
            for (place, piece) in text.split("<|image|>").enumerate() {
                if place > 0 {
                    parts.push(pictures.next().unwrap());
                }
                if !piece.is_empty() {
                    parts.push(text_part(piece));
                }
            }
        } else {
            parts.extend(pictures.by_ref());
            parts.push(text_part(text));
        }
        assert!(pictures.next().is_none());
        say("user", json!(parts));
        if number + 1 < turns.len() {
            say("assistant", turn["assistant"].clone());
        }
    }
    messages
}

pub fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| u32::try_from(id.as_u64().unwrap()).unwrap())
        .collect()
}

pub fn floats(value: &Value) -> Vec<f32> {
    #[allow(clippy::cast_possible_truncation)]
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap() as f32)
        .collect()
}

/// A little-endian float32 array of two dimensions, as NumPy writes it.
pub fn read_npy(path: &Path) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + header_len]).unwrap();
    assert!(
        header.contains("'<f4'") && header.contains("'fortran_order': False"),
        "{header}"
    );
    let shape = header
        .split("'shape': (")
        .nth(1)
        .unwrap()
        .split(')')
        .next()
        .unwrap();
    let columns: usize = shape.split(", ").nth(1).unwrap().trim().parse().unwrap();
    let values: Vec<f32> = bytes[10 + header_len..]
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    values.chunks_exact(columns).map(<[f32]>::to_vec).collect()
}

/// The first step at which our ids and the reference's part, unless it is a tie: a margin of the reference that
/// is smaller than our own error.
pub fn parted(ours: &[u32], theirs: &[u32], margins: &[f32], error: f32) -> Option<usize> {
    let step = ours
        .iter()
        .zip(theirs)
        .position(|(a, b)| a != b)
        .or((ours.len() < theirs.len()).then_some(ours.len()))?;
    (margins.get(step).is_none_or(|margin| *margin > error)).then_some(step)
}
