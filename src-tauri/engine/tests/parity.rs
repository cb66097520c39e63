//! Llama 4 against Hugging Face transformers in float32, from the PNG to the logits: random-weight models of the
//! real architecture (`tests/fixtures/parity`) and the trained demo model (`tests/fixtures/demo-reference`).
//!
//! `PADDOCK_PARITY_TABLE=FILE` writes the table of `README.md`.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use support::{Engine, fixtures, floats, ids, messages, parted, read_json, read_npy, request};

/// Largest difference of any logit; transformers' own with and without its cache is 4e-5.
const TOLERANCE: f32 = 1e-3;

/// One line of the table.
struct Line {
    case: String,
    /// Tokens of the prompt, images expanded.
    prompt: usize,
    /// The largest logit of the first step: transformers', and ours of the same token.
    largest: (f32, f32),
    /// Largest difference of any logit, per stored step.
    errors: Vec<f32>,
    fault: Option<String>,
}

fn compare(engine: &Engine, case: &Value, model: &str, folder: &Path, steps: &[usize]) -> Line {
    let id = case["id"].as_str().unwrap().to_owned();
    let expected = &case["expected"][model];
    let turns = case["turns"].as_array().unwrap();
    let theirs = ids(&expected["ids"]);
    let tokens = u32::try_from(theirs.len()).unwrap();
    let run = engine.ask(&request(
        messages(case, turns, &folder.join("images")),
        Some(tokens),
    ));
    let mut line = Line {
        case: id,
        prompt: run.prompt.len(),
        largest: (f32::NAN, f32::NAN),
        errors: Vec::new(),
        fault: None,
    };
    let mut fault = |text: String| {
        line.fault.get_or_insert(text);
    };
    if let Some(refusal) = &run.refusal {
        fault(format!("refused: {refusal}"));
        return line;
    }
    if run.prompt != ids(&expected["input_ids"]) {
        fault(format!("the prompt differs: {:?}", run.prompt));
        return line;
    }
    let images = run
        .finished
        .as_ref()
        .map(|finished| finished.images.clone())
        .unwrap_or_default();
    let grids: Vec<Vec<u32>> = expected["grids"]
        .as_array()
        .map(|grids| grids.iter().map(ids).collect())
        .unwrap_or_default();
    let ours: Vec<Vec<u32>> = images
        .iter()
        .map(|image| vec![image.rows, image.columns])
        .collect();
    if ours != grids {
        fault(format!(
            "the receipt says grids {ours:?}, transformers {grids:?}"
        ));
    }
    // 4 tokens a tile
    let counted: Vec<u32> = images.iter().map(|image| image.tokens).collect();
    let tiles: Vec<u32> = expected["tiles"]
        .as_array()
        .map(|tiles| {
            tiles
                .iter()
                .map(|n| 4 * u32::try_from(n.as_u64().unwrap()).unwrap())
                .collect()
        })
        .unwrap_or_default();
    if counted != tiles {
        fault(format!(
            "the receipt says {counted:?} tokens, transformers {tiles:?}"
        ));
    }
    let stored = read_npy(&folder.join(expected["logits"].as_str().unwrap()));
    let same = run
        .ids
        .iter()
        .zip(&theirs)
        .take_while(|(a, b)| a == b)
        .count();
    if let (Some(theirs), Some(ours)) = (stored.first(), run.logits.first()) {
        let (token, largest) = theirs
            .iter()
            .enumerate()
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .unwrap();
        line.largest = (*largest, ours[token]);
    }
    for (step, reference) in steps.iter().zip(&stored) {
        if *step > same || *step >= run.logits.len() {
            break;
        }
        let error = run.logits[*step]
            .iter()
            .zip(reference)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        line.errors.push(error);
        if error.is_nan() || error > TOLERANCE {
            fault(format!("logits of step {step} are {error:e} off"));
        }
    }
    let worst = line.errors.iter().copied().fold(0.0, f32::max);
    if let Some(step) = parted(&run.ids, &theirs, &floats(&expected["margins"]), worst) {
        fault(format!("the ids part at step {step}"));
    }
    line
}

