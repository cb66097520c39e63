//! No two files of these crates import each other, also not over others.
#![allow(clippy::unwrap_used)] // a test may fail

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The modules that a file of the crate names, by their files.
fn imports(text: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = BTreeSet::new();
    for piece in code.split("crate::").skip(1) {
        // `crate::{a::B, c}` as well as `crate::a::b::C`.
        let list: Vec<&str> = match piece.strip_prefix('{') {
            Some(rest) => rest.split('}').next().unwrap().split(',').collect(),
            None => vec![
                piece
                    .split([';', '{', ' ', '(', ')', ',', '<'])
                    .next()
                    .unwrap(),
            ],
        };
        for path in list {
            let parts: Vec<&str> = path.trim().split("::").collect();
            // The longest prefix that is a file.
            let module = (1..=parts.len())
                .rev()
                .map(|count| parts[..count].join("::"))
                .find(|path| modules.contains(path));
            found.extend(module);
        }
    }
    found
}

fn files(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let module = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}::{name}")
        };
        if path.is_dir() {
            files(&path, &module, found);
        } else if name != "lib" {
            found.insert(module, std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn imports_go_one_way() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["checkpoint", "models"] {
        let mut texts = BTreeMap::new();
        files(&crates.join(name).join("src"), "", &mut texts);
        assert!(texts.len() > 10, "{name}");
        let modules: BTreeSet<String> = texts.keys().cloned().collect();
        let mut graph: BTreeMap<&str, BTreeSet<String>> = texts
            .iter()
            .map(|(module, text)| {
                assert!(
                    !text.contains("use super::{") || text.contains("#[cfg(test)]"),
                    "{module}"
                );
                let mut imports = imports(text, &modules);
                imports.remove(module);
                (module.as_str(), imports)
            })
            .collect();
        // Takes away what imports nothing that is left.
        loop {
            let left: BTreeSet<String> = graph.keys().map(|module| (*module).to_owned()).collect();
            let before = graph.len();
            graph.retain(|_, imports| imports.iter().any(|import| left.contains(import)));
            if graph.len() == before {
                break;
            }
        }
        assert!(graph.is_empty(), "a circle in {name}: {graph:#?}");
    }
}
