//! Builds the images and the packages of the function and of the provider, without a
//! container engine: an image is a tarball with layers, a configuration and a manifest.
//!
//! The `Dockerfile`, the harness of the real Crossplane, the benchmark and the
//! release all get what is in the image from here.
#![expect(clippy::indexing_slicing, reason = "of JSON, in which what is absent is null")]

pub mod arch;
pub mod archive;
pub mod binary;
pub mod licenses;
pub mod program;
pub mod rootfs;
pub mod smoke;

use std::path::{Path, PathBuf};

/// Why there is nothing, in one line.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The version of the workspace, which is that of the packages.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Of this repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Says which file it was about.
pub(crate) fn about(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |error| format!("{}: {error}", path.display()).into()
}