fn all_cases(model: &str) {
    let folder = fixtures().join("parity");
    let document = read_json(&folder.join("cases.json"));
    let steps: Vec<usize> = ids(&document["generator"]["logit_steps"])
        .iter()
        .map(|step| *step as usize)
        .collect();
    let engine = Engine::load(&folder.join(format!("model-{model}")), &[]);
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() >= 40, "cases are missing");
    let lines: Vec<Line> = cases
        .iter()
        .map(|case| compare(&engine, case, model, &folder, &steps))
        .collect();
    let mut table = format!(
        "| {model} | prompt tokens | transformers | ours | difference of any logit | 40 greedy ids |\n|---|---|---|---|---|---|\n"
    );
    for line in &lines {
        let _ = writeln!(
            table,
            "| {} | {} | {:.5} | {:.5} | {:.1e} | {} |",
            line.case,
            line.prompt,
            line.largest.0,
            line.largest.1,
            line.errors.iter().copied().fold(0.0, f32::max),
            line.fault.as_deref().unwrap_or("same")
        );
    }
    println!("{table}");
    if let Some(file) = std::env::var_os("PADDOCK_PARITY_TABLE") {
        std::fs::write(
            Path::new(&file).with_extension(format!("{model}.md")),
            &table,
        )
        .unwrap();
    }
    let faults: Vec<_> = lines
        .iter()
        .filter_map(|line| Some(format!("{}: {}", line.case, line.fault.as_ref()?)))
        .collect();
    assert!(
        faults.is_empty(),
        "{} of {} cases differ:\n{}",
        faults.len(),
        lines.len(),
        faults.join("\n")
    );
}

#[test]
fn eight_layers_all_experts_agree_with_transformers() {
    all_cases("step1");
}

#[test]
fn six_layers_with_dense_ones_and_llama3_rope_agree_with_transformers() {
    all_cases("step2");
}

#[test]
fn the_demo_model_says_what_transformers_says() {
    let engine = Engine::load(&support::demo_model(), &[]);
    let cases = read_json(&fixtures().join("demo-reference/cases.json"));
    let mut answers = 0;
    for case in cases.as_array().unwrap() {
        let turns = case["turns"].as_array().unwrap();
        for last in 0..turns.len() {
            let turn = &turns[last];
            let theirs = ids(&turn["ids"]);
            let run = engine.ask(&request(
                messages(case, &turns[..=last], &fixtures().join("images")),
                Some(64),
            ));
            let name = format!("{} turn {last}", case["id"]);
            assert_eq!(run.refusal, None, "{name}");
            assert_eq!(
                run.prompt,
                ids(&turn["prompt_ids"]),
                "{name}: the prompt differs"
            );
            assert_eq!(
                run.text.trim(),
                turn["assistant"].as_str().unwrap(),
                "{name}"
            );
            assert_eq!(run.ids, theirs, "{name}");
            for (step, top) in turn["top10"].as_array().unwrap().iter().enumerate() {
                for pair in top.as_array().unwrap() {
                    let id = usize::try_from(pair[0].as_u64().unwrap()).unwrap();
                    let off = (f64::from(run.logits[step][id]) - pair[1].as_f64().unwrap()).abs();
                    assert!(
                        off < f64::from(TOLERANCE),
                        "{name}: logit of {id} in step {step} is {off} off"
                    );
                }
            }
            answers += 1;
        }
    }
    assert!(answers >= 23, "only {answers} answers were compared");
}

/// Sequences of equal length run as one batch where mistral.rs is allowed to take several.
#[test]
fn several_at_once_give_what_each_gives_alone() {
    use mistralrs::{
        Model, ModelDType, MultimodalModelBuilder, RequestBuilder, SamplingParams, TextMessageRole,
    };
    const QUESTIONS: [&str; 3] = ["Say 1.", "Say 2.", "Say 3."];
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = fixtures().join("parity/model-step1");
    let builder = MultimodalModelBuilder::new(folder.to_str().unwrap())
        .with_dtype(ModelDType::F32)
        .with_force_cpu()
        .with_prefix_cache_n(None)
        .with_max_num_seqs(QUESTIONS.len());
    let model: Model = runtime.block_on(builder.build()).unwrap();
    let ask = async |question: &str| {
        let request = RequestBuilder::new()
            .add_message(TextMessageRole::User, question)
            .set_sampling(SamplingParams {
                max_len: Some(40),
                ..SamplingParams::deterministic()
            });
        let answer = model.send_chat_request(request).await.unwrap();
        answer.choices[0].message.content.clone().unwrap()
    };
    runtime.block_on(async {
        let mut alone = Vec::new();
        for question in QUESTIONS {
            alone.push(ask(question).await);
        }
        assert!(
            alone[0] != alone[1],
            "the answers do not tell the questions apart"
        );
        for _ in 0..5 {
            let [one, two, three] = QUESTIONS;
            let (one, two, three) = tokio::join!(ask(one), ask(two), ask(three));
            assert_eq!(vec![one, two, three], alone);
        }
    });
}
