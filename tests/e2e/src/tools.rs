//! What the harness runs: where each program comes from and which version.
//!
//! Go programs are built from the modules in `tools/`, which are the one place
//! with their versions, and kept under `.cache/e2e/bin` by a hash of what pins
//! them. etcd is a Debian package.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;
use xtask::archive::sha256;

use crate::{Stop, cluster::now, process};

/// A Go module of which programs are built.
struct GoModule {
    /// Its folder in `tools/`.
    name: &'static str,
    path: &'static str,
    packages: &'static [&'static str],
    /// The variable that a release sets to its version: packages are held against
    /// Crossplane's.
    version: Option<&'static str>,
    /// What else the linker sets.
    set: &'static [&'static str],
    /// Folders of its sources that are kept too.
    manifests: &'static [&'static str],
    /// Files of its sources that are written anew, in a copy of them that the
    /// programs are built from. They leave out what no case needs.
    replaced: &'static [(&'static str, &'static str)],
}

const GO_MODULE: GoModule =
    GoModule { name: "", path: "", packages: &[], version: None, set: &[], manifests: &[], replaced: &[] };

const CROSSPLANE: &str = "github.com/crossplane/crossplane/v2";
const CROSSPLANE_VERSION: &str = "github.com/crossplane/crossplane-runtime/v2/pkg/version.version";

/// A program is called after the last part of its package.
const GO_MODULES: [GoModule; 6] = [
    GoModule {
        name: "kubernetes",
        path: "k8s.io/kubernetes",
        packages: &["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"],
        version: Some("k8s.io/component-base/version.gitVersion"),
        ..GO_MODULE
    },
    GoModule {
        name: "crossplane",
        path: CROSSPLANE,
        packages: &["github.com/crossplane/crossplane/v2/cmd/crossplane"],
        version: Some(CROSSPLANE_VERSION),
        // The RBAC manager has no flag for it, and would take port 8080 of all
        // addresses.
        set: &["sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=127.0.0.1:0"],
        manifests: &["cluster/crds", "cluster/charts/crossplane/templates"],
        ..GO_MODULE
    },
    GoModule {
        name: "crank",
        path: CROSSPLANE,
        packages: &["github.com/crossplane/crossplane/v2/cmd/crank"],
        version: Some(CROSSPLANE_VERSION),
        ..GO_MODULE
    },
    GoModule {
        name: "auto-ready",
        path: "github.com/crossplane/function-auto-ready",
        packages: &["github.com/crossplane/function-auto-ready"],
        ..GO_MODULE
    },
    GoModule {
        name: "registry",
        path: "github.com/google/go-containerregistry",
        packages: &["github.com/google/go-containerregistry/cmd/crane"],
        ..GO_MODULE
    },
    GoModule {
        name: "external-secrets",
        path: "github.com/external-secrets/external-secrets",
        packages: &["github.com/external-secrets/external-secrets"],
        manifests: &["config/crds/bases"],
        // The kits of every cloud would be two thirds of what is compiled.
        replaced: &[
            (
                "pkg/provider/register/register.go",
                "package register\n\nimport _ \"github.com/external-secrets/external-secrets/pkg/provider/infisical\"\n",
            ),
            ("pkg/generator/register/register.go", "package register\n"),
        ],
        ..GO_MODULE
    },
];

/// Programs of the machine, and what brings each.
const SYSTEM_TOOLS: [(&str, &str); 1] = [("etcd", "apt-get install etcd-server")];

/// The first Go that fetches the Go that a `go.mod` asks for.
const GO_MINOR: u32 = 21;
const GO_HOW: &str = "https://go.dev/dl, or a package of Go 1.21 or newer";

/// The programs, found or built.
pub(crate) struct Tools {
    bin: PathBuf,
}

impl Tools {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { bin: cache.join("bin") }
    }

    /// Where a program is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let is_built = |module: &&GoModule| module.packages.iter().any(|package| program(package) == name);
        match GO_MODULES.iter().find(is_built) {
            Some(module) => self.folder(module).join(name),
            None => on_path(name).unwrap_or_else(|| PathBuf::from(name)),
        }
    }

    /// The sources of a program's module, as far as they are manifests.
    pub(crate) fn manifests_of(&self, name: &str) -> PathBuf {
        self.path(name).parent().map(Path::to_owned).unwrap_or_default()
    }

    /// Where what a module brings is kept, by the versions that it pins.
    fn folder(&self, module: &GoModule) -> PathBuf {
        self.bin.join(format!("{}-{}", module.name, key(module)))
    }

    /// Where a module is built: in the folder that pins it, or in a copy of its
    /// sources, with the versions that it pins itself.
    async fn sources(&self, module: &GoModule) -> Result<PathBuf, Stop> {
        if module.replaced.is_empty() {
            return Ok(pins(module.name));
        }
        let from = source(module).await.map_err(|why| cannot_fetch(module, &why))?;
        let sources = emptied(self.folder(module).with_extension("sources"))?;
        copy(&from, &sources).map_err(|error| format!("{}: {error}", sources.display()))?;
        for (file, content) in module.replaced {
            fs::write(sources.join(file), content).map_err(|error| format!("{file}: {error}"))?;
        }
        Ok(sources)
    }

    fn to_build(&self) -> impl Iterator<Item = &'static GoModule> {
        GO_MODULES.iter().filter(|module| !self.folder(module).exists())
    }

    /// What is missing on this machine.
    pub(crate) async fn missing(&self) -> Vec<String> {
        let absent = SYSTEM_TOOLS.iter().filter(|(name, _)| on_path(name).is_none());
        let mut missing: Vec<_> = absent.map(|(name, how)| format!("{name} is missing: {how}")).collect();
        if self.to_build().next().is_some() {
            missing.extend(go_is_missing().await);
        }
        missing
    }

    /// Builds what is not there yet.
    pub(crate) async fn provide(&self, logs: &Path) -> Result<(), Stop> {
        for module in self.to_build() {
            let begin = now();
            println!("building {} (minutes, once)", module.name);
            let sources = self.sources(module).await?;
            fetch(module, &sources, logs).await?;
            build(module, &sources, &self.folder(module), logs).await?;
            if !module.replaced.is_empty() {
                drop(fs::remove_dir_all(sources));
            }
            println!("{:>6.1} s  {} is built", begin.elapsed().as_secs_f64(), module.name);
        }
        Ok(())
    }
}

