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
const CRATES: [&str; 5] = ["src/function", "src/provider", "src/infisical", "src/daemon", "xtask/src"];

/// The rooms of one program, and which others each may use.
type Rooms = &'static [(&'static str, &'static [&'static str])];

/// The rooms of each program. ARCHITECTURE.md says why.
const PROGRAMS: [(&str, Rooms); 2] = [("src/function", FUNCTION), ("src/provider", PROVIDER)];

const FUNCTION: Rooms = &[
    ("main", &[]),
    ("args", &["server"]),
    ("function", &["respond", "act", "plan", "observe", "input", "model", "server", "contract"]),
    ("respond", &["plan", "observe", "agreement", "input", "model", "contract"]),
    ("act", &["input", "model"]),
    ("plan", &["observe", "readiness", "agreement", "input", "model"]),
    ("observe", &["readiness", "agreement", "input", "model", "contract"]),
    ("agreement", &["model"]),
    ("model", &["input", "contract"]),
    ("readiness", &["input", "contract"]),
    ("input", &["contract"]),
    ("server", &["contract"]),
    ("contract", &[]),
];

const PROVIDER: Rooms = &[
    ("main", &[]),
    ("args", &["managed"]),
    ("leader", &[]),
    ("provider", &["api", "cluster", "configs", "connect", "controller", "managed", "metrics"]),
    ("controller", &["api", "cluster", "managed"]),
    ("configs", &["api", "cluster", "connect"]),
    ("cluster", &["api", "connect", "managed"]),
    ("metrics", &["api", "managed"]),
    ("kind", &["api", "connect", "managed"]),
    ("connect", &["api", "managed"]),
    ("managed", &["api"]),
    ("api", &[]),
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

    /// Who uses whom.
    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let arrows = self.0.iter().map(|(module, uses)| {
            let to: BTreeSet<_> = uses.iter().map(|path| self.resolve(path)).collect();
            (module.clone(), to.into_iter().filter(|to| to != module).collect())
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
            // A comma may stand at the end.
            if let Some(rest) = rest.trim_start().strip_prefix('}') {
                return rest;
            }
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
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    for folder in CRATES {
        let circles: Vec<_> = circles(&Crate::read(folder).arrows()).iter().map(names).collect();
        assert!(circles.is_empty(), "{folder}: {circles:?}");
    }
}

#[test]
fn a_room_uses_only_those_that_it_may_know() {
    for (folder, list) in PROGRAMS {
        let arrows = Crate::read(folder).arrows();
        let rooms: BTreeSet<_> = arrows.keys().filter_map(|module| module.first()).collect();
        for (from, to) in arrows.iter().filter(|(from, _)| !from.is_empty()) {
            let may = list.iter().find(|(room, _)| *room == from[0]).map(|(_, may)| *may);
            let may =
                may.unwrap_or_else(|| panic!("{folder}: {} is in no room of the list", from.join("::")));
            for to in to.iter().filter(|to| !to.is_empty() && to[0] != from[0]) {
                assert!(may.contains(&&*to[0]), "{folder}: {} uses {}", from.join("::"), to.join("::"));
            }
        }
        for (room, may) in list {
            assert!(rooms.iter().any(|it| it == room), "{folder}: there is no {room}");
            for may in *may {
                let uses = |(from, to): (&Module, &BTreeSet<Module>)| {
                    from.first().is_some_and(|it| it == room)
                        && to.iter().any(|to| to.first().is_some_and(|it| it == may))
                };
                assert!(arrows.iter().any(uses), "{folder}: {room} may use {may}, and does not");
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

#[test]
fn the_tables_of_rooms_in_the_architecture_are_these() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let text = fs::read_to_string(file).unwrap();
    let tables: Vec<_> = text.split("| room | what is in it | may use |").skip(1).collect();
    assert_eq!(tables.len(), PROGRAMS.len());
    for (table, (folder, list)) in tables.into_iter().zip(PROGRAMS) {
        let expected = list.iter().filter(|(room, _)| *room != "main");
        let expected: BTreeMap<_, BTreeSet<_>> = expected
            .map(|(room, may)| ((*room).to_owned(), may.iter().map(|may| (*may).to_owned()).collect()))
            .collect();
        assert_eq!(rooms_of(table), expected, "{folder}");
    }
}

/// The rooms of a table, with those that each may use.
fn rooms_of(table: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        (cells[0].trim().trim_matches('`').to_owned(), quoted(cells[2]))
    })
    .collect()
}

/// `cargo test --package xtask --test arrows figures -- --nocapture` prints them.
#[test]
fn the_figures_of_each_crate_are_counted() {
    for folder in CRATES {
        let krate = Crate::read(folder);
        let arrows = krate.arrows();
        let room = |module: &Module| module.first().cloned().unwrap_or_default();
        let between: BTreeSet<_> = arrows
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| (room(from), room(to))))
            .filter(|(from, to)| from != to && !from.is_empty() && !to.is_empty())
            .collect();
        let rooms: BTreeSet<_> = arrows.keys().map(room).filter(|room| !room.is_empty()).collect();
        let in_circles: usize = circles(&arrows).iter().map(BTreeSet::len).sum();
        println!(
            "{folder}: {} files, {} rooms, {} arrows between rooms, {} between files, {in_circles} files in circles",
            arrows.len(),
            rooms.len(),
            between.len(),
            arrows.values().map(BTreeSet::len).sum::<usize>(),
        );
        assert!(!between.is_empty() && arrows.len() > rooms.len() / 2, "{folder}: hardly anything was read");
    }
}
