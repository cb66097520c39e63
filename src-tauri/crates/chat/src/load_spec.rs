//! What an engine is asked to load, from a model and the choices made for it.
//!
//! Outside: which model and which choices.

use paddock_devices::{DeviceKind, DevicePreference};
use paddock_engines::LoadSpec;
use paddock_models::fit::{ComputeType, FitModel, compute_type};
use paddock_models::{Form, LoadChoice, ResolvedModel};

pub fn load_spec(model: &ResolvedModel, choice: &LoadChoice) -> LoadSpec {
    LoadSpec {
        model: model.label(choice),
        path: model.path.clone(),
        device: device_argument(&choice.device),
        dtype: "auto".into(),
        cpu_dtype: cpu_dtype(&model.fit),
        quant: model.quant(choice).as_str().to_owned(),
        context_tokens: Some(model.context_tokens(choice)),
        threads: choice.threads,
    }
}

/// What the plan counts with, where that is not what the engine takes by itself.
pub fn cpu_dtype(model: &FitModel) -> Option<String> {
    let planned = compute_type(DeviceKind::Cpu, model);
    // A GGUF file's types are its own.
    (model.form == Form::Safetensors && planned != ComputeType::F32)
        .then(|| planned.as_str().to_owned())
}

/// As the engine's `--device` takes it.
pub fn device_argument(preference: &DevicePreference) -> String {
    match preference {
        DevicePreference::Auto => "auto".into(),
        DevicePreference::Fixed { id } => id.clone(),
    }
}
