//! What the harness runs: where each program comes from and which version.
//!
//! Go programs are built from the modules in `tools/`, which are the one place
//! with their versions, and kept under `.cache/e2e/bin` by a hash of the module
//! that pins them. etcd and the registry are Debian packages.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::{package::hex, process};

/// A program built from a Go module in `tools/`.
struct GoTool {
    name: &'static str,
    module: &'static str,
    package: &'static str,
    /// The variable that a release sets to its version: packages are held
    /// against Crossplane's.
    version: Option<&'static str>,
}

const CROSSPLANE_VERSION: &str = "github.com/crossplane/crossplane-runtime/v2/pkg/version.version";
const KUBERNETES_VERSION: &str = "k8s.io/component-base/version.gitVersion";

const GO_TOOLS: [GoTool; 5] = [
    GoTool {
        name: "crossplane",
        module: "crossplane",
        package: "github.com/crossplane/crossplane/v2/cmd/crossplane",
        version: Some(CROSSPLANE_VERSION),
    },
    GoTool {
        name: "crank",
        module: "crank",
        package: "github.com/crossplane/crossplane/v2/cmd/crank",
        version: Some(CROSSPLANE_VERSION),
    },
    GoTool {
        name: "kube-apiserver",
        module: "kubernetes",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        version: Some(KUBERNETES_VERSION),
    },
    GoTool {
        name: "kube-controller-manager",
        module: "kubernetes",
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        version: Some(KUBERNETES_VERSION),
    },
    GoTool {
        name: "function-auto-ready",
        module: "auto-ready",
        package: "github.com/crossplane/function-auto-ready",
        version: None,
    },
];

/// Programs of the machine, and what brings each.
const SYSTEM_TOOLS: [(&str, &str); 3] = [
    ("etcd", "apt-get install etcd-server"),
    ("docker-registry", "apt-get install docker-registry"),
    ("go", "apt-get install golang-go, or https://go.dev/dl; tests/e2e/tools/*/go.mod say which version"),
];

/// Where Crossplane's RBAC manager serves its metrics.
const RBAC_MANAGER_PORT: u16 = 8080;

/// The programs, found or built.
pub(crate) struct Tools {
    bin: PathBuf,
    /// The sources of Crossplane, in which its CRDs and its chart are.
    pub(crate) crossplane_source: PathBuf,
}

impl Tools {
    /// Where a program is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        match GO_TOOLS.iter().find(|tool| tool.name == name) {
            Some(tool) => self.bin.join(format!("{}-{}", tool.name, key(tool.module))),
            None => on_path(name).unwrap_or_else(|| PathBuf::from(name)),
        }
    }
}

/// What is missing on this machine, one line each.
pub(crate) fn missing() -> Vec<String> {
    let absent = SYSTEM_TOOLS.iter().filter(|(name, _)| on_path(name).is_none());
    let mut missing: Vec<_> = absent.map(|(name, how)| format!("{name} is missing: {how}")).collect();
    if std::net::TcpListener::bind(("0.0.0.0", RBAC_MANAGER_PORT)).is_err() {
        missing.push(format!(
            "port {RBAC_MANAGER_PORT} is taken: end what listens there; Crossplane's RBAC manager serves its \
             metrics there and has no flag for another"
        ));
    }
    missing
}

/// Builds what is not there yet.
pub(crate) async fn provide(cache: &Path, logs: &Path) -> Result<Tools, String> {
    let bin = cache.join("bin");
    fs::create_dir_all(&bin).map_err(|error| format!("{}: {error}", bin.display()))?;
    let mut tools = Tools { bin, crossplane_source: PathBuf::new() };
    for tool in &GO_TOOLS {
        let path = tools.path(tool.name);
        if !path.exists() {
            println!("building {} (minutes, once)", tool.name);
            build(tool, &path, logs).await?;
        }
    }
    tools.crossplane_source = source("crossplane", "github.com/crossplane/crossplane/v2").await?;
    Ok(tools)
}

async fn build(tool: &GoTool, path: &Path, logs: &Path) -> Result<(), String> {
    // Under another name until it is whole.
    let partial = path.with_extension("partial");
    let mut go = Command::new("go");
    let flags = match tool.version.zip(version(tool)) {
        Some((variable, version)) => format!("-ldflags=-s -w -X {variable}={version}"),
        None => "-ldflags=-s -w".to_owned(),
    };
    go.current_dir(module(tool.module)).args(["build", "-buildvcs=false", &flags, "-o"]);
    process::run(&format!("build-{}", tool.name), go.arg(&partial).arg(tool.package), logs).await?;
    fs::rename(&partial, path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where the sources of a Go module are.
async fn source(module_name: &str, path: &str) -> Result<PathBuf, String> {
    let mut go = Command::new("go");
    let listed = go.current_dir(module(module_name)).args(["mod", "download", "-json", path]).output().await;
    let listed = listed.map_err(|error| format!("go mod download: {error}"))?;
    let answer: serde_json::Value =
        serde_json::from_slice(&listed.stdout).map_err(|error| format!("go mod download {path}: {error}"))?;
    let dir = answer["Dir"].as_str().ok_or_else(|| format!("go mod download {path} names no folder"))?;
    Ok(PathBuf::from(dir))
}

/// The version at which `go.mod` has the module of a program.
fn version(tool: &GoTool) -> Option<String> {
    let text = fs::read_to_string(module(tool.module).join("go.mod")).ok()?;
    let (path, _) = tool.package.split_once("/cmd/")?;
    let line = text.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix(path))?;
    Some(line.trim().to_owned())
}

fn module(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(name)
}

/// Changes with the versions.
fn key(module_name: &str) -> String {
    let pinned =
        ["go.mod", "go.sum"].map(|file| fs::read(module(module_name).join(file)).unwrap_or_default());
    hex(&pinned.concat()).chars().take(12).collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
