//! Which file of a crate imports which, read from the source.
//!
//! A path counts for the file in which the thing that it names is defined: through `pub use` it is followed to its end, so
//! that `crate::Hub` leads to `client.rs` and not to `lib.rs`. A `pub use` itself is no import, nor is `mod`. What a child takes
//! of its parent's own, and the parent of its child's, counts. Tests do not.
//!
//! Outside: methods, which need no path, and what macros make.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// For each file those that it imports, with the path that says so.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

/// A module by the names from the crate's root.
type Place = Vec<String>;

/// Most re-exports that one path is followed through.
const MOST_STEPS: usize = 16;

#[derive(Debug)]
struct Module {
    file: PathBuf,
    /// Things defined here, but for modules.
    defined: BTreeSet<String>,
    /// `use` by the name that it brings, and whether others see it.
    uses: Vec<Use>,
    /// Paths in the code that may lead elsewhere.
    paths: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Use {
    /// None: a glob.
    name: Option<String>,
    path: Vec<String>,
    exported: bool,
}

#[derive(Debug, Default)]
struct Crate {
    modules: BTreeMap<Place, Module>,
}

/// What a path leads to.
enum Target {
    Module(Place),
    /// Something defined in this file.
    Thing(PathBuf),
}

pub fn imports(root: &Path) -> Imports {
    let mut all = Crate::default();
    all.read_file(root, Vec::new());
    all.imports()
}

impl Crate {
    fn read_file(&mut self, file: &Path, place: Place) {
        let text = std::fs::read_to_string(file).unwrap();
        let parsed =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.read_items(file, place, &parsed.items);
    }

    fn read_items(&mut self, file: &Path, place: Place, items: &[syn::Item]) {
        let mut module = Module {
            file: file.to_owned(),
            defined: BTreeSet::new(),
            uses: Vec::new(),
            paths: Vec::new(),
        };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                syn::Item::Mod(inner) => {
                    let mut inside = place.clone();
                    inside.push(inner.ident.to_string());
                    match &inner.content {
                        Some((_, items)) => self.read_items(file, inside, items),
                        None => self.read_file(&file_of(file, &place, &inside), inside),
                    }
                }
                syn::Item::Use(item) => {
                    let exported = !matches!(item.vis, syn::Visibility::Inherited);
                    leaves(&item.tree, &mut Vec::new(), exported, &mut module.uses);
                }
                item => {
                    module.defined.extend(name_of(item));
                    module.visit_item(item);
                }
            }
        }
        self.modules.insert(place, module);
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (place, module) in &self.modules {
            let targets = imports.entry(module.file.clone()).or_default();
            let used = module.uses.iter().filter(|import| !import.exported);
            for path in used.map(|import| &import.path).chain(&module.paths) {
                let file = match self.follow(place, path, 0) {
                    Some(Target::Module(place)) => self.modules[&place].file.clone(),
                    Some(Target::Thing(file)) => file,
                    None => continue,
                };
                if file != module.file {
                    targets.entry(file).or_insert_with(|| path.join("::"));
                }
            }
        }
        imports
    }

    /// Where a path leads that stands in the module `from`; none if it leaves the crate.
    fn follow(&self, from: &Place, path: &[String], steps: usize) -> Option<Target> {
        if steps > MOST_STEPS {
            return None;
        }
        let mut at = from.clone();
        let mut names = path;
        let mut relative = true;
        while let Some((first, rest)) = names.split_first() {
            match first.as_str() {
                "crate" => at = Vec::new(),
                "self" => {}
                "super" => drop(at.pop()?),
                _ => break,
            }
            relative = false;
            names = rest;
        }
        if let Some(first) = names.first().filter(|_| relative) {
            // A crate, or something that is known here already.
            let inside = [at.as_slice(), std::slice::from_ref(first)].concat();
            if !self.modules.contains_key(&inside) {
                return None;
            }
        }
        while let Some((first, rest)) = names.split_first() {
            let inside = [at.as_slice(), std::slice::from_ref(first)].concat();
            let module = &self.modules[&at];
            if self.modules.contains_key(&inside) {
                at = inside;
            } else if module.defined.contains(first) {
                return Some(Target::Thing(module.file.clone()));
            } else {
                return self.through_use(&at, first, rest, steps);
            }
            names = rest;
        }
        Some(Target::Module(at))
    }

    /// Where a name leads that a module has from elsewhere.
    fn through_use(&self, at: &Place, name: &str, rest: &[String], steps: usize) -> Option<Target> {
        let module = &self.modules[at];
        let named = |import: &&Use| import.name.as_deref() == Some(name);
        if let Some(import) = module.uses.iter().find(named) {
            let whole: Vec<String> = import.path.iter().chain(rest).cloned().collect();
            return self.follow(at, &whole, steps + 1);
        }
        for glob in module.uses.iter().filter(|import| import.name.is_none()) {
            let whole: Vec<String> = glob
                .path
                .iter()
                .chain(std::iter::once(&name.to_owned()))
                .chain(rest)
                .cloned()
                .collect();
            if let found @ Some(_) = self.follow(at, &whole, steps + 1) {
                return found;
            }
        }
        None
    }
}

/// The file of a module that is declared in another one.
fn file_of(declaring: &Path, place: &Place, inside: &Place) -> PathBuf {
    let folder = declaring.parent().unwrap();
    let stem = declaring.file_stem().unwrap().to_string_lossy();
    let root = matches!(stem.as_ref(), "lib" | "main" | "mod");
    let folder = match place.last().filter(|_| !root) {
        Some(own) => folder.join(own),
        None => folder.to_owned(),
    };
    let name = inside.last().unwrap();
    let beside = folder.join(format!("{name}.rs"));
    if beside.is_file() {
        beside
    } else {
        folder.join(name).join("mod.rs")
    }
}

