//! The planner's answers that people will check by hand.
#![allow(clippy::unwrap_used)] // a test may fail

#[path = "../../checkpoint/tests/support/mod.rs"]
mod support;

use paddock_models::catalogue::{self, Status};
use paddock_models::fit::{Change, ComputeType, FitModel, FitRequest, Hardware, Verdict, plan};
use paddock_models::{Quant, inspect_headers, layout};

const GB: u64 = 1_000_000_000;

fn model(id: &str) -> FitModel {
    catalogue::find(id).unwrap().fit_model().unwrap()
}

fn fit(id: &str, hardware: &str, quant: Quant, context: u32) -> paddock_models::fit::Fit {
    let request = FitRequest {
        quant: Some(quant),
        context_tokens: Some(context),
        ..FitRequest::default()
    };
    plan(
        &model(id),
        &Hardware::parse(hardware).unwrap(),
        &request,
        &catalogue::fit_models(),
    )
}

#[test]
fn every_entry_has_the_parameters_that_its_shape_makes() {
    let mut released = 0;
    for entry in catalogue::entries() {
        if entry.status == Status::Announced {
            assert!(
                entry.repository.is_none()
                    && entry.parameters.is_none()
                    && entry.fit_model().is_none()
            );
            continue;
        }
        released += 1;
        let tensors = layout::layout(&support::catalogue_config(&entry.id)).unwrap();
        let counted: u64 = tensors
            .iter()
            .map(|tensor| tensor.shape.iter().product::<u64>())
            .sum();
        assert_eq!(Some(counted), entry.parameters, "{}", entry.name);
        assert!(entry.download_bytes().unwrap() >= counted, "{}", entry.name);
        assert!(entry.max_context_tokens().unwrap() >= 8192);
        assert!(entry.licence.is_some());
    }
    assert!(released >= 13, "{released}");
}

#[test]
fn the_herds_parameters_are_exact() {
    assert_eq!(
        catalogue::find("scout").unwrap().parameters,
        Some(108_641_793_536)
    );
    assert_eq!(
        catalogue::find("llama-4-maverick").unwrap().parameters,
        Some(401_583_781_376)
    );
    let repository = "meta-llama/Llama-4-Scout-17B-16E-Instruct";
    assert_eq!(catalogue::find(repository).unwrap().id, "llama-4-scout");
}

#[test]
fn scouts_sizes_are_right() {
    let q4k = fit("scout", "H100", Quant::Q4K, 8192);
    let q8 = fit("scout", "H100", Quant::Q8_0, 8192);
    let bf16 = fit("scout", "8xH100", Quant::None, 8192);
    println!(
        "Q4K {} Q8_0 {} bf16 {}",
        q4k.weights_bytes, q8.weights_bytes, bf16.weights_bytes
    );
    assert!(
        (61 * GB..64 * GB).contains(&q4k.weights_bytes),
        "{}",
        q4k.weights_bytes
    );
    assert!(
        (115 * GB..118 * GB).contains(&q8.weights_bytes),
        "{}",
        q8.weights_bytes
    );
    assert_eq!(bf16.weights_bytes, 2 * 108_641_793_536);
    assert_eq!(q4k.kv_bytes_per_token, 192 * 1024);
    assert_eq!(q4k.kv_bytes, 8192 * 192 * 1024);
}

#[test]
fn scout_on_one_h100_has_tens_of_thousands_of_tokens_and_not_ten_million() {
    let fit = fit("scout", "H100", Quant::Q4K, 32_768);
    assert_eq!(fit.verdict, Verdict::Fits, "{}", fit.reason);
    println!("one H100: {} tokens", fit.max_context);
    assert!(
        (20_000..100_000).contains(&fit.max_context),
        "{}",
        fit.max_context
    );
    let all = self::fit("scout", "H100", Quant::Q4K, 10_485_760);
    assert_eq!(all.verdict, Verdict::DoesNotFit);
    assert_eq!(all.max_context, fit.max_context);
    assert_eq!(all.kv_bytes, 10_485_760 * 192 * 1024);
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    assert!((gib(all.kv_bytes) - 1920.0).abs() < 0.01);
    assert!(
        (gib(all.kv_bytes_window_aware) - 481.125).abs() < 0.5,
        "{}",
        gib(all.kv_bytes_window_aware)
    );
    let context = all
        .alternatives
        .iter()
        .find(|a| matches!(a.change, Change::Context { .. }));
    assert!(context.is_some_and(|a| a.total_bytes <= 80 * GB));
}

#[test]
fn eight_h100_hold_about_1_4_million_tokens_of_scout_in_bf16() {
    let fit = fit("scout", "8xH100", Quant::None, 1_000_000);
    println!("8xH100: {} tokens, {}", fit.max_context, fit.reason);
    assert_eq!(fit.verdict, Verdict::Fits, "{}", fit.reason);
    assert!(
        (1_300_000..1_500_000).contains(&fit.max_context),
        "{}",
        fit.max_context
    );
}

