//! How large the image is that `cargo xtask image` builds.

use xtask::{arch::Arch, archive::Archive, binary, root, rootfs};

use crate::Failure;

/// What the layer's content comes to.
pub(crate) struct Image {
    pub(crate) bytes: u64,
    /// As a registry has it.
    pub(crate) compressed_bytes: u64,
}

pub(crate) fn measure() -> Result<Image, Failure> {
    let (root, arch) = (root(), Arch::host());
    let files = rootfs::files(&root, arch, &binary::build(&root, arch)?)?;
    let bytes = files.iter().map(|file| file.content.len()).sum::<usize>();
    let compressed = Archive::new(arch, &files, None)?.pulled_bytes();
    Ok(Image { bytes: u64::try_from(bytes)?, compressed_bytes: u64::try_from(compressed)? })
}
