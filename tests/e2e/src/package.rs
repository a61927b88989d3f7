//! The package: what `cargo xtask package` builds, for both machines, in a
//! registry.
//!
//! The binary that the harness starts is taken out of that package again.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use tokio::process::Command;
use xtask::{
    arch::Arch,
    archive::{self, Archive},
    binary,
    program::Program,
    rootfs,
};

use crate::{
    control_plane::Folders,
    process::{self, Process, free_port},
    tools::Tools,
    world::FUNCTION,
};

/// A registry on loopback, which forgets what it has when it ends.
///
/// The images of both machines have layers in common, and are pushed at the same
/// time: it has to take a blob twice at once. Docker's registry 2.8 writes its links
/// in place, and refuses a manifest whose link is empty at that moment.
pub(crate) struct Registry {
    port: u16,
    _process: Process,
}

impl Registry {
    pub(crate) fn start(tools: &Tools, folders: &Folders) -> Self {
        let port = free_port();
        let mut serve = Command::new(tools.path("crane"));
        serve.args(["registry", "serve", "--address", &format!("127.0.0.1:{port}")]);
        let process = Process::start("registry", &mut serve, &folders.logs);
        Self { port, _process: process }
    }

    /// Of a package. Crossplane takes 127.0.0.1 over plain HTTP.
    pub(crate) fn reference(&self, package: &str) -> String {
        format!("127.0.0.1:{}/e2e/{package}:v0.1.0", self.port)
    }
}

/// Builds the static binary; takes minutes the first time.
pub(crate) async fn build_binary(root: &Path, logs: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::from(binary::command(root, Program::Function, Arch::host()));
    process::run("build-function", &mut cargo, logs).await?;
    binary::find(root, Program::Function, Arch::host()).map_err(|error| error.to_string())
}

/// Builds the package for each machine, as `cargo xtask package` does, and
/// pushes them as one. The harness needs no compiler for the other machine: what
/// is in the package for that is never started.
pub(crate) async fn publish_function(
    tools: &Tools,
    folders: &Folders,
    registry: &Registry,
    root: &Path,
    binary: &Path,
) -> Result<PathBuf, String> {
    let files =
        rootfs::files(root, Program::Function, Arch::host(), binary).map_err(|error| error.to_string())?;
    let metadata = root.join("package");
    let mut xpkgs = Vec::new();
    for arch in Arch::ALL {
        xpkgs.push(write(folders, FUNCTION, &metadata, (arch, &files))?);
    }
    push(tools, folders, registry, FUNCTION, &xpkgs).await?;
    let of_host = Arch::ALL.into_iter().zip(xpkgs).find(|(arch, _)| *arch == Arch::host());
    of_host.map(|(_, xpkg)| xpkg).ok_or_else(|| "there is no package for this machine".to_owned())
}

/// The same for a function that the harness runs by itself: metadata only.
pub(crate) async fn publish_metadata(
    tools: &Tools,
    folders: &Folders,
    registry: &Registry,
    name: &str,
) -> Result<(), String> {
    let metadata = write_metadata(folders, name);
    let xpkg = write(folders, name, &metadata, (Arch::host(), &[]))?;
    push(tools, folders, registry, name, &[xpkg]).await
}

fn write(
    folders: &Folders,
    name: &str,
    metadata: &Path,
    image: (Arch, &[rootfs::File]),
) -> Result<PathBuf, String> {
    let (arch, files) = image;
    let xpkg = folders.run.join(format!("{name}-{}.xpkg", arch.name()));
    let write = || {
        Archive::new(Program::Function, arch, files, Some(&archive::package_yaml(metadata)?))?.write(&xpkg)
    };
    write().map_err(|error| error.to_string())?;
    Ok(xpkg)
}

async fn push(
    tools: &Tools,
    folders: &Folders,
    registry: &Registry,
    name: &str,
    xpkgs: &[PathBuf],
) -> Result<(), String> {
    let files = xpkgs.iter().map(|xpkg| xpkg.display().to_string()).collect::<Vec<_>>().join(",");
    let mut push = Command::new(tools.path("crank"));
    push.args(["xpkg", "push", "--package-files", &files]).arg(registry.reference(name));
    process::run("xpkg-push", &mut push, &folders.logs).await
}

/// Writes the metadata of a package that has nothing else.
fn write_metadata(folders: &Folders, name: &str) -> PathBuf {
    let root = folders.run.join(format!("{name}-package"));
    fs::create_dir_all(&root).expect("cannot make a folder");
    let metadata = json!({ "apiVersion": "meta.pkg.crossplane.io/v1", "kind": "Function", "metadata": { "name": name } });
    fs::write(root.join("crossplane.yaml"), metadata.to_string()).expect("cannot write a package");
    root
}

/// Takes the binary out of a package.
pub(crate) fn extract_binary(xpkg: &Path, to: &Path) -> Result<(), String> {
    let binary = archive::extract(xpkg, FUNCTION).map_err(|error| error.to_string())?;
    fs::write(to, binary).map_err(|error| error.to_string())?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())
}
