//! The shape of the source: no two files import each other, no file is too long, crates depend on each other as drawn in the
//! README.
//!
//! Outside: what the code does. The lists of exceptions shrink: one that is not needed any more fails, too.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files that are still part of a circle, as `crate/file`.
const KNOWN_CIRCLES: &[&str] = &[
    "chat/chat.rs",
    "chat/hub.rs",
    "chat/keeping.rs",
    "chat/loading.rs",
    "decode/tiling/mod.rs",
    "decode/tiling/qwen_vl.rs",
    "decoder/pool.rs",
    "decoder/process.rs",
    "devices/cpu.rs",
    "devices/gpu.rs",
    "devices/report.rs",
    "devices/select.rs",
    "engine/images.rs",
    "engine/prompt.rs",
    "kernels/attention/kernel.rs",
    "kernels/attention/mod.rs",
    "src-tauri/cli/manual.rs",
    "src-tauri/cli/mod.rs",
    "store/backups.rs",
    "store/check.rs",
    "store/dates.rs",
    "store/error.rs",
    "store/schema.rs",
    "store/store.rs",
    "store/sweep.rs",
    "store/tables/image.rs",
    "store/upkeep.rs",
];

/// Dependencies that still point the wrong way.
const KNOWN_ARROWS: &[(&str, &str)] = &[];

/// Files that are still too long.
const KNOWN_LONG: &[&str] = &[];

const MOST_LINES: usize = 500;

/// Who may depend on whom: on every layer below its own, on none beside it.
const LAYERS: &[&[&str]] = &[
    &["paddock-conversation"],
    &[
        "paddock-checkpoint",
        "paddock-decode",
        "paddock-devices",
        "paddock-diagnostics",
        "paddock-protocol",
        "paddock-store",
    ],
    &["paddock-decoder", "paddock-models"],
    &[
        "paddock-engines",
        "paddock-hub",
        "paddock-pictures",
        "paddock-settings",
    ],
    &["paddock-chat"],
    &["paddock"],
    &["paddock-tests"],
];

/// Of the second layer these know the vocabulary alone.
const PLAIN: &[&str] = &[
    "paddock-checkpoint",
    "paddock-decode",
    "paddock-protocol",
    "paddock-store",
];

fn top() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::canonicalize(top).unwrap()
}

/// What is found and what is excused, each without the other.
fn compare(what: &str, found: &BTreeSet<String>, known: BTreeSet<String>) {
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(found).collect();
    assert!(new.is_empty(), "{what}: {new:#?}");
    assert!(
        gone.is_empty(),
        "{what}: not so any more, take them off the list: {gone:#?}"
    );
}

fn is_ignored(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || matches!(name.as_ref(), "target" | "node_modules" | "dist")
}

/// Files below a folder whose names end so.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if is_ignored(&path) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings
            .iter()
            .any(|ending| path.to_string_lossy().ends_with(ending))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The folders with a `Cargo.toml` and sources below `src-tauri`.
fn crates() -> Vec<PathBuf> {
    files(&top().join("src-tauri"), &["Cargo.toml"])
        .iter()
        .filter_map(|manifest| Some(manifest.parent()?.to_owned()))
        .filter(|folder| folder.join("src").is_dir())
        .collect()
}

#[test]
fn no_two_files_import_each_other() {
    let mut found = BTreeSet::new();
    let mut why = Vec::new();
    let mut looked_at = 0;
    for folder in crates() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for root in ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)) {
            if !root.is_file() {
                continue;
            }
            let imports = modules::imports(&root);
            looked_at += imports.len();
            for circle in circles(&imports) {
                let label = |file: &Path| {
                    let file = file.strip_prefix(folder.join("src")).unwrap();
                    format!("{name}/{}", file.display())
                };
                for file in &circle {
                    found.insert(label(file));
                    for (to, by) in &imports[file] {
                        if circle.contains(to) {
                            why.push(format!("{} -> {} by {by}", label(file), label(to)));
                        }
                    }
                }
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} files were found");
    let known = KNOWN_CIRCLES.iter().map(ToString::to_string).collect();
    if !found.is_subset(&known) {
        println!("{}", why.join("\n"));
    }
    compare("These files import each other", &found, known);
}

