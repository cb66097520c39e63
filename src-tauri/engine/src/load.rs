//! Loading: a checked checkpoint becomes a running mistral.rs.
//!
//! Outside: requests.

use std::{
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use mistralrs::{
    DeviceMapSetting, GgufModelBuilder, ModelBuilder, ModelCategory, ModelDType,
    core::{DeviceMapMetadata, MistralRs, MistralRsBuilder},
    model_builder_trait::{build_auto_pipeline, build_gguf_pipeline},
};
use paddock_protocol::engine::{LoadErrorCode, LoadStage, Loading};
use tokio::sync::oneshot;

use crate::{
    arguments::{Arguments, Dtype, Quant},
    checkpoint::{Checkpoint, DEFAULT_CONTEXT},
    failure::LoadFailure,
    images::ImageTokens,
    prompt::SpecialTokens,
};

/// The id under which mistral.rs knows the one model.
pub const MODEL_ID: &str = "model";

/// A model that answers.
pub struct Loaded {
    pub engine: Arc<MistralRs>,
    pub category: ModelCategory,
    pub special: SpecialTokens,
    /// None for models without eyes.
    pub image_tokens: Option<ImageTokens>,
    pub facts: Facts,
}

/// What the app is told of a loaded model.
#[derive(Debug, Clone)]
pub struct Facts {
    pub name: String,
    pub device: String,
    pub dtype: String,
    pub quant: String,
    pub context: u32,
    pub resident_bytes: u64,
    pub load_ms: f64,
}

impl Loaded {
    pub const fn vision(&self) -> bool {
        matches!(self.category, ModelCategory::Multimodal { .. })
    }
}

/// Loads on a fresh thread: mistral.rs keeps the parameters of in-place quantisation in a thread-local that it
/// never clears, and blocks while it loads.
///
/// # Errors
/// A typed failure with a sentence; a panic of mistral.rs is one too.
pub async fn load(
    arguments: &Arguments,
    progress: impl Fn(Loading) + Send + 'static,
) -> Result<Loaded, LoadFailure> {
    let (sender, receiver) = oneshot::channel();
    let arguments = arguments.clone();
    let thread = std::thread::Builder::new()
        .name("load".into())
        .spawn(move || {
            let outcome =
                std::panic::catch_unwind(AssertUnwindSafe(|| load_here(&arguments, progress)));
            let outcome = outcome.unwrap_or_else(|panic| {
                Err(LoadFailure::new(
                    LoadErrorCode::LoadFailed,
                    format!("The model could not be loaded: {}.", panic_text(&*panic)),
                ))
            });
            // Nobody waits only when the process is ending.
            let _ = sender.send(outcome);
        });
    let lost = || {
        LoadFailure::new(
            LoadErrorCode::LoadFailed,
            "The system gave no thread to load the model on.",
        )
    };
    thread.map_err(|_| lost())?;
    receiver.await.map_err(|_| lost())?
}

/// The words of a panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "an unknown panic".into())
}

