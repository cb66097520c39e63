//! Device selection on recorded reports of computers that are not this one.
#![allow(clippy::unwrap_used)] // a test may fail

use std::path::Path;

use paddock_devices::{
    DeviceError, DeviceKind, DevicePreference, DeviceReport, EngineBuilds, report, select,
    select_among,
};

const ALL: &[DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Cuda, DeviceKind::Metal];

fn recorded(name: &str) -> DeviceReport {
    let text = match name {
        "laptop" => include_str!("reports/laptop-without-gpu.json"),
        "workstation" => include_str!("reports/workstation-two-gpus.json"),
        "busy" => include_str!("reports/gpu-in-use.json"),
        _ => include_str!("reports/apple-silicon.json"),
    };
    serde_json::from_str(text).unwrap()
}

fn fixed(id: &str) -> DevicePreference {
    DevicePreference::Fixed { id: id.to_owned() }
}

#[test]
fn auto_takes_the_processor_where_there_is_nothing_else() {
    let selection = select_among(&DevicePreference::Auto, &recorded("laptop"), ALL).unwrap();
    assert_eq!(selection.device.id, "cpu");
    assert!(selection.reason.contains("no GPU"), "{}", selection.reason);
}

#[test]
fn auto_takes_the_gpu_with_the_most_free_memory() {
    let report = recorded("workstation");
    let selection = select_among(&DevicePreference::Auto, &report, ALL).unwrap();
    assert_eq!(selection.device.id, "cuda:1");
    assert!(
        selection.reason.contains("most free memory of 2 GPUs"),
        "{}",
        selection.reason
    );
    // Equal ones: the first, every time.
    let mut equal = report;
    equal.devices[2].free_bytes = equal.devices[1].free_bytes;
    let selection = select_among(&DevicePreference::Auto, &equal, ALL).unwrap();
    assert_eq!(selection.device.id, "cuda:0");
}

#[test]
fn a_gpu_without_an_engine_is_named_in_the_reason() {
    let selection = select(&DevicePreference::Auto, &recorded("workstation")).unwrap();
    assert_eq!(selection.device.id, "cpu");
    assert!(
        selection.reason.contains("no engine built for it"),
        "{}",
        selection.reason
    );
}

#[test]
fn a_gpu_that_others_fill_is_left_alone() {
    let selection = select_among(&DevicePreference::Auto, &recorded("busy"), ALL).unwrap();
    assert_eq!(selection.device.id, "cpu");
    assert!(
        selection.reason.contains("too little free memory"),
        "{}",
        selection.reason
    );
}

#[test]
fn a_mac_uses_metal() {
    let selection = select_among(&DevicePreference::Auto, &recorded("mac"), ALL).unwrap();
    assert_eq!(selection.device.kind, DeviceKind::Metal);
}

#[test]
fn a_fixed_choice_is_kept_or_refused_never_replaced() {
    let report = recorded("workstation");
    assert_eq!(
        select_among(&fixed("cuda:0"), &report, ALL)
            .unwrap()
            .device
            .id,
        "cuda:0"
    );
    assert_eq!(select(&fixed("cpu"), &report).unwrap().device.id, "cpu");
    let gone = select(&fixed("cuda:7"), &report).unwrap_err();
    assert_eq!(
        gone,
        DeviceError::NotThere {
            id: "cuda:7".into()
        }
    );
    assert!(matches!(
        select(&fixed("cuda:0"), &report),
        Err(DeviceError::NoEngine { .. })
    ));
}

#[test]
fn a_report_says_when_it_had_to_fall_back() {
    let report = recorded("laptop").with_preference(&fixed("cuda:0"));
    assert_eq!(report.selected, "cpu");
    assert!(
        report.reason.contains("cuda:0 is not in this computer"),
        "{}",
        report.reason
    );
}

#[test]
fn the_engine_is_picked_by_the_device_and_the_device_by_the_engines() {
    let shipped = Path::new("/app/paddock-engine");
    let none = EngineBuilds::default();
    let cuda = EngineBuilds {
        cuda: Some("/app/paddock-engine-cuda".into()),
        metal: None,
    };
    let place = |builds: &EngineBuilds, device: &str, computer: &str| {
        let placed = builds.place(shipped, device, || recorded(computer));
        let program = placed.program.file_name().unwrap().to_str().unwrap();
        (placed.device, program.to_owned())
    };
    let expected = |device: &str, program: &str| (device.to_owned(), program.to_owned());
    for (builds, device, computer, then) in [
        (
            &cuda,
            "auto",
            "workstation",
            expected("cuda:1", "paddock-engine-cuda"),
        ),
        (
            &cuda,
            "cuda:0",
            "workstation",
            expected("cuda:0", "paddock-engine-cuda"),
        ),
        (
            &cuda,
            "cpu",
            "workstation",
            expected("cpu", "paddock-engine"),
        ),
        (&cuda, "auto", "laptop", expected("cpu", "paddock-engine")),
        (&cuda, "auto", "busy", expected("cpu", "paddock-engine")),
        (&cuda, "auto", "mac", expected("cpu", "paddock-engine")),
        (
            &none,
            "auto",
            "workstation",
            expected("auto", "paddock-engine"),
        ),
        (
            &none,
            "cuda:0",
            "workstation",
            expected("cuda:0", "paddock-engine"),
        ),
    ] {
        assert_eq!(
            place(builds, device, computer),
            then,
            "{device} on {computer}"
        );
    }
    assert_eq!(cuda.kinds(), [DeviceKind::Cpu, DeviceKind::Cuda]);
    let report =
        recorded("workstation").with_preference_among(&DevicePreference::Auto, &cuda.kinds());
    assert_eq!(report.selected, "cuda:1");
}

#[test]
fn builds_for_gpus_are_found_beside_the_shipped_engine_or_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let suffix = std::env::consts::EXE_SUFFIX;
    let shipped = folder.path().join(format!("paddock-engine{suffix}"));
    assert_eq!(EngineBuilds::beside(&shipped), EngineBuilds::default());
    let cuda = folder.path().join(format!("paddock-engine-cuda{suffix}"));
    std::fs::write(&cuda, "").unwrap();
    let found = EngineBuilds::beside(&shipped);
    assert_eq!((found.cuda.as_ref(), found.metal), (Some(&cuda), None));
    assert_eq!(EngineBuilds::of_named(&cuda).cuda, Some(cuda));
    assert_eq!(EngineBuilds::of_named(&shipped), EngineBuilds::default());
}

#[test]
fn this_computers_report_is_whole() {
    let report = report();
    assert_eq!(report.devices[0].id, "cpu");
    assert!(report.device(&report.selected).is_some());
    assert!(!report.reason.is_empty() && report.cpu.threads > 0);
}