fn leaves(tree: &syn::UseTree, path: &mut Vec<String>, exported: bool, uses: &mut Vec<Use>) {
    let mut leaf = |name: Option<String>, path: Vec<String>| {
        uses.push(Use {
            name,
            path,
            exported,
        });
    };
    match tree {
        syn::UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            leaves(&inner.tree, path, exported, uses);
            path.pop();
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            leaf(path.last().cloned(), path.clone())
        }
        syn::UseTree::Name(name) => {
            let name = name.ident.to_string();
            let whole = [path.as_slice(), std::slice::from_ref(&name)].concat();
            leaf(Some(name), whole);
        }
        syn::UseTree::Rename(renamed) => {
            let mut whole = path.clone();
            if renamed.ident != "self" {
                whole.push(renamed.ident.to_string());
            }
            leaf(Some(renamed.rename.to_string()), whole);
        }
        syn::UseTree::Glob(_) => leaf(None, path.clone()),
        syn::UseTree::Group(group) => {
            for inner in &group.items {
                leaves(inner, path, exported, uses);
            }
        }
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item::*;
    match item {
        Const(i) => &i.attrs,
        Enum(i) => &i.attrs,
        Fn(i) => &i.attrs,
        Impl(i) => &i.attrs,
        Macro(i) => &i.attrs,
        Mod(i) => &i.attrs,
        Static(i) => &i.attrs,
        Struct(i) => &i.attrs,
        Trait(i) => &i.attrs,
        Type(i) => &i.attrs,
        Union(i) => &i.attrs,
        Use(i) => &i.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, alone or with more.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        let words = list.tokens.to_string();
        attribute.path().is_ident("cfg")
            && words
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == "test")
            && !words.contains("not")
    })
}

fn name_of(item: &syn::Item) -> Option<String> {
    use syn::Item::*;
    let name = match item {
        Const(i) => &i.ident,
        Enum(i) => &i.ident,
        Fn(i) => &i.sig.ident,
        Macro(i) => i.ident.as_ref()?,
        Static(i) => &i.ident,
        Struct(i) => &i.ident,
        Trait(i) => &i.ident,
        TraitAlias(i) => &i.ident,
        Type(i) => &i.ident,
        Union(i) => &i.ident,
        _ => return None,
    };
    Some(name.to_string())
}

impl<'ast> Visit<'ast> for Module {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let names = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            self.paths.push(names.collect());
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // Inside of a function: an import of the file all the same.
        leaves(&item.tree, &mut Vec::new(), false, &mut self.uses);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.read_tokens(called.tokens.clone());
    }
}

impl Module {
    /// What is handed to a macro is no syntax yet: paths from `crate`, `super` and `self` are told by their form.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if path.is_empty() || colons == 2 => {
                    path.push(name.to_string())
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                token => {
                    self.end_of_path(&mut path);
                    match token {
                        TokenTree::Ident(name) => path.push(name.to_string()),
                        TokenTree::Group(group) => self.read_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
            colons = 0;
        }
        self.end_of_path(&mut path);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        let here = ["crate", "super", "self"];
        if path.len() > 1 && here.contains(&path[0].as_str()) {
            self.paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The imports of a crate made of these files, by names.
    fn of(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let name = |path: &Path| {
            let path = path.strip_prefix(folder.path()).unwrap();
            path.display().to_string()
        };
        imports(&folder.path().join("lib.rs"))
            .iter()
            .flat_map(|(from, to)| to.keys().map(move |to| (name(from), name(to))))
            .collect()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn re_exports_are_followed_and_are_no_imports() {
        let found = of(&[
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::inner::*;"),
            ("a.rs", "use crate::B; pub struct A;"),
            ("b.rs", "pub mod inner;"),
            ("b/inner.rs", "pub struct B; fn f() { let _ = crate::A; }"),
        ]);
        assert_eq!(
            found,
            [pair("a.rs", "b/inner.rs"), pair("b/inner.rs", "a.rs")]
        );
    }

    #[test]
    fn a_parent_and_its_child_may_import_each_other_too() {
        let found = of(&[
            ("lib.rs", "mod p;"),
            ("p/mod.rs", "mod c; use c::C; pub fn helper() {}"),
            ("p/c.rs", "pub struct C; fn f() { super::helper() }"),
        ]);
        assert_eq!(
            found,
            [pair("p/c.rs", "p/mod.rs"), pair("p/mod.rs", "p/c.rs")]
        );
    }

    #[test]
    fn paths_in_code_types_and_macros_count_and_those_of_tests_do_not() {
        let found = of(&[
            ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
            (
                "a.rs",
                "fn f() -> Option<crate::b::B> { println!(\"{}\", crate::c::C); None }",
            ),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::*; }",
            ),
            (
                "c.rs",
                "pub const C: u8 = 0; use std::collections::BTreeMap; use serde::de;",
            ),
            ("d.rs", "fn f() { use super::c; c::C; }"),
            (
                "e.rs",
                "mod inline { use super::super::d; fn f() { self::g() } fn g() {} }",
            ),
        ]);
        assert_eq!(
            found,
            [
                pair("a.rs", "b.rs"),
                pair("a.rs", "c.rs"),
                pair("d.rs", "c.rs"),
                pair("e.rs", "d.rs")
            ]
        );
    }
}