fn load_here(
    arguments: &Arguments,
    progress: impl Fn(Loading) + Send + 'static,
) -> Result<Loaded, LoadFailure> {
    let started = Instant::now();
    progress(Loading {
        stage: LoadStage::Checking,
        bytes_read: 0,
        bytes_total: 0,
    });
    let device = device(&arguments.device)?;
    let checkpoint = Checkpoint::open(&arguments.model, arguments.context)?;
    let dtype = dtype(arguments.dtype, &device)?;
    let watch = Watch::start(
        expected_bytes(&checkpoint, arguments.quant, dtype),
        progress,
    );

    // A current-thread runtime: with any other mistral.rs would run a generation of its own before it is ready.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            LoadFailure::new(
                LoadErrorCode::LoadFailed,
                format!("The system gave no threads ({error})."),
            )
        })?;
    let failed = |error: String| LoadFailure::new(code_of(&error), sentence(&error));
    // The automatic device map counts the memory of a CPU-only computer twice and refuses on others.
    let map = DeviceMapSetting::Map(DeviceMapMetadata::dummy());
    let (pipeline, scheduler, _) = match &checkpoint {
        Checkpoint::Folder(folder) => {
            let mut builder = ModelBuilder::new(folder.path().display())
                .with_device(device.clone())
                .with_dtype(dtype)
                .with_device_mapping(map)
                .with_prefix_cache_n(None)
                .with_max_num_seqs(1);
            if let Some(isq) = arguments.quant.isq() {
                builder = builder.with_isq(isq);
            }
            runtime
                .block_on(build_auto_pipeline(builder))
                .map_err(|error| failed(format!("{error:#}")))?
        }
        Checkpoint::Gguf { path, .. } => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let mut builder = GgufModelBuilder::new(folder.display(), vec![file])
                .with_device_mapping(map)
                .with_prefix_cache_n(None)
                .with_max_num_seqs(1);
            if device.is_cpu() {
                builder = builder.with_force_cpu();
            }
            runtime
                .block_on(build_gguf_pipeline(builder))
                .map_err(|error| failed(format!("{error:#}")))?
        }
    };
    let (category, tokenizer, model_context) = runtime.block_on(async {
        let pipeline = pipeline.lock().await;
        (
            pipeline.category(),
            pipeline.tokenizer(),
            pipeline.get_metadata().max_seq_len,
        )
    });
    let tokenizer = tokenizer.ok_or_else(|| {
        LoadFailure::new(
            LoadErrorCode::Unsupported,
            "This model has no tokenizer that the engine can use.",
        )
    })?;
    if !matches!(
        category,
        ModelCategory::Text | ModelCategory::Multimodal { .. }
    ) {
        return Err(LoadFailure::new(
            LoadErrorCode::Unsupported,
            "This model does not answer in text.",
        ));
    }
    let added = tokenizer.get_added_tokens_decoder();
    let special = SpecialTokens::new(
        added
            .values()
            .filter(|token| token.special)
            .map(|token| token.content.as_str()),
    );
    let model_context = u32::try_from(model_context).unwrap_or(u32::MAX);
    let (image_tokens, context) = match &checkpoint {
        Checkpoint::Folder(folder) => (
            ImageTokens::from_config(&folder.config, |text| tokenizer.token_to_id(text)),
            folder.context,
        ),
        Checkpoint::Gguf { .. } => (
            None,
            arguments
                .context
                .unwrap_or(DEFAULT_CONTEXT)
                .min(model_context),
        ),
    };
    let engine = runtime.block_on(
        MistralRsBuilder::new(pipeline, scheduler, false, None)
            .with_model_id(MODEL_ID)
            .with_no_prefix_cache(true)
            .build(),
    );
    drop(watch);
    let quant = match (&checkpoint, arguments.quant) {
        (Checkpoint::Gguf { .. }, _) => "gguf".into(),
        (Checkpoint::Folder(_), quant) => quant.name().into(),
    };
    Ok(Loaded {
        engine,
        category,
        special,
        image_tokens,
        facts: Facts {
            name: arguments
                .model
                .file_name()
                .unwrap_or(arguments.model.as_os_str())
                .to_string_lossy()
                .into_owned(),
            device: device_name(&device, &arguments.device),
            dtype: dtype_name(dtype).into(),
            quant,
            context,
            resident_bytes: resident_bytes(),
            load_ms: started.elapsed().as_secs_f64() * 1000.0,
        },
    })
}

fn code_of(error: &str) -> LoadErrorCode {
    let lower = error.to_lowercase();
    if lower.contains("out of memory") || lower.contains("memory allocation") {
        LoadErrorCode::OutOfMemory
    } else if lower.contains("unsupported")
        || lower.contains("not supported")
        || lower.contains("unknown")
    {
        LoadErrorCode::Unsupported
    } else {
        LoadErrorCode::LoadFailed
    }
}

