//! The programs of which there is an image and a package.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// One of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// The composition function.
    #[default]
    Function,
    /// The provider of managed resources.
    Provider,
}

/// What an image has at most, in bytes: a node pulls it while somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of its files.
    pub files: usize,
    /// As it is pulled, compressed.
    pub pulled: usize,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Function, Self::Provider];

    /// What the binary, the crate, the image and the package are called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function-infisical",
            Self::Provider => "provider-infisical",
        }
    }

    /// The folder with the metadata of its package.
    #[must_use]
    pub fn metadata(self, root: &Path) -> PathBuf {
        let package = root.join("package");
        match self {
            Self::Function => package,
            Self::Provider => package.join("provider"),
        }
    }

    /// How large its image may be.
    #[must_use]
    pub const fn limits(self) -> Limits {
        match self {
            Self::Function => Limits { files: 12_000_000, pulled: 6_000_000 },
            Self::Provider => Limits { files: 16_000_000, pulled: 6_000_000 },
        }
    }

    /// Where it listens if nobody says otherwise.
    pub(crate) const fn ports(self) -> &'static [&'static str] {
        match self {
            Self::Function => &["9443/tcp", "8080/tcp"],
            Self::Provider => &["8080/tcp"],
        }
    }
}
