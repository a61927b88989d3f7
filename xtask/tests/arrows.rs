//! Which file of a crate uses which, and the arrows that there must not be.
//!
//! Between crates the compiler sees to it; within one it does not care. Read as text:
//! `use` and paths that begin with `crate`, `super` or `self`, and what a parent names of
//! a child. Tests at the end of a file do not count.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The crates, by the folder of their root.
const CRATES: [&str; 5] = ["src/function", "src/infisical", "src/daemon", "src/provider", "xtask/src"];

/// Rooms of a crate that must not use each other: who, whom.
const NEVER: [(&str, &str, &[&str]); 4] = [
    ("src/function", "observe", &["plan", "act", "respond", "function", "server"]),
    ("src/function", "input", &["observe", "plan", "act", "respond", "function", "server"]),
    ("src/function", "server", &["observe", "plan", "act", "respond", "function", "input"]),
    ("src/provider", "api", &["managed"]),
];

/// Circles that are still there: only among these, and there must be no other.
const STILL_THERE: [&str; 11] = [
    "act::establish",
    "act::hand_off",
    "act::hand_off::memory",
    "act::memory",
    "metrics",
    "plan",
    "plan::hand_off",
    "plan::timing",
    "respond::conditions",
    "respond::hand_off",
    "respond::status",
];

/// A module by its path, without `crate`.
type Module = Vec<String>;

/// The modules of a crate, each with the paths of the crate that its file names.
struct Crate(BTreeMap<Module, Vec<Module>>);

impl Crate {
    fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "rs")
                    && path.file_stem().unwrap() != "tests"
                {
                    let module = path.strip_prefix(&root).unwrap().with_extension("");
                    let module: Module =
                        module.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                    let module = if module == ["lib"] { Module::new() } else { module };
                    files.insert(module, code(&fs::read_to_string(path).unwrap()));
                }
            }
        }
        assert!(files.len() > 3, "{folder} has hardly a file");
        Self::of(&files)
    }

    fn of(files: &BTreeMap<Module, String>) -> Self {
        Self(files.keys().map(|module| (module.clone(), uses(files, module))).collect())
    }

    /// The file that a path leads to: that of the longest beginning that is a module, or
    /// where that only hands a name on, the one that it has it from.
    fn resolve(&self, path: &[String]) -> Module {
        let length = (0..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length])).unwrap_or(0);
        let module = path[..length].to_vec();
        let Some(name) = path.get(length) else { return module };
        let handed_on = self.0[&module].iter().find(|used| used.last() == Some(name));
        match handed_on {
            Some(used) if used[..] != path[..] => self.resolve(used),
            _ => module,
        }
    }

    /// Who uses whom. That a file uses what the head of its own folder defines does not
    /// count: the two are one room.
    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let arrows = self.0.iter().map(|(module, uses)| {
            let to: BTreeSet<_> = uses.iter().map(|path| self.resolve(path)).collect();
            (module.clone(), to.into_iter().filter(|to| !module.starts_with(to)).collect())
        });
        arrows.collect()
    }
}

/// The paths of this crate that a module names.
fn uses(files: &BTreeMap<Module, String>, module: &Module) -> Vec<Module> {
    let text = &files[module];
    let mut used = Vec::new();
    for (start, _) in text.match_indices(|c: char| c.is_alphabetic() || c == '_') {
        let before = text[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let word: String = text[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let rest = &text[start + word.len()..];
        let Some(rest) = rest.strip_prefix("::") else { continue };
        let base = match word.as_str() {
            "crate" => Module::new(),
            "self" => module.clone(),
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            child if files.contains_key(&[module.clone(), vec![child.to_owned()]].concat()) => {
                [module.clone(), vec![child.to_owned()]].concat()
            }
            _ => continue,
        };
        expand(base, rest, &mut used);
    }
    used
}

/// Without comments, and without the tests at the end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Follows a path, and each of the paths in its braces. Returns what comes after it.
fn expand<'a>(base: Module, text: &'a str, found: &mut Vec<Module>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = expand(base.clone(), rest, found).trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = &text[word.len()..];
    let path = match word.as_str() {
        "super" => base[..base.len().saturating_sub(1)].to_vec(),
        "self" | "" => base,
        _ => [base, vec![word]].concat(),
    };
    match rest.strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{') => {
            expand(path, rest, found)
        }
        _ => {
            found.push(path);
            rest
        }
    }
}

/// Groups of files in which each leads to each.
fn circles(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<Module>> {
    let reached = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            next.extend(arrows[at].iter().filter(|to| reached.insert((*to).clone())));
        }
        reached
    };
    let reached: BTreeMap<_, _> = arrows.keys().map(|module| (module, reached(module))).collect();
    let with = |one: &Module| -> BTreeSet<Module> {
        reached[one].iter().filter(|other| reached[other].contains(one)).cloned().collect()
    };
    arrows.keys().map(with).filter(|circle| circle.len() > 1).collect()
}

fn names(circle: &BTreeSet<Module>) -> String {
    circle.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(", ")
}

#[test]
fn no_more_files_of_a_crate_use_each_other_in_a_circle() {
    for folder in CRATES {
        for circle in circles(&Crate::read(folder).arrows()) {
            let is_known =
                |module: &Module| STILL_THERE.iter().any(|known| module.join("::").starts_with(known));
            assert!(circle.iter().all(is_known), "{folder}: {}", names(&circle));
        }
    }
}

#[test]
fn no_room_uses_one_that_it_must_not_know() {
    for (folder, room, never) in NEVER {
        for (from, to) in Crate::read(folder)
            .arrows()
            .iter()
            .filter(|(from, _)| from.first().is_some_and(|first| first == room))
        {
            for to in to {
                let is_known = never.contains(&to[0].as_str());
                assert!(!is_known, "{folder}: {} uses {}", from.join("::"), to.join("::"));
            }
        }
    }
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("a", "use crate::b::{self, c::{D, E}};"),
        ("b", "pub mod c; pub use c::D;"),
        ("b::c", "fn f() { super::super::a::g(super::H) }"),
    ];
    let files =
        files.map(|(module, text)| (module.split("::").map(str::to_owned).collect(), text.to_owned()));
    let arrows = Crate::of(&files.into_iter().chain([(Module::new(), String::new())]).collect()).arrows();
    let circles: Vec<_> = circles(&arrows).iter().map(names).collect();
    assert_eq!(circles, ["a, b, b::c"]);
}
