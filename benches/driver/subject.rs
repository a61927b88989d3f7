//! The servers that are measured: ours, the floor, and function-auto-ready.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use xtask::{arch::Arch, binary, program::Program, root};

use crate::{
    Failure, cache,
    client::{Client, Tls},
    load::now,
};

/// The core of the servers; the driver has the other.
const SERVER_CORE: &str = "0";
const DRIVER_CORE: &str = "1";

/// After this a server that does not answer is broken.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The Go module that pins function-auto-ready, and what is built of it.
const AUTO_READY_MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/e2e/tools/auto-ready");
const AUTO_READY: &str = "github.com/crossplane/function-auto-ready";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Floor,
    /// An earlier binary of ours.
    Before,
    Ours,
    AutoReady,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Floor => "floor",
            Self::Before => "before",
            Self::Ours => "function-infisical",
            Self::AutoReady => "function-auto-ready",
        })
    }
}

impl Subject {
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Before)
    }

    pub(crate) fn binary(self) -> Result<PathBuf, Failure> {
        let beside = |name: &str| Ok(std::env::current_exe()?.with_file_name(name));
        match self {
            Self::Floor => beside("floor"),
            Self::Before => Ok(cache()?.join("before")),
            Self::Ours => released(),
            Self::AutoReady => Ok(cache()?.join("function-auto-ready")),
        }
    }
}

/// The binary that is in the image, and no other. Cargo is asked where it is, once.
fn released() -> Result<PathBuf, Failure> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let found = binary::find(&root(), Program::Function, Arch::host())?;
    Ok(FOUND.get_or_init(|| found).clone())
}

/// A server that runs; dropping it ends it.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a server on its core; with `certificates`, mutual TLS.
    pub(crate) fn start(subject: Subject, certificates: Option<&Path>) -> Result<Self, Failure> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).arg(subject.binary()?).arg(format!("--address={address}"));
        match certificates {
            Some(dir) => command.arg(format!("--tls-certs-dir={}", dir.display())),
            None => command.arg("--insecure"),
        };
        if subject.is_ours() {
            command.arg("--metrics-address=127.0.0.1:0");
        }
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { address, child: command.spawn()? })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Connects as soon as it listens.
    pub(crate) async fn connect(&mut self, tls: &Tls) -> Result<Client, Failure> {
        let start: Instant = now();
        loop {
            if let Ok(client) = Client::connect(self.address, tls).await {
                return Ok(client);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("a server ended with {status}").into());
            }
            if start.elapsed() > START_LIMIT {
                return Err("a server does not listen".into());
            }
            // A timer would be too coarse for what is measured with this.
            tokio::task::yield_now().await;
        }
    }
}

/// Moves the driver to its core.
pub(crate) fn pin_driver() -> Result<(), Failure> {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-acp", DRIVER_CORE, &pid]).stdout(Stdio::null()).status();
    if pinned?.success() { Ok(()) } else { Err("taskset cannot pin the driver".into()) }
}

/// Builds our binary as it is released, and the floor. One after the other:
/// built together they would share the features of their dependencies.
pub(crate) fn build() -> Result<(), Failure> {
    binary::build(&root(), Program::Function, Arch::host())?;
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--bins", "--package", "benchmark"])
        .current_dir(root())
        .stdin(Stdio::null())
        .status()?;
    if built.success() { Ok(()) } else { Err("cargo build fails".into()) }
}

/// Builds function-auto-ready as a release of it is built, which takes minutes
/// once.
pub(crate) fn build_auto_ready() -> Result<(), Failure> {
    let built = Command::new("go")
        .args(["build", "-buildvcs=false", "-ldflags=-s -w", "-o"])
        .args([Subject::AutoReady.binary()?.as_os_str(), AUTO_READY.as_ref()])
        .env("CGO_ENABLED", "0")
        .current_dir(AUTO_READY_MODULE)
        .stdin(Stdio::null())
        .status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("go build fails with {status}").into()),
        Err(error) => Err(format!("cannot run go: {error}").into()),
    }
}
