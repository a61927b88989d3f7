//! How large the image is that `cargo xtask image` builds.

use xtask::{arch::Arch, archive::Archive, binary, program::Program, root, rootfs};

use crate::Failure;

/// What the layer's content comes to.
pub(crate) struct Image {
    pub(crate) bytes: u64,
    /// As a registry has it.
    pub(crate) compressed_bytes: u64,
}

pub(crate) fn measure() -> Result<Image, Failure> {
    let (root, program, arch) = (root(), Program::Function, Arch::host());
    let files = rootfs::files(&root, program, arch, &binary::build(&root, program, arch)?)?;
    let bytes = files.iter().map(|file| file.content.len()).sum::<usize>();
    let compressed = Archive::new(program, arch, &files, None)?.pulled_bytes();
    Ok(Image { bytes: u64::try_from(bytes)?, compressed_bytes: u64::try_from(compressed)? })
}
