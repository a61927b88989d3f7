//! The licenses of all that is linked into the binary or put beside it, as they
//! stand in the sources that it was built from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Failure, about, arch::Arch, binary, program::Program};

/// What a file with a license is called, in lower case.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];
/// What is in these folders of a crate is not in the binary.
const NOT_LINKED: [&str; 5] = ["tests", "test", "examples", "benches", "fuzz"];
/// Whose data is in the image beside the binary.
const AUTHORITIES: &str = "webpki-root-certs";
/// The license of glibc.
const GLIBC: &str = include_str!("../licenses/LGPL-2.1.txt");

/// The Apache License. Its text names nobody, so it is the same for every crate that is
/// under it; the others name who wrote the crate.
const APACHE: (&str, &str) = ("Apache-2.0", include_str!("../../LICENSE"));

/// A crate, by name and version.
type Crate = (String, String);

/// The licenses in one text: each once, below the names of the crates that are
/// under it.
///
/// # Errors
///
/// Where a crate has none, or something cannot be read.
pub fn third_party(root: &Path, program: Program, arch: Arch) -> Result<String, Failure> {
    let metadata = binary::metadata(root, &["--filter-platform", arch.target()])?;
    let mut crates_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (label, texts) in crates(program, &metadata)? {
        for text in texts {
            crates_of.entry(text).or_default().insert(label.clone());
        }
    }
    let mut by_crates: Vec<_> = crates_of.into_iter().map(|(text, crates)| (crates, text)).collect();
    by_crates.sort();
    let mut all = format!(
        "{} contains parts of the software below, each under its own license.\n\
         The license of Rust's standard library is in another file.\n",
        program.name()
    );
    for (crates, text) in by_crates {
        section(&mut all, &crates.into_iter().collect::<Vec<_>>().join(", "), &text);
    }
    section(
        &mut all,
        "The GNU C Library, linked statically; whoever wants to link another one builds the binary \
         with the commands in CONTRIBUTING.md (LGPL-2.1-or-later)",
        GLIBC,
    );
    Ok(all)
}

/// The licenses of Rust's standard library, as they come with the compiler.
///
/// # Errors
///
/// Where they do not.
pub fn standard_library() -> Result<Vec<u8>, Failure> {
    let file = Path::new(&binary::sysroot()?).join("share/doc/rust/COPYRIGHT-library.html");
    fs::read(&file).map_err(about(&file))
}

fn section(all: &mut String, title: &str, text: &str) {
    let line = "=".repeat(80);
    // A String takes all that is written to it.
    let _ = write!(all, "\n{line}\n{title}\n{line}\n\n{}\n", text.trim_end());
}

/// Each crate that is linked, with the texts of its licenses.
fn crates(program: Program, metadata: &Value) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let linked = linked(program, metadata, &packages);
    let mut found: BTreeMap<Crate, (BTreeSet<String>, &Value)> = BTreeMap::new();
    for package in linked.iter().filter_map(|id| packages.get(id)) {
        let manifest = Path::new(text(package, "manifest_path"));
        let mut texts = BTreeSet::new();
        read_all(manifest.parent().unwrap_or(manifest), &mut texts)?;
        let name = (text(package, "name").to_owned(), text(package, "version").to_owned());
        found.insert(name, (texts, package));
    }
    let mut labelled = BTreeMap::new();
    for ((name, version), (texts, package)) in &found {
        // Some crates leave it to the one beside them in their repository.
        let beside = || {
            let of_same = |other: &&(BTreeSet<String>, &Value)| {
                !other.0.is_empty() && other.1["repository"] == package["repository"]
            };
            found.values().find(of_same).map(|(texts, _)| texts.clone())
        };
        let apache = || {
            let (name, apache) = APACHE;
            (text(package, "license") == name).then(|| BTreeSet::from([apache.to_owned()]))
        };
        let texts = if texts.is_empty() { beside().or_else(apache) } else { Some(texts.clone()) };
        let texts = texts.ok_or_else(|| format!("{name} {version} comes without a license"))?;
        labelled.insert(format!("{name} {version} ({})", text(package, "license")), texts);
    }
    Ok(labelled)
}

/// The ids of what is linked: no build scripts, no macros, no tests, and not
/// this repository's own.
fn linked<'a>(
    program: Program,
    metadata: &'a Value,
    packages: &BTreeMap<&'a str, &'a Value>,
) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let of = |name: &str| packages.iter().find(|(_, package)| package["name"] == name).map(|(id, _)| *id);
    let mut open: Vec<&str> = of(program.name()).into_iter().chain(of(AUTHORITIES)).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let depends_on = nodes.get(id).into_iter().flat_map(|node| list(&node["deps"]));
        let is_linked =
            |dependency: &&Value| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
        open.extend(
            depends_on
                .filter(is_linked)
                .filter_map(|dependency| dependency["pkg"].as_str())
                .filter(|id| packages.get(id).is_some_and(|package| !is_macro(package))),
        );
    }
    for member in list(&metadata["workspace_members"]).filter_map(Value::as_str) {
        seen.remove(member);
    }
    seen
}

fn is_macro(package: &Value) -> bool {
    list(&package["targets"]).any(|target| list(&target["kind"]).any(|kind| kind == "proc-macro"))
}