#[test]
fn nobody_with_24_gib_runs_the_herd_and_is_offered_what_fits() {
    let request = FitRequest {
        quant: Some(Quant::Q4K),
        ..FitRequest::default()
    };
    let hardware = Hardware::of_memory(24 << 30);
    let fit = plan(
        &model("scout"),
        &hardware,
        &request,
        &catalogue::fit_models(),
    );
    assert_eq!(fit.verdict, Verdict::DoesNotFit);
    assert_eq!(fit.max_context, 0);
    assert_eq!(
        fit.kv_bytes_per_token,
        192 * 1024,
        "16-bit caches for a model of this size"
    );
    let models = fit
        .alternatives
        .iter()
        .filter(|a| matches!(a.change, Change::Model { .. }))
        .count();
    assert_eq!(models, 3, "{:?}", fit.alternatives);
    assert!(fit.alternatives.iter().any(|a| a.change == Change::Server));
    assert!(fit.alternatives.iter().all(|a| a.total_bytes <= 24 << 30));
}

#[test]
fn alternatives_fit_and_are_of_use() {
    let models = catalogue::fit_models();
    for memory in ["2GiB", "6GiB", "16GiB", "48GiB", "200GiB"] {
        for hardware in [
            Hardware::imagined(memory).unwrap(),
            Hardware::parse(memory).unwrap(),
        ] {
            for (id, model) in &models {
                let fit = plan(model, &hardware, &FitRequest::default(), &models);
                for alternative in &fit.alternatives {
                    let (id, context, quant) = match &alternative.change {
                        Change::Quant { quant } => (id, fit.context, quant.clone()),
                        Change::Context { context } => (id, *context, fit.quant.clone()),
                        Change::Model { id, quant, .. } => (id, fit.context, quant.clone()),
                        Change::Server => continue,
                    };
                    let (_, other) = models.iter().find(|(other, _)| other == id).unwrap();
                    let request = FitRequest {
                        quant: Some(quant.parse().unwrap()),
                        context_tokens: Some(context),
                        ..FitRequest::default()
                    };
                    let then = plan(other, &hardware, &request, &[]);
                    assert_eq!(then.verdict, Verdict::Fits, "{memory}: {alternative:?}");
                    assert_eq!(then.total_bytes.high, alternative.total_bytes);
                    assert!(other.obstacle.is_none(), "{alternative:?}");
                }
            }
        }
    }
}

#[test]
fn a_model_that_the_engine_cannot_run_is_not_to_be_quantised_but_replaced() {
    let maverick = model("llama-4-maverick-fp8");
    let hardware = Hardware::of_memory(2 << 40);
    let fit = plan(
        &maverick,
        &hardware,
        &FitRequest::default(),
        &catalogue::fit_models(),
    );
    assert!(fit.reason.contains("cannot run"), "{}", fit.reason);
    assert!(!fit.alternatives.is_empty());
    assert!(
        fit.alternatives
            .iter()
            .all(|alternative| matches!(alternative.change, Change::Model { .. } | Change::Server))
    );
}

#[test]
fn the_ledger_adds_up_and_grows_with_the_context() {
    for entry in catalogue::fit_models() {
        let mut before = 0;
        for context in [2048, 8192, 32_768, 131_072] {
            let hardware = Hardware::of_memory(64 << 30);
            let request = FitRequest {
                context_tokens: Some(context),
                ..FitRequest::default()
            };
            let fit = plan(&entry.1, &hardware, &request, &[]);
            let fixed = fit.weights_bytes + fit.kv_bytes + fit.reserve_bytes;
            assert_eq!(
                fit.total_bytes.high,
                fixed + fit.activation_bytes.max(fit.image_bytes),
                "{}",
                entry.0
            );
            assert!(fit.total_bytes.low <= fit.total_bytes.high);
            assert!(fit.total_bytes.high >= before, "{}", entry.0);
            assert_eq!(
                fit.weights.iter().map(|line| line.bytes).sum::<u64>(),
                fit.weights_bytes
            );
            before = fit.total_bytes.high;
            // The largest context really is the largest.
            if fit.max_context > 0 && fit.max_context < entry.1.shape.max_context_tokens {
                let at = |context| {
                    let request = FitRequest {
                        context_tokens: Some(context),
                        ..FitRequest::default()
                    };
                    plan(&entry.1, &hardware, &request, &[]).verdict
                };
                assert_eq!(at(fit.max_context), Verdict::Fits);
                assert_ne!(at(fit.max_context + 1), Verdict::Fits);
            }
        }
    }
}

#[test]
fn headers_and_catalogue_agree() {
    let folder = tempfile::tempdir().unwrap();
    support::write_checkpoint(folder.path(), &support::catalogue_config("qwen3-vl-2b"), 2);
    let from_headers = FitModel::from(&inspect_headers(folder.path()).unwrap());
    let from_catalogue = model("qwen3-vl-2b");
    assert_eq!(from_headers.weights, from_catalogue.weights);
    assert_eq!(from_headers.shape, from_catalogue.shape);
    assert_eq!(from_headers.parameters, from_catalogue.parameters);
}

