//! What is in the image: the binary, the public authorities, and the licenses.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::{Failure, about, arch::Arch, licenses, program::Program};

/// Where OpenSSL's default is on Debian, and where both programs look first.
pub const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// A file of the image.
pub struct File {
    /// From the root on, without a slash before it.
    pub path: &'static str,
    /// What it holds.
    pub content: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
}

/// All files of the image.
///
/// # Errors
///
/// Where the binary or a license cannot be read.
pub fn files(root: &Path, program: Program, arch: Arch, binary: &Path) -> Result<Vec<File>, Failure> {
    let file = |path, content| File { path, content, mode: 0o644 };
    let license = root.join("LICENSE");
    Ok(vec![
        File { path: program.name(), content: fs::read(binary).map_err(about(binary))?, mode: 0o755 },
        file(AUTHORITIES, authorities().into_bytes()),
        file("licenses/LICENSE", fs::read(&license).map_err(about(&license))?),
        file("licenses/third-party.txt", licenses::third_party(root, program, arch)?.into_bytes()),
        file("licenses/rust-standard-library.html", licenses::standard_library()?),
    ])
}

/// The public authorities, as PEM: Mozilla's list in the version that
/// `Cargo.lock` pins, whatever the machine trusts that builds the image.
#[must_use]
pub fn authorities() -> String {
    let certificates = TLS_SERVER_ROOT_CERTS.iter().map(|certificate| {
        let text = STANDARD.encode(certificate);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    });
    certificates.collect()
}

/// Writes the files into a folder, which a `Dockerfile` can copy.
///
/// # Errors
///
/// Where that cannot be written.
pub fn write(files: &[File], folder: &Path) -> Result<(), Failure> {
    for file in files {
        let path = folder.join(file.path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(about(parent))?;
        fs::write(&path, &file.content).map_err(about(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).map_err(about(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_are_those_that_the_function_reads() {
        let pem = authorities();
        assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), TLS_SERVER_ROOT_CERTS.len());
        assert!(TLS_SERVER_ROOT_CERTS.len() > 100, "{}", TLS_SERVER_ROOT_CERTS.len());
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
