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
    Failure,
    arch::Arch,
    archive::{Archive, package_yaml},
    binary, licenses,
    program::Program,
    root, rootfs, smoke,
};

/// Tells `.ci/run` that the machine has not what is needed.
const EXIT_MISSING: u8 = 69;

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
        #[command(flatten)]
        of: Of,
        /// The machine that it is for.
        #[arg(long, value_enum, default_value_t = Arch::host())]
        arch: Arch,
        /// The folder.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Prints the licenses of what is linked into the binary.
    Licenses {
        #[command(flatten)]
        of: Of,
    },
    /// Builds the binary, starts it, asks whether it is healthy, and ends it.
    Smoke {
        #[command(flatten)]
        of: Of,
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
struct Of {
    /// Which program. Default: the function.
    #[arg(value_enum, default_value_t, hide_default_value = true)]
    program: Program,
}

#[derive(clap::Args)]
struct Output {
    #[command(flatten)]
    of: Of,
    /// The machines that it is for. Default: this one.
    #[arg(long, value_enum)]
    arch: Vec<Arch>,
    /// The file. With several machines their names are put before its extension.
    #[arg(short = 'o', long = "output")]
    file: Option<PathBuf>,
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
            let metadata = output.of.program.metadata(&root);
            write(&root, &output, "xpkg", Some(&package_yaml(&metadata)?))
        }
        Task::Rootfs { of: Of { program }, arch, output } => {
            let binary = binary::build(&root, program, arch)?;
            rootfs::write(&rootfs::files(&root, program, arch, &binary)?, &output)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Licenses { of } => {
            print!("{}", licenses::third_party(&root, of.program, Arch::host())?);
            Ok(ExitCode::SUCCESS)
        }
        Task::Smoke { of, arch } => smoke(&root, of.program, &or_host(&arch)),
        Task::E2e { arguments } => Err(harness(&root, "e2e", &arguments)),
        Task::Render => Err(harness(&root, "render", &[])),
    }
}

fn or_host(arches: &[Arch]) -> Vec<Arch> {
    if arches.is_empty() { vec![Arch::host()] } else { arches.to_vec() }
}

/// Writes an archive for each machine.
fn write(root: &Path, output: &Output, extension: &str, package: Option<&[u8]>) -> Result<ExitCode, Failure> {
    let (program, arches) = (output.of.program, or_host(&output.arch));
    let named = || PathBuf::from(format!("{}.{extension}", program.name()));
    let base = output.file.clone().unwrap_or_else(named);
    for arch in &arches {
        let files = rootfs::files(root, program, *arch, &binary::build(root, program, *arch)?)?;
        let to = if arches.len() > 1 { with_arch(&base, *arch) } else { base.clone() };
        let archive = Archive::new(program, *arch, &files, package)?;
        archive.write(&to)?;
        let sizes = fits(program, &files, &archive)?;
        println!("{}: linux/{}, {sizes}", to.display(), arch.name());
    }
    Ok(ExitCode::SUCCESS)
}

/// How large an image is.
///
/// # Errors
///
/// Where that is too large.
fn fits(program: Program, files: &[rootfs::File], archive: &Archive) -> Result<String, Failure> {
    let limits = program.limits();
    let (bytes, pulled) = (files.iter().map(|file| file.content.len()).sum(), archive.pulled_bytes());
    let sizes = format!("{} of files, {} as it is pulled", megabytes(bytes), megabytes(pulled));
    if bytes > limits.files || pulled > limits.pulled {
        let (most_bytes, most_pulled) = (megabytes(limits.files), megabytes(limits.pulled));
        return Err(format!(
            "the image of {} has {sizes}, of which {most_bytes} and {most_pulled} are allowed",
            program.name()
        )
        .into());
    }
    Ok(sizes)
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

fn smoke(root: &Path, program: Program, arches: &[Arch]) -> Result<ExitCode, Failure> {
    for arch in arches {
        let mut missing = binary::missing(*arch)?;
        missing.extend(smoke::missing(*arch));
        if !missing.is_empty() {
            println!("{}", missing.join("; "));
            return Ok(ExitCode::from(EXIT_MISSING));
        }
        let name = program.name();
        let binary = binary::build(root, program, *arch)?;
        let files = rootfs::files(root, program, *arch, &binary)?;
        let sizes = fits(program, &files, &Archive::new(program, *arch, &files, None)?)?;
        smoke::run(program, &binary, *arch).map_err(|why| format!("{name} for {}: {why}", arch.name()))?;
        let bytes = usize::try_from(fs::metadata(&binary)?.len())?;
        println!("{name} for {} runs; the binary has {}, the image {sizes}", arch.name(), megabytes(bytes));
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
    fn an_image_that_is_too_large_is_refused() {
        let sizes = |bytes| {
            let file = rootfs::File { path: "provider-infisical", content: vec![0; bytes], mode: 0o755 };
            let archive = Archive::new(Program::Provider, Arch::Amd64, std::slice::from_ref(&file), None);
            fits(Program::Provider, &[file], &archive.unwrap()).map_err(|error| error.to_string())
        };
        assert!(sizes(1_000_000).unwrap().starts_with("1.0 MB of files"));
        let refused = sizes(16_000_001).unwrap_err();
        assert!(refused.ends_with("of which 16.0 MB and 6.0 MB are allowed"), "{refused}");
    }

    #[test]
    fn without_a_name_it_is_the_function() {
        let program = |arguments: &[&str]| match Args::try_parse_from(arguments).unwrap().task {
            Task::Package { output } => output.of.program,
            _ => panic!("{arguments:?}"),
        };
        assert_eq!(program(&["xtask", "package"]), Program::Function);
        assert_eq!(program(&["xtask", "package", "--arch", "arm64"]), Program::Function);
        assert_eq!(program(&["xtask", "package", "provider", "--arch", "arm64"]), Program::Provider);
    }

    #[test]
    fn files_of_several_machines_have_several_names() {
        let name = |file: &str| with_arch(Path::new(file), Arch::Arm64).display().to_string();
        assert_eq!(name("out/function-infisical.xpkg"), "out/function-infisical-arm64.xpkg");
        assert_eq!(name("image"), "image-arm64");
    }
}
