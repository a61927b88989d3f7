//! The binary as it is in the image: one file that needs no other.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{Failure, about, arch::Arch, program::Program};

/// Cargo, in the environment in which a user starts it. `cargo run` adds to it
/// what it runs, and build scripts that look at that would run again each time.
#[must_use]
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    for (name, _) in env::vars_os() {
        let of_run = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| of_run.iter().any(|start| name.starts_with(start))) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The command that builds the binary; it takes minutes the first time.
#[must_use]
pub fn command(root: &Path, program: Program, arch: Arch) -> Command {
    let name = program.name();
    let target = arch.target();
    let variable = format!("CARGO_TARGET_{}", target.to_uppercase().replace('-', "_"));
    let mut cargo = cargo(root);
    cargo
        .args(["build", "--release", "--locked", "--package", name, "--bin", name, "--target", target])
        .env(format!("{variable}_RUSTFLAGS"), "-Ctarget-feature=+crt-static");
    if arch != Arch::host() {
        cargo.env(format!("{variable}_LINKER"), arch.cross_compiler());
    }
    cargo
}

/// What this machine lacks to build for `arch`, and how to get it.
///
/// # Errors
///
/// Where there is no rustc.
pub fn missing(arch: Arch) -> Result<Vec<String>, Failure> {
    let target = arch.target();
    let libraries = Path::new(&sysroot()?).join("lib/rustlib").join(target).join("lib");
    let mut missing = Vec::new();
    if !libraries.is_dir() {
        missing.push(format!("Rust for {target} is missing: rustup target add {target}"));
    }
    if arch != Arch::host() && !on_path(arch.cross_compiler()) {
        let (compiler, packages) = (arch.cross_compiler(), arch.cross_packages());
        missing.push(format!("{compiler} is missing: apt-get install {packages}"));
    }
    Ok(missing)
}

/// Builds the binary.
///
/// # Errors
///
/// Where it cannot be built, or is not what it should be.
pub fn build(root: &Path, program: Program, arch: Arch) -> Result<PathBuf, Failure> {
    let missing = missing(arch)?;
    if !missing.is_empty() {
        return Err(missing.join("; ").into());
    }
    let status = command(root, program, arch).status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{} cannot be built for {}", program.name(), arch.name()).into());
    }
    find(root, program, arch)
}

/// Where the binary is that was built.
///
/// # Errors
///
/// Where it is not there, or not static, or for another machine.
pub fn find(root: &Path, program: Program, arch: Arch) -> Result<PathBuf, Failure> {
    let metadata = metadata(root, &["--no-deps"])?;
    let folder = metadata["target_directory"].as_str().ok_or("cargo metadata names no target folder")?;
    let binary = Path::new(folder).join(arch.target()).join("release").join(program.name());
    let content = fs::read(&binary).map_err(about(&binary))?;
    check(&content, arch).map_err(|why| format!("{}: {why}", binary.display()))?;
    Ok(binary)
}

pub(crate) fn metadata(root: &Path, flags: &[&str]) -> Result<Value, Failure> {
    let mut cargo = cargo(root);
    let output = output(cargo.args(["metadata", "--format-version=1", "--locked"]).args(flags))?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(crate) fn sysroot() -> Result<String, Failure> {
    let output = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn output(command: &mut Command) -> Result<Output, Failure> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

pub(crate) fn on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// A program that names an interpreter needs the libraries that this one loads,
/// and there are none in the image.
fn check(binary: &[u8], arch: Arch) -> Result<(), String> {
    const INTERPRETER: u32 = 3;
    let header = Elf(binary);
    if !binary.starts_with(b"\x7fELF\x02\x01") {
        return Err("no little-endian ELF of 64 bits".to_owned());
    }
    let end = "its end is missing";
    let machine = header.number(0x12, 2).ok_or(end)?;
    if machine != u64::from(arch.machine()) {
        return Err(format!("for machine {machine}, not for {}", arch.name()));
    }
    let first = header.number(0x20, 8).ok_or(end)?;
    let size = header.number(0x36, 2).ok_or(end)?;
    for index in 0..header.number(0x38, 2).ok_or(end)? {
        if header.number(first + index * size, 4).ok_or(end)? == u64::from(INTERPRETER) {
            return Err("not static: it names an interpreter".to_owned());
        }
    }
    Ok(())
}

struct Elf<'a>(&'a [u8]);

impl Elf<'_> {
    /// The little-endian number at an offset.
    fn number(&self, offset: u64, size: usize) -> Option<u64> {
        let bytes = self.0.get(usize::try_from(offset).ok()?..)?.get(..size)?;
        Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_libraries_is_refused() {
        // Whatever runs the tests is linked dynamically.
        let this = fs::read(env::current_exe().unwrap()).unwrap();
        assert_eq!(check(&this, Arch::host()), Err("not static: it names an interpreter".to_owned()));
    }

    #[test]
    fn a_program_for_another_machine_is_refused() {
        let this = fs::read(env::current_exe().unwrap()).unwrap();
        let other = Arch::ALL.into_iter().find(|arch| *arch != Arch::host()).unwrap();
        assert!(check(&this, other).unwrap_err().contains("not for"));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert!(check(b"\x7fELF\x02\x01", Arch::host()).is_err());
        assert!(check(b"#!/bin/sh", Arch::host()).is_err());
    }
}