fn sentence(error: &str) -> String {
    let first = error
        .lines()
        .next()
        .unwrap_or("no reason was given")
        .trim_end_matches('.');
    format!("The model could not be loaded: {first}.")
}

fn device(wanted: &str) -> Result<mistralrs::Device, LoadFailure> {
    let unavailable = |why: String| LoadFailure::new(LoadErrorCode::DeviceUnavailable, why);
    match wanted {
        "cpu" => Ok(mistralrs::Device::Cpu),
        "auto" => Ok(mistralrs::best_device(false).unwrap_or(mistralrs::Device::Cpu)),
        "metal" => mistralrs::Device::new_metal(0).map_err(|_| {
            unavailable("This engine was built without Metal, or there is no Metal device.".into())
        }),
        other => {
            let ordinal = other
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok());
            let ordinal = ordinal.ok_or_else(|| {
                LoadFailure::new(
                    LoadErrorCode::BadArguments,
                    format!("There is no device called {other}: use auto, cpu, cuda:N or metal."),
                )
            })?;
            mistralrs::Device::new_cuda(ordinal).map_err(|_| {
                unavailable(format!(
                    "This engine was built without CUDA, or there is no device {other}."
                ))
            })
        }
    }
}

fn device_name(device: &mistralrs::Device, wanted: &str) -> String {
    match (device.is_cpu(), device.is_metal()) {
        (true, _) => "cpu".into(),
        (_, true) => "metal".into(),
        _ if wanted.starts_with("cuda:") => wanted.into(),
        _ => "cuda:0".into(),
    }
}

/// f32 on a CPU: candle has no bf16 matrix product there, f16 is slower and overflows in some families.
fn dtype(wanted: Dtype, device: &mistralrs::Device) -> Result<ModelDType, LoadFailure> {
    match wanted {
        Dtype::Auto if device.is_cpu() => Ok(ModelDType::F32),
        Dtype::Auto => Ok(ModelDType::Auto),
        Dtype::F32 => Ok(ModelDType::F32),
        Dtype::F16 => Ok(ModelDType::F16),
        Dtype::Bf16 if device.is_cpu() => Err(LoadFailure::new(
            LoadErrorCode::Unsupported,
            "bf16 is not available on the CPU: use f32 or auto.",
        )),
        Dtype::Bf16 => Ok(ModelDType::BF16),
    }
}

const fn dtype_name(dtype: ModelDType) -> &'static str {
    match dtype {
        ModelDType::F32 => "f32",
        ModelDType::F16 => "f16",
        ModelDType::BF16 => "bf16",
        ModelDType::Auto => "auto",
    }
}

fn expected_bytes(checkpoint: &Checkpoint, quant: Quant, dtype: ModelDType) -> u64 {
    match checkpoint {
        Checkpoint::Gguf { bytes, .. } => *bytes,
        Checkpoint::Folder(folder) => {
            let each = match (quant, dtype) {
                (Quant::None, ModelDType::F32) => 4.0,
                (Quant::None, _) => 2.0,
                (quant, _) => quant.bytes_per_weight(),
            };
            // A progress bar needs no more than this.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss
            )]
            let bytes = (folder.weights as f64 * each) as u64;
            bytes
        }
    }
}

/// Resident memory of this process; 0 where the system does not tell.
pub fn resident_bytes() -> u64 {
    memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem as u64)
}

/// Reports the growth of the process while mistral.rs loads: it has no progress of its own.
struct Watch {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    fn start(bytes_total: u64, progress: impl Fn(Loading) + Send + 'static) -> Self {
        let (stop, stopped) = std::sync::mpsc::channel();
        let before = resident_bytes();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(100))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let bytes_read = resident_bytes().saturating_sub(before).min(bytes_total);
                progress(Loading {
                    stage: LoadStage::Weights,
                    bytes_read,
                    bytes_total,
                });
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        // A sample that began before is told before anything that comes after the load.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
