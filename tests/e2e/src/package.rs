//! The package: the static binary on an empty base, as an xpkg in a registry.
//!
//! No Docker: an image is a tarball with a layer, a configuration and a
//! manifest. `crossplane xpkg build` makes the package of it, and the binary
//! that the harness starts is taken out of that package again.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{
    control_plane::Folders,
    process::{self, Process, free_port},
    tools::Tools,
};

/// Where the binary is in the image.
const BINARY: &str = "function-infisical";
/// Where Debian keeps the public authorities, on this machine and in the image.
const CA_ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";

/// A registry on loopback.
pub(crate) struct Registry {
    port: u16,
    _process: Process,
}

impl Registry {
    pub(crate) fn start(tools: &Tools, folders: &Folders) -> Self {
        let port = free_port();
        let config = json!({
            "version": 0.1,
            "storage": { "filesystem": { "rootdirectory": folders.file("registry") } },
            "http": { "addr": format!("127.0.0.1:{port}") },
        });
        let file = folders.file("registry.yaml");
        fs::write(&file, config.to_string()).expect("cannot write the registry's configuration");
        let mut serve = Command::new(tools.path("docker-registry"));
        let process = Process::start("registry", serve.args(["serve", &file]), &folders.logs);
        Self { port, _process: process }
    }

    /// Of a package. Crossplane takes 127.0.0.1 over plain HTTP.
    pub(crate) fn reference(&self, package: &str) -> String {
        format!("127.0.0.1:{}/e2e/{package}:v0.1.0", self.port)
    }
}

/// Builds the static binary; takes minutes the first time.
pub(crate) async fn build_binary(root: &Path, logs: &Path) -> Result<PathBuf, String> {
    let target = target().await?;
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(root)
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "function-infisical",
            "--bin",
            BINARY,
            "--target",
            &target,
        ])
        .env(variable, "-Ctarget-feature=+crt-static");
    process::run("build-function", &mut cargo, logs).await?;
    let binary = root.join("target").join(&target).join("release").join(BINARY);
    must_be_static(&binary).await?;
    Ok(binary)
}

/// musl where it is installed, else glibc linked statically.
async fn target() -> Result<String, String> {
    let output = |arguments: &'static [&'static str]| async move {
        let output = Command::new("rustc").args(arguments).output().await;
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .map_err(|error| format!("rustc: {error}"))
    };
    let version = output(&["-vV"]).await?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let musl = host.replace("-gnu", "-musl");
    let sysroot = output(&["--print", "sysroot"]).await?;
    let has_musl = Path::new(sysroot.trim()).join("lib/rustlib").join(&musl).join("lib").is_dir();
    Ok(if has_musl { musl } else { host.to_owned() })
}

async fn must_be_static(binary: &Path) -> Result<(), String> {
    let output = Command::new("ldd").arg(binary).output().await.map_err(|error| format!("ldd: {error}"))?;
    let says = [output.stdout, output.stderr].concat();
    let says = String::from_utf8_lossy(&says);
    if says.contains("statically linked") || says.contains("not a dynamic") {
        return Ok(());
    }
    Err(format!("{} is not static:\n{says}", binary.display()))
}

/// Writes an image in the format of `docker save`: one layer with the binary
/// and the public authorities.
pub(crate) fn write_image(binary: &Path, tarball: &Path) {
    let layer = layer(binary);
    let digest = hex(&layer);
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Entrypoint": [format!("/{BINARY}")],
            "User": "65532:65532",
            "ExposedPorts": { "9443/tcp": {}, "8080/tcp": {} },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    })
    .to_string();
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let layer_name = format!("{digest}.tar");
    let manifest =
        json!([{ "Config": config_name, "RepoTags": [format!("{BINARY}:e2e")], "Layers": [layer_name] }]);

    let mut image = tar::Builder::new(File::create(tarball).expect("cannot write the image"));
    append(&mut image, &layer_name, &layer, 0o644);
    append(&mut image, &config_name, config.as_bytes(), 0o644);
    append(&mut image, "manifest.json", manifest.to_string().as_bytes(), 0o644);
    image.finish().expect("cannot write the image");
}

fn layer(binary: &Path) -> Vec<u8> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, BINARY, &fs::read(binary).expect("the binary was built"), 0o755);
    let roots = fs::read(Path::new("/").join(CA_ROOTS)).unwrap_or_default();
    append(&mut layer, CA_ROOTS, &roots, 0o644);
    layer.into_inner().expect("a layer in memory")
}

/// The same content gives the same bytes: no time, no owner.
fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, name: &str, content: &[u8], mode: u32) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    archive.append_data(&mut header, name, content).expect("cannot write an archive");
}

/// The SHA-256 of something, in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Builds an xpkg and pushes it. Without an image it is metadata only, for a
/// function that the harness runs by itself.
pub(crate) async fn publish(
    tools: &Tools,
    folders: &Folders,
    registry: &Registry,
    package: (&str, &Path),
    image: Option<&Path>,
) -> Result<PathBuf, String> {
    let (name, root) = package;
    let xpkg = folders.run.join(format!("{name}.xpkg"));
    let mut build = Command::new(tools.path("crank"));
    build.args(["xpkg", "build", "--examples-root"]).arg(folders.run.join("no-examples"));
    build.arg("--package-root").arg(root).arg("--package-file").arg(&xpkg);
    if let Some(image) = image {
        build.arg("--embed-runtime-image-tarball").arg(image);
    }
    process::run("xpkg-build", &mut build, &folders.logs).await?;
    let mut push = Command::new(tools.path("crank"));
    push.args(["xpkg", "push", "--package-files"]).arg(&xpkg).arg(registry.reference(name));
    process::run("xpkg-push", &mut push, &folders.logs).await?;
    Ok(xpkg)
}

/// Writes the metadata of a package that has nothing else.
pub(crate) fn write_metadata(folders: &Folders, name: &str) -> PathBuf {
    let root = folders.run.join(format!("{name}-package"));
    fs::create_dir_all(&root).expect("cannot make a folder");
    let metadata = json!({ "apiVersion": "meta.pkg.crossplane.io/v1", "kind": "Function", "metadata": { "name": name } });
    fs::write(root.join("crossplane.yaml"), metadata.to_string()).expect("cannot write a package");
    root
}

/// Takes the binary out of a package.
pub(crate) fn extract_binary(xpkg: &Path, to: &Path) -> Result<(), String> {
    let manifest = entry(xpkg, "manifest.json").ok_or("the package has no manifest")?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
    let layers = manifest[0]["Layers"].as_array().ok_or("the package has no layers")?;
    for layer in layers.iter().filter_map(Value::as_str) {
        let Some(layer) = entry(xpkg, layer) else { continue };
        if let Some(binary) = find(tar::Archive::new(plain(&layer).as_slice()), BINARY) {
            let mut file = File::create(to).map_err(|error| error.to_string())?;
            file.write_all(&binary).map_err(|error| error.to_string())?;
            return file
                .set_permissions(fs::Permissions::from_mode(0o755))
                .map_err(|error| error.to_string());
        }
    }
    Err("no layer of the package has the binary".to_owned())
}

fn entry(archive: &Path, name: &str) -> Option<Vec<u8>> {
    find(tar::Archive::new(File::open(archive).ok()?), name)
}

fn find<R: std::io::Read>(mut archive: tar::Archive<R>, name: &str) -> Option<Vec<u8>> {
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.path().is_ok_and(|path| path == Path::new(name)) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).ok()?;
            return Some(content);
        }
    }
    None
}

fn plain(layer: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match GzDecoder::new(layer).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => layer.to_vec(),
    }
}
