//! Whether a built binary runs: it starts, is healthy, and ends when it is asked
//! to. One for another machine runs in an emulator.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{Failure, VERSION, about, arch::Arch, binary, program::Program};

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
pub fn run(program: Program, binary: &Path, arch: Arch) -> Result<(), Failure> {
    let version = command(binary, arch).arg("--version").output()?;
    if String::from_utf8_lossy(&version.stdout).trim() != format!("{} {VERSION}", program.name()) {
        return Err(format!("--version printed {version:?}").into());
    }
    let mut serve = command(binary, arch);
    let metrics = free_address()?;
    serve.arg(format!("--metrics-address={metrics}"));
    match program {
        Program::Function => run_function(serve, metrics),
        Program::Provider => run_provider(serve, metrics),
    }
}

fn run_function(mut serve: Command, metrics: SocketAddr) -> Result<(), Failure> {
    let calls = free_address()?;
    serve.arg("--insecure").arg(format!("--address={calls}"));
    let function = Running::start(&mut serve)?;
    until("it is healthy", || is_fine(metrics, "/healthz"))?;
    TcpStream::connect(calls).map_err(|error| format!("it takes no calls: {error}"))?;
    function.end()
}

/// It is ready once the API server has answered.
fn run_provider(mut serve: Command, metrics: SocketAddr) -> Result<(), Failure> {
    let server = TcpListener::bind(("127.0.0.1", 0))?;
    let kubeconfig = Kubeconfig::write(server.local_addr()?)?;
    serve.env("KUBECONFIG", &kubeconfig.0);
    // It goes on as long as this program.
    thread::spawn(move || server.incoming().flatten().for_each(|stream| drop(say_version(stream))));
    let provider = Running::start(&mut serve)?;
    until("it is healthy", || is_fine(metrics, "/healthz"))?;
    until("it is ready", || is_fine(metrics, "/readyz"))?;
    provider.end()
}

/// All of an API server that is needed here. Everything else it refuses.
fn say_version(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 8192];
    let length = stream.read(&mut request)?;
    let is_version = request.get(..length).is_some_and(|request| request.starts_with(b"GET /version "));
    let body = json!({
        "major": "1", "minor": "35", "gitVersion": "v1.35.0", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "", "goVersion": "", "compiler": "gc", "platform": "linux/amd64",
    });
    let body = if is_version { body.to_string() } else { String::new() };
    let status = if is_version { "200 OK" } else { "503 Service Unavailable" };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
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

fn is_fine(metrics: SocketAddr, path: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(metrics)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
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

/// The way to an API server, in a file that goes with this.
struct Kubeconfig(PathBuf);

impl Kubeconfig {
    fn write(server: SocketAddr) -> Result<Self, Failure> {
        let file = std::env::temp_dir().join(format!("xtask-smoke-{}.kubeconfig", std::process::id()));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "smoke",
            "clusters": [{ "name": "smoke", "cluster": { "server": format!("http://{server}") } }],
            "users": [{ "name": "smoke", "user": {} }],
            "contexts": [{ "name": "smoke", "context": { "cluster": "smoke", "user": "smoke" } }],
        });
        fs::write(&file, config.to_string()).map_err(about(&file))?;
        Ok(Self(file))
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        // One that stays holds nothing but a port.
        let _ = fs::remove_file(&self.0);
    }
}

/// Ends with this, however this ends.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(quiet.spawn()?))
    }

    /// Asks it to end, and waits until it has done so well.
    fn end(mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).ok_or("it has no process")?;
        kill_process(pid, Signal::TERM)?;
        let mut status = None;
        until("it has ended", || {
            status = self.0.try_wait().ok().flatten();
            status.is_some()
        })?;
        if !status.is_some_and(|status| status.success()) {
            return Err(format!("it ended with {status:?}").into());
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