async fn go_is_missing() -> Option<String> {
    let Ok(says) = Command::new("go").arg("version").output().await else {
        return Some(format!("go is missing: {GO_HOW}"));
    };
    let says = String::from_utf8_lossy(&says.stdout).into_owned();
    let minor = says
        .split_once("go1.")
        .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok());
    let is_old = minor.is_some_and(|minor| minor < GO_MINOR);
    is_old.then(|| format!("go is too old ({}): {GO_HOW}", says.trim()))
}

/// What a module is made of, so that a failure to build is none of the network.
async fn fetch(module: &GoModule, sources: &Path, logs: &Path) -> Result<(), Stop> {
    let name = format!("fetch-{}", module.name);
    let mut go = go(sources);
    go.args(["list", "-deps", "-f", "{{.ImportPath}}"]).args(module.packages);
    process::run(&name, &mut go, logs).await.map_err(|why| cannot_fetch(module, &why))
}

fn cannot_fetch(module: &GoModule, why: &str) -> Stop {
    let last = why.lines().last().unwrap_or_default();
    Stop::Missing(vec![format!("the Go modules of {} cannot be fetched: {last}", module.name)])
}

/// In a folder of another name until it is whole.
async fn build(module: &GoModule, sources: &Path, folder: &Path, logs: &Path) -> Result<(), String> {
    let partial = emptied(folder.with_extension("partial"))?;
    let flags = format!("-ldflags=-s -w {}", variables(module).join(" "));
    let mut go = go(sources);
    go.args(["build", "-buildvcs=false", &flags, "-o"]).arg(&partial).args(module.packages);
    process::run(&format!("build-{}", module.name), &mut go, logs).await?;
    if !module.manifests.is_empty() {
        keep_manifests(module, &source(module).await?, &partial)?;
    }
    fs::rename(&partial, folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// The linker's flags for the variables of a module.
fn variables(module: &GoModule) -> Vec<String> {
    let version = module.version.and_then(|variable| Some(format!("{variable}={}", version(module)?)));
    let set = module.set.iter().map(|set| (*set).to_owned());
    version.into_iter().chain(set).map(|set| format!("-X {set}")).collect()
}

/// In a folder with a go.mod, with the version of Go that it asks for.
fn go(folder: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(folder);
    if env::var_os("GOTOOLCHAIN").is_none() {
        go.env("GOTOOLCHAIN", "auto");
    }
    go
}

/// Copies what is not a program, so that a later run needs no Go.
fn keep_manifests(module: &GoModule, source: &Path, to: &Path) -> Result<(), String> {
    for folder in module.manifests {
        copy(&source.join(folder), &to.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    }
    Ok(())
}

/// A folder with nothing in it.
fn emptied(folder: PathBuf) -> Result<PathBuf, String> {
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Copies the files of a folder without their modes: what Go fetches is read-only.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::write(to, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Where the sources of a Go module are.
async fn source(module: &GoModule) -> Result<PathBuf, String> {
    let path = module.path;
    let listed = go(&pins(module.name)).args(["mod", "download", "-json", path]).output().await;
    let listed = listed.map_err(|error| format!("go mod download: {error}"))?;
    let answer: serde_json::Value =
        serde_json::from_slice(&listed.stdout).map_err(|error| format!("go mod download {path}: {error}"))?;
    let dir = answer["Dir"].as_str().ok_or_else(|| format!("go mod download {path} names no folder"))?;
    Ok(PathBuf::from(dir))
}

/// The version that `go.mod` pins.
fn version(module: &GoModule) -> Option<String> {
    let text = fs::read_to_string(pins(module.name).join("go.mod")).ok()?;
    let line =
        text.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix(module.path))?;
    Some(line.trim().to_owned())
}

fn program(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}

fn pins(module: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(module)
}

/// Changes with what is built.
fn key(module: &GoModule) -> String {
    let file = |name| fs::read(pins(module.name).join(name)).unwrap_or_default();
    let replaced = module.replaced.iter().map(|(_, content)| *content).collect::<String>();
    let pinned =
        [file("go.mod"), file("go.sum"), variables(module).concat().into_bytes(), replaced.into_bytes()];
    sha256(&pinned.concat()).chars().take(12).collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