/// Groups of files that can be reached from each other, by Tarjan's algorithm.
fn circles(imports: &modules::Imports) -> Vec<BTreeSet<PathBuf>> {
    #[derive(Default)]
    struct Walk<'a> {
        number: BTreeMap<&'a Path, usize>,
        low: BTreeMap<&'a Path, usize>,
        stack: Vec<&'a Path>,
        found: Vec<BTreeSet<PathBuf>>,
    }
    fn walk<'a>(at: &'a Path, imports: &'a modules::Imports, state: &mut Walk<'a>) {
        let number = state.number.len();
        state.number.insert(at, number);
        state.low.insert(at, number);
        state.stack.push(at);
        for to in imports.get(at).into_iter().flat_map(BTreeMap::keys) {
            if !state.number.contains_key(to.as_path()) {
                walk(to, imports, state);
                let low = state.low[at].min(state.low[to.as_path()]);
                state.low.insert(at, low);
            } else if state.stack.contains(&to.as_path()) {
                let low = state.low[at].min(state.number[to.as_path()]);
                state.low.insert(at, low);
            }
        }
        if state.low[at] == number {
            let mut circle = BTreeSet::new();
            while let Some(top) = state.stack.pop() {
                circle.insert(top.to_owned());
                if top == at {
                    break;
                }
            }
            if circle.len() > 1 {
                state.found.push(circle);
            }
        }
    }
    let mut state = Walk::default();
    for file in imports.keys() {
        if !state.number.contains_key(file.as_path()) {
            walk(file, imports, &mut state);
        }
    }
    state.found
}

#[test]
fn no_file_is_too_long() {
    let top = top();
    let mut found = BTreeSet::new();
    let mut sources: Vec<PathBuf> = crates()
        .iter()
        .flat_map(|folder| files(&folder.join("src"), &[".rs"]))
        .collect();
    sources.extend(files(
        &top.join("ui/src"),
        &[".ts", ".svelte", ".css", ".js"],
    ));
    assert!(
        sources.len() > 150,
        "only {} files were found",
        sources.len()
    );
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&top).unwrap().display().to_string();
        // Generated.
        if name != "ui/src/lib/ipc/bindings.ts" && text.lines().count() > MOST_LINES {
            found.insert(name);
        }
    }
    let known = KNOWN_LONG.iter().map(ToString::to_string).collect();
    compare("These files are too long", &found, known);
}

/// What cargo says of a workspace.
fn metadata(manifest: &str, more: &[&str]) -> serde_json::Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(more)
        .arg("--manifest-path")
        .arg(top().join(manifest))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_stated_rust_version_is_enough_for_every_dependency() {
    let metadata = metadata("Cargo.toml", &["--locked"]);
    let version = |text: &str| -> Vec<u32> {
        let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
        parts.resize(3, 0);
        parts
    };
    let packages = metadata["packages"].as_array().unwrap();
    let of = |package: &serde_json::Value| package["rust_version"].as_str().map(version);
    let ours = packages.iter().find(|package| package["name"] == "paddock");
    let stated = of(ours.unwrap()).expect("rust-version in Cargo.toml");
    for package in packages {
        let wants = of(package).unwrap_or_default();
        assert!(wants <= stated, "{} wants {wants:?}", package["name"]);
    }
}

/// Each crate of ours with those of ours that it depends on, other than for its tests.
fn dependencies() -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for manifest in ["Cargo.toml", "src-tauri/engine/Cargo.toml"] {
        let metadata = metadata(manifest, &["--no-deps"]);
        for package in metadata["packages"].as_array().unwrap() {
            let ours = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .filter(|name| name.starts_with("paddock"))
                .collect();
            all.push((package["name"].as_str().unwrap().to_owned(), ours));
        }
    }
    all
}

#[test]
fn crates_depend_on_each_other_as_drawn() {
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut found = BTreeSet::new();
    for (name, dependencies) in dependencies() {
        // A program of its own, on the wire and what both programs read.
        if name.starts_with("paddock-engine") && name != "paddock-engines" {
            let allowed = ["paddock-protocol", "paddock-checkpoint"];
            for on in &dependencies {
                let own = on.starts_with("paddock-engine") || on.starts_with("paddock-kernels");
                assert!(own || allowed.contains(&on.as_str()), "{name} -> {on}");
            }
            continue;
        }
        // The engine's own.
        if name.starts_with("paddock-kernels") {
            continue;
        }
        let own = layer(&name).unwrap_or_else(|| panic!("say in LAYERS where {name} belongs"));
        for on in dependencies {
            let below = layer(&on).unwrap_or_else(|| panic!("say in LAYERS where {on} belongs"));
            let plain = PLAIN.contains(&name.as_str()) && on != "paddock-conversation";
            if below >= own || plain {
                found.insert(format!("{name} -> {on}"));
            }
        }
    }
    let known = KNOWN_ARROWS
        .iter()
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect();
    compare("These point the wrong way", &found, known);
}
