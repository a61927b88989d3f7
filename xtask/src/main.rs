//! Tasks of this repository: `cargo xtask`.
#![expect(clippy::print_stdout, reason = "a program of the command line")]

use std::{
    ffi::OsString,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use xtask::{
    Failure, NAME,
    arch::Arch,
    archive::{Archive, package_yaml},
    binary, licenses, root, rootfs, smoke,
};

/// Tells `.ci/run` that the machine has not what is needed.
const EXIT_MISSING: u8 = 69;

/// What the image has at most: a node pulls it while an XR waits.
const MOST_BYTES: usize = 12_000_000;

/// Tasks of this repository.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the image, which `docker load` and `podman load` take.
    Image {
        #[command(flatten)]
        output: Output,
    },
    /// Builds the package, image included, for `crossplane xpkg push`.
    Package {
        #[command(flatten)]
        output: Output,
    },
    /// Writes what is in the image into a folder.
    Rootfs {
        /// The machine that it is for.
        #[arg(long, value_enum, default_value_t = Arch::host())]
        arch: Arch,
        /// The folder.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Prints the licenses of what is linked into the binary.
    Licenses,
    /// Builds the binary, starts it, asks whether it is healthy, and ends it.
    Smoke {
        /// The machines that it is for. Default: this one.
        #[arg(long, value_enum)]
        arch: Vec<Arch>,
    },
    /// Runs the function under a real Crossplane, then renders the examples.
    E2e {
        /// Parts of the names of the cases to run. Default: all of them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Renders the examples with `crossplane render` and compares them with
    /// their expected.yaml; with UPDATE=1 writes that.
    Render,
}

#[derive(clap::Args)]
struct Output {
    /// The machines that it is for. Default: this one.
    #[arg(long, value_enum)]
    arch: Vec<Arch>,
    /// The file. With several machines their names are put before its extension.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Args::parse().task) {
        Ok(code) => code,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Failure> {
    let root = root();
    match task {
        Task::Image { output } => write(&root, &output, "tar", None),
        Task::Package { output } => {
            write(&root, &output, "xpkg", Some(&package_yaml(&root.join("package"))?))
        }
        Task::Rootfs { arch, output } => {
            rootfs::write(&rootfs::files(&root, arch, &binary::build(&root, arch)?)?, &output)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Licenses => {
            print!("{}", licenses::third_party(&root, Arch::host())?);
            Ok(ExitCode::SUCCESS)
        }
        Task::Smoke { arch } => smoke(&root, &or_host(&arch)),
        Task::E2e { arguments } => Err(harness(&root, "e2e", &arguments)),
        Task::Render => Err(harness(&root, "render", &[])),
    }
}

fn or_host(arches: &[Arch]) -> Vec<Arch> {
    if arches.is_empty() { vec![Arch::host()] } else { arches.to_vec() }
}

/// Writes an archive for each machine.
fn write(root: &Path, output: &Output, extension: &str, package: Option<&[u8]>) -> Result<ExitCode, Failure> {
    let arches = or_host(&output.arch);
    let base = output.output.clone().unwrap_or_else(|| PathBuf::from(format!("{NAME}.{extension}")));
    for arch in &arches {
        let files = rootfs::files(root, *arch, &binary::build(root, *arch)?)?;
        let to = if arches.len() > 1 { with_arch(&base, *arch) } else { base.clone() };
        let archive = Archive::new(*arch, &files, package)?;
        archive.write(&to)?;
        let content: usize = files.iter().map(|file| file.content.len()).sum();
        println!(
            "{}: linux/{}, {} of files, {} as it is pulled",
            to.display(),
            arch.name(),
            megabytes(content),
            megabytes(archive.pulled_bytes())
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// `function-infisical.xpkg` becomes `function-infisical-arm64.xpkg`.
fn with_arch(file: &Path, arch: Arch) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", arch.name()));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

fn megabytes(bytes: usize) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

fn smoke(root: &Path, arches: &[Arch]) -> Result<ExitCode, Failure> {
    for arch in arches {
        let mut missing = binary::missing(*arch)?;
        missing.extend(smoke::missing(*arch));
        if !missing.is_empty() {
            println!("{}", missing.join("; "));
            return Ok(ExitCode::from(EXIT_MISSING));
        }
        let binary = binary::build(root, *arch)?;
        let bytes = rootfs::files(root, *arch, &binary)?.iter().map(|file| file.content.len()).sum();
        if bytes > MOST_BYTES {
            return Err(format!("the image for {} has {}", arch.name(), megabytes(bytes)).into());
        }
        smoke::run(&binary, *arch).map_err(|why| format!("the binary for {}: {why}", arch.name()))?;
        let binary_bytes = usize::try_from(fs::metadata(&binary)?.len())?;
        println!(
            "the binary for {} runs; it has {}, the image {}",
            arch.name(),
            megabytes(binary_bytes),
            megabytes(bytes)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes the harness, which takes longer to build than what is above, and is
/// built only for this. It comes back only where that fails.
fn harness(root: &Path, task: &str, arguments: &[OsString]) -> Failure {
    let error =
        binary::cargo(root).args(["run", "--quiet", "--package", "e2e", "--", task]).args(arguments).exec();
    format!("cargo: {error}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_several_machines_have_several_names() {
        let name = |file: &str| with_arch(Path::new(file), Arch::Arm64).display().to_string();
        assert_eq!(name("out/function-infisical.xpkg"), "out/function-infisical-arm64.xpkg");
        assert_eq!(name("image"), "image-arm64");
    }
}