/// All licenses of a crate, those of sources of others within it too.
fn read_all(folder: &Path, texts: &mut BTreeSet<String>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(about(folder))?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            if !NOT_LINKED.contains(&name.as_str()) {
                read_all(&path, texts)?;
            }
        } else if NAMES.iter().any(|start| name.starts_with(start))
            && path.extension().is_none_or(|extension| extension != "rs")
        {
            let text = fs::read(&path).map_err(about(&path))?;
            texts.insert(String::from_utf8_lossy(&text).replace("\r\n", "\n"));
        }
    }
    Ok(())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FUNCTION: Program = Program::Function;
    const NAME: &str = FUNCTION.name();

    /// The sources of made-up crates, for as long as a test runs.
    struct Sources(PathBuf);

    impl Sources {
        /// A folder of this name, with these files.
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            for (path, text) in files {
                let file = folder.join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self(folder)
        }

        /// What `cargo metadata` says of these crates; the function depends on all of
        /// them, as it says beside each.
        fn metadata(&self, crates: &[(&str, Value)]) -> Value {
            let package = |name: &str, kind: &str| {
                fs::create_dir_all(self.0.join(name)).unwrap();
                json!({
                    "id": name, "name": name, "version": "1.0.0", "license": "MIT",
                    "repository": "https://example.org/all", "targets": [{ "kind": [kind] }],
                    "manifest_path": self.0.join(name).join("Cargo.toml"),
                })
            };
            let kind_of = |name: &str| if name.ends_with("-derive") { "proc-macro" } else { "lib" };
            let own = package(NAME, "lib");
            let others = crates.iter().map(|(name, _)| package(name, kind_of(name)));
            let deps =
                crates.iter().map(|(name, kind)| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] }));
            json!({
                "packages": others.chain([own]).collect::<Vec<_>>(),
                "workspace_members": [NAME, "of-this-repository"],
                "resolve": { "nodes": [{ "id": NAME, "deps": deps.collect::<Vec<_>>() }] },
            })
        }
    }

    impl Drop for Sources {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn texts<'a>(crates: &'a BTreeMap<String, BTreeSet<String>>, label: &str) -> Vec<&'a str> {
        crates[label].iter().map(String::as_str).collect()
    }

    #[test]
    fn what_only_builds_or_tests_is_not_linked() {
        let names = ["linked", "builds", "tests", "some-derive", "of-this-repository"];
        let files = names.map(|name| format!("{name}/LICENSE"));
        let sources = Sources::new("linked", &files.each_ref().map(|file| (file.as_str(), "its license")));
        let kinds = [Value::Null, json!("build"), json!("dev"), Value::Null, Value::Null];
        let metadata = sources.metadata(&names.into_iter().zip(kinds).collect::<Vec<_>>());
        let crates = crates(FUNCTION, &metadata).unwrap();
        assert_eq!(crates.keys().collect::<Vec<_>>(), ["linked 1.0.0 (MIT)"]);
    }

    #[test]
    fn the_sources_that_a_crate_brings_along_count() {
        let files = [
            ("wrapper/LICENSE-MIT", "the wrapper's"),
            ("wrapper/c_src/inner/COPYING", "of what it wraps\r\n"),
            ("wrapper/src/license.rs", "no license but a module"),
            ("wrapper/tests/data/LICENSE", "of what only its tests need"),
        ];
        let sources = Sources::new("brought", &files);
        let crates = crates(FUNCTION, &sources.metadata(&[("wrapper", Value::Null)])).unwrap();
        assert_eq!(texts(&crates, "wrapper 1.0.0 (MIT)"), ["of what it wraps\n", "the wrapper's"]);
    }

    #[test]
    fn a_crate_may_leave_its_license_to_the_one_beside_it() {
        let sources = Sources::new("beside", &[("main/LICENSE", "of both")]);
        let metadata = sources.metadata(&[("main", Value::Null), ("main-core", Value::Null)]);
        assert_eq!(texts(&crates(FUNCTION, &metadata).unwrap(), "main-core 1.0.0 (MIT)"), ["of both"]);
    }

    #[test]
    fn a_crate_without_a_license_is_refused() {
        let sources = Sources::new("without", &[("bare/README.md", "no license")]);
        let refused = crates(FUNCTION, &sources.metadata(&[("bare", Value::Null)])).unwrap_err().to_string();
        assert_eq!(refused, "bare 1.0.0 comes without a license");
    }

    #[test]
    fn the_apache_license_needs_no_copy_in_the_crate() {
        let sources = Sources::new("apache", &[("bare/README.md", "no license")]);
        let mut metadata = sources.metadata(&[("bare", Value::Null)]);
        metadata["packages"][0]["license"] = json!("Apache-2.0");
        let crates = crates(FUNCTION, &metadata).unwrap();
        assert_eq!(texts(&crates, "bare 1.0.0 (Apache-2.0)"), [APACHE.1]);
    }

    #[test]
    #[ignore = "needs the sources of the whole workspace, which building the tests does not fetch; .ci/run runs it"]
    fn every_crate_that_is_linked_has_a_license() {
        for (program, arch) in Program::ALL.into_iter().flat_map(|it| Arch::ALL.map(|arch| (it, arch))) {
            let metadata = binary::metadata(&crate::root(), &["--filter-platform", arch.target()]).unwrap();
            let crates = crates(program, &metadata).unwrap();
            let of = |name: &str| crates.iter().find(|(label, _)| label.starts_with(&format!("{name} ")));
            let own = match program {
                Program::Function => ["tonic", "tonic-prost"],
                Program::Provider => ["kube-client", "kube-lease-manager"],
            };
            for name in own.into_iter().chain(["ring", "libmimalloc-sys", AUTHORITIES]) {
                assert!(of(name).is_some(), "{name} is linked into {}", program.name());
            }
            for name in ["proptest", "protox", "serde_derive", program.name(), "infisical", "daemon"] {
                assert!(of(name).is_none(), "{name} is not linked into {}", program.name());
            }
            assert!(crates.values().all(|texts| !texts.is_empty()));
            let (_, texts) = of("libmimalloc-sys").unwrap();
            assert!(texts.iter().any(|text| text.contains("Microsoft")), "mimalloc is Microsoft's");
        }
    }
}
