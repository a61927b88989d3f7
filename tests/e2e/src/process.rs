//! Processes that end with the harness, however it ends.
//!
//! Each leads a process group of its own, writes into a log of its own, and is
//! killed when its [`Process`] is dropped: on success, on a panic and on Ctrl-C.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A running process.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Option<Pid>,
    log: PathBuf,
}

impl Process {
    /// Starts a command whose output goes to `{logs}/{name}.log`, after what an
    /// earlier process of that name wrote.
    pub(crate) fn start(name: &str, command: &mut Command, logs: &Path) -> Self {
        fs::create_dir_all(logs).expect("cannot make the folder of logs");
        let log = logs.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("cannot open a log");
        let both = file.try_clone().expect("cannot write a log twice");
        command.stdin(Stdio::null()).stdout(file).stderr(both).process_group(0).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self { name: name.to_owned(), child, group, log }
    }

    /// How the process has ended by itself, with the end of its log.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("{} has ended ({status}):\n{}", self.name, tail(&self.log)))
    }

    /// SIGKILL, and the end of it.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        drop(self.child.wait().await);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may be gone.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs a command to its end; its output goes to a log.
pub(crate) async fn run(name: &str, command: &mut Command, logs: &Path) -> Result<(), String> {
    let mut process = Process::start(name, command, logs);
    let status = process.child.wait().await.map_err(|error| format!("{name}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{name} failed ({status}):\n{}", tail(&process.log)))
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// A port on loopback that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("no port is free");
    listener.local_addr().expect("a listener has an address").port()
}
