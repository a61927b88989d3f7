//! Whether a built binary runs: it starts, is healthy, and ends when it is asked
//! to. One for another machine runs in an emulator.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Failure, NAME, VERSION, arch::Arch, binary};

/// How often something is looked at, and how many times: 30 s.
const PAUSE: Duration = Duration::from_millis(50);
const LOOKS: u32 = 600;

/// What this machine has not that running a binary needs, and how to get it.
#[must_use]
pub fn missing(arch: Arch) -> Option<String> {
    let emulator = arch.emulator();
    let is_there = arch == Arch::host() || binary::on_path(emulator);
    (!is_there).then(|| format!("{emulator} is missing: apt-get install qemu-user-static"))
}

/// Runs it.
///
/// # Errors
///
/// Where it does not what it should.
pub fn run(binary: &Path, arch: Arch) -> Result<(), Failure> {
    let version = command(binary, arch).arg("--version").output()?;
    if String::from_utf8_lossy(&version.stdout).trim() != format!("{NAME} {VERSION}") {
        return Err(format!("--version printed {version:?}").into());
    }
    let [calls, metrics] = [free_address()?, free_address()?];
    let mut serve = command(binary, arch);
    serve.arg("--insecure").arg(format!("--address={calls}")).arg(format!("--metrics-address={metrics}"));
    let mut function =
        Running(serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    until("it is healthy", || is_healthy(metrics))?;
    TcpStream::connect(calls).map_err(|error| format!("it takes no calls: {error}"))?;

    let pid = i32::try_from(function.0.id()).ok().and_then(Pid::from_raw).ok_or("it has no process")?;
    kill_process(pid, Signal::TERM)?;
    let mut status = None;
    until("it has ended", || {
        status = function.0.try_wait().ok().flatten();
        status.is_some()
    })?;
    if !status.is_some_and(|status| status.success()) {
        return Err(format!("it ended with {status:?}").into());
    }
    Ok(())
}

/// With nothing of this environment, as in a container.
fn command(binary: &Path, arch: Arch) -> Command {
    let mut command = if arch == Arch::host() {
        Command::new(binary)
    } else {
        let mut emulated = Command::new(arch.emulator());
        emulated.arg(binary);
        emulated
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).current_dir("/");
    command
}

fn is_healthy(metrics: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(metrics)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), Failure> {
    for _ in 0..LOOKS {
        if is_so() {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    Err(format!("waited for nothing: {what}").into())
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Ends with this, however this ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
