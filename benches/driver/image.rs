//! How large the image is: the static binary, the public authorities and the
//! package's own files, as one layer.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::{Compression, write::GzEncoder};

use crate::Failure;

/// Where Debian keeps the public authorities, on this machine and in the image.
const CA_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the layer's content comes to.
pub(crate) struct Image {
    pub(crate) bytes: u64,
    /// As a registry has it.
    pub(crate) compressed_bytes: u64,
}

pub(crate) fn measure() -> Result<Image, Failure> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut files = vec![static_binary(root)?, PathBuf::from(CA_ROOTS)];
    for folder in [root.join("package"), root.join("package/input")] {
        let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        files.extend(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    let mut bytes = 0;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for file in files {
        bytes += std::io::copy(&mut fs::File::open(file)?, &mut packed)?;
    }
    Ok(Image { bytes, compressed_bytes: u64::try_from(packed.finish()?.len())? })
}

/// Builds the binary as it is put into an image: linked statically.
fn static_binary(root: &Path) -> Result<PathBuf, Failure> {
    let host = host()?;
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", host.to_uppercase().replace('-', "_"));
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "function-infisical", "--bin", "function-infisical"])
        .args(["--target", &host])
        .env(flags, "-Ctarget-feature=+crt-static")
        .current_dir(root)
        .stdin(Stdio::null())
        .status()?;
    if !built.success() {
        return Err("the static binary cannot be built".into());
    }
    Ok(root.join("target").join(host).join("release/function-infisical"))
}

fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(output.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    Ok(host.to_owned())
}