#[test]
fn the_json_has_the_promised_names() {
    let json = serde_json::to_value(fit("scout", "H100", Quant::Q4K, 8192)).unwrap();
    for name in [
        "model",
        "parameters",
        "quant",
        "context",
        "weights_bytes",
        "kv_bytes_per_token",
        "kv_bytes",
        "image_bytes",
        "activation_bytes",
        "reserve_bytes",
        "total_bytes",
        "verdict",
        "max_context",
        "alternatives",
    ] {
        assert!(json.get(name).is_some(), "{name}");
    }
    assert!(json["total_bytes"]["low"].is_u64() && json["total_bytes"]["high"].is_u64());
    assert_eq!(json["verdict"], "fits");
}

#[test]
fn gemmas_windowed_layers_do_not_grow_with_the_context() {
    let fit = |context| {
        let request = FitRequest {
            context_tokens: Some(context),
            compute: Some(ComputeType::Bf16),
            ..FitRequest::default()
        };
        plan(
            &model("gemma-3-4b"),
            &Hardware::of_memory(64 << 30),
            &request,
            &[],
        )
    };
    let long = fit(131_072);
    // 34 layers: 5 look at everything, 29 at 1,024 tokens; 4 heads of 256, key and value, 2 bytes.
    assert_eq!(long.kv_bytes_per_token, 5 * 4096);
    assert_eq!(long.kv_bytes, 4096 * (5 * 131_072 + 29 * 1024));
}

#[test]
fn a_gpu_that_is_too_small_is_no_promise_of_layers_elsewhere() {
    let mut hardware = Hardware::parse("12GB").unwrap();
    hardware.ram_free_bytes = 32 * GB;
    let request = FitRequest {
        quant: Some(Quant::None),
        ..FitRequest::default()
    };
    let fit = plan(&model("qwen3-vl-8b"), &hardware, &request, &[]);
    assert_eq!(fit.verdict, Verdict::DoesNotFit, "{}", fit.reason);
    assert!(
        fit.reason.contains("With the processor as the device"),
        "{}",
        fit.reason
    );
    hardware.ram_free_bytes = 8 * GB;
    let nowhere = plan(&model("qwen3-vl-8b"), &hardware, &request, &[]);
    assert!(!nowhere.reason.contains("processor"), "{}", nowhere.reason);
    assert!(
        fit.alternatives.iter().any(
            |a| matches!(&a.change, Change::Quant { quant } if quant == "q5k" || quant == "q4k")
        ),
        "{:?}",
        fit.alternatives
    );
}

#[test]
fn a_tied_head_is_there_once_more_when_it_is_quantised() {
    let head = |quant| {
        let fit = fit("qwen3-vl-2b", "cpu:64GB", quant, 8192);
        fit.weights
            .iter()
            .find(|line| line.class == "output_head")
            .map(|line| line.bytes)
    };
    assert_eq!(head(Quant::None), None, "it is the embedding");
    assert_eq!(head(Quant::Q8_0), Some(151_936 * 2048 / 32 * 34));
}

#[test]
fn a_short_question_needs_no_more_of_the_cache_than_it_fills() {
    let at = |context| fit("smolvlm-2b", "cpu:64GB", Quant::None, context);
    let (small, large) = (at(8192), at(16_384));
    assert!(large.kv_bytes > small.kv_bytes);
    // Only the rotary tables grow.
    assert!(large.total_bytes.low - small.total_bytes.low < 10_000_000);
    // The mask of a prompt that fills the context, and its copy: 4 bytes each, quadratic.
    let grown = large.activation_bytes - small.activation_bytes;
    assert!(grown >= 8 * (16_384 * 16_384 - 8192 * 8192), "{grown}");
}

#[test]
fn what_was_learned_moves_the_reserve() {
    let hardware = Hardware::of_memory(16 << 30);
    let fit = |learned_bytes| {
        let request = FitRequest {
            learned_bytes,
            ..FitRequest::default()
        };
        plan(&model("smolvlm-500m"), &hardware, &request, &[]).reserve_bytes
    };
    assert_eq!(fit(50_000_000), fit(0) + 50_000_000);
    assert_eq!(fit(i64::MIN), 0);
}

#[test]
fn the_catalogue_is_sorted_by_what_this_computer_can_do() {
    let ranked = catalogue::ranked(&Hardware::of_memory(16 << 30));
    assert_eq!(ranked.len(), catalogue::entries().len());
    let first = &ranked[0];
    assert_eq!(
        first.1.as_ref().unwrap().verdict,
        Verdict::Fits,
        "{}",
        first.0.name
    );
    let fits = ranked
        .iter()
        .take_while(|(_, fit)| fit.as_ref().is_some_and(|f| f.verdict == Verdict::Fits))
        .count();
    assert!(
        ranked[fits..]
            .iter()
            .all(|(_, fit)| fit.as_ref().is_none_or(|f| f.verdict != Verdict::Fits))
    );
    assert!(
        ranked
            .iter()
            .rev()
            .take(2)
            .all(|(entry, _)| entry.status == Status::Announced)
    );
}
