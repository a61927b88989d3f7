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

/// Programs that are built from a Go module in `tools/`.
struct GoModule {
    name: &'static str,
    packages: &'static [&'static str],
    /// The variable that a release sets to its version, and whose version it
    /// is: packages are held against Crossplane's.
    version: Option<(&'static str, &'static str)>,
    /// What else the linker sets.
    set: &'static [&'static str],
}

const CROSSPLANE: &str = "github.com/crossplane/crossplane/v2";
const CROSSPLANE_VERSION: &str = "github.com/crossplane/crossplane-runtime/v2/pkg/version.version";
const KUBERNETES_VERSION: &str = "k8s.io/component-base/version.gitVersion";

/// A program is called after the last part of its package.
const GO_MODULES: [GoModule; 5] = [
    GoModule {
        name: "kubernetes",
        packages: &["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager"],
        version: Some((KUBERNETES_VERSION, "k8s.io/kubernetes")),
        set: &[],
    },
    GoModule {
        name: CORE,
        packages: &["github.com/crossplane/crossplane/v2/cmd/crossplane"],
        version: Some((CROSSPLANE_VERSION, CROSSPLANE)),
        // The RBAC manager has no flag for it, and would take port 8080 of all
        // addresses.
        set: &["sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=127.0.0.1:0"],
    },
    GoModule {
        name: "crank",
        packages: &["github.com/crossplane/crossplane/v2/cmd/crank"],
        version: Some((CROSSPLANE_VERSION, CROSSPLANE)),
        set: &[],
    },
    GoModule {
        name: "auto-ready",
        packages: &["github.com/crossplane/function-auto-ready"],
        version: None,
        set: &[],
    },
    GoModule {
        name: "registry",
        packages: &["github.com/google/go-containerregistry/cmd/crane"],
        version: None,
        set: &[],
    },
];

/// The module of Crossplane's core, whose sources have the CRDs and the chart.
const CORE: &str = "crossplane";
/// Where they have them.
const MANIFESTS: [&str; 2] = ["cluster/crds", "cluster/charts/crossplane/templates"];

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

    /// Crossplane's sources, as far as they are manifests.
    pub(crate) fn crossplane_source(&self) -> PathBuf {
        self.path(CORE).parent().map(Path::to_owned).unwrap_or_default()
    }

    /// Where what a module brings is kept, by the versions that it pins.
    fn folder(&self, module: &GoModule) -> PathBuf {
        self.bin.join(format!("{}-{}", module.name, key(module)))
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
            fetch(module, logs).await?;
            build(module, &self.folder(module), logs).await?;
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
async fn fetch(module: &GoModule, logs: &Path) -> Result<(), Stop> {
    let name = format!("fetch-{}", module.name);
    let mut go = go(module);
    go.args(["list", "-deps", "-f", "{{.ImportPath}}"]).args(module.packages);
    process::run(&name, &mut go, logs).await.map_err(|why| {
        let last = why.lines().last().unwrap_or_default();
        Stop::Missing(vec![format!("the Go modules of {} cannot be fetched: {last}", module.name)])
    })
}

/// In a folder of another name until it is whole.
async fn build(module: &GoModule, folder: &Path, logs: &Path) -> Result<(), String> {
    let partial = folder.with_extension("partial");
    drop(fs::remove_dir_all(&partial));
    fs::create_dir_all(&partial).map_err(|error| format!("{}: {error}", partial.display()))?;
    let flags = format!("-ldflags=-s -w {}", variables(module).join(" "));
    let mut go = go(module);
    go.args(["build", "-buildvcs=false", &flags, "-o"]).arg(&partial).args(module.packages);
    process::run(&format!("build-{}", module.name), &mut go, logs).await?;
    if module.name == CORE {
        keep_manifests(&source(module, CROSSPLANE).await?, &partial)?;
    }
    fs::rename(&partial, folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// The linker's flags for the variables of a module.
fn variables(module: &GoModule) -> Vec<String> {
    let version =
        module.version.and_then(|(variable, of)| Some(format!("{variable}={}", version(module, of)?)));
    let set = module.set.iter().map(|set| (*set).to_owned());
    version.into_iter().chain(set).map(|set| format!("-X {set}")).collect()
}

/// In a module of `tools/`, with the version of Go that its go.mod asks for.
fn go(module: &GoModule) -> Command {
    let mut go = Command::new("go");
    go.current_dir(pins(module.name));
    if env::var_os("GOTOOLCHAIN").is_none() {
        go.env("GOTOOLCHAIN", "auto");
    }
    go
}

/// Copies what is not a program, so that a later run needs no Go.
fn keep_manifests(source: &Path, to: &Path) -> Result<(), String> {
    for folder in MANIFESTS {
        copy_files(&source.join(folder), &to.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::write(to.join(entry.file_name()), fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Where the sources of a Go module are.
async fn source(module: &GoModule, path: &str) -> Result<PathBuf, String> {
    let listed = go(module).args(["mod", "download", "-json", path]).output().await;
    let listed = listed.map_err(|error| format!("go mod download: {error}"))?;
    let answer: serde_json::Value =
        serde_json::from_slice(&listed.stdout).map_err(|error| format!("go mod download {path}: {error}"))?;
    let dir = answer["Dir"].as_str().ok_or_else(|| format!("go mod download {path} names no folder"))?;
    Ok(PathBuf::from(dir))
}

/// The version that `go.mod` pins.
fn version(module: &GoModule, of: &str) -> Option<String> {
    let text = fs::read_to_string(pins(module.name).join("go.mod")).ok()?;
    let line = text.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix(of))?;
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
    let pinned = [file("go.mod"), file("go.sum"), variables(module).concat().into_bytes()];
    sha256(&pinned.concat()).chars().take(12).collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
