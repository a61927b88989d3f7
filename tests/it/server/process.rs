//! The binary itself: exit codes, signals, and what it says.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener},
    process::{Child, ChildStderr, Command, Stdio},
};

use bytes::Bytes;
use daemon::{listen::ListenAddress, telemetry};
use function_infisical::contract::{
    desired::Desired,
    proto::v1::{RunFunctionRequest, RunFunctionResponse},
};
use http::uri::PathAndQuery;
use prost::Message as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, client::Grpc};

use super::support::{Authority, PANIC_TEXT, Raw, V1, channel, get, mk_request, soon, until};

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_function-infisical"));
    command.env_remove("TLS_SERVER_CERTS_DIR").env_remove("RUST_LOG").stderr(Stdio::piped());
    command
}

/// The binary, running; dropping it ends it.
pub(crate) struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
    pub(crate) addr: SocketAddr,
    metrics_addr: SocketAddr,
}

impl Process {
    pub(crate) fn start() -> Self {
        let mut child = binary()
            .args(["--insecure", "--address=127.0.0.1:0", "--metrics-address=127.0.0.1:0"])
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let first: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(first["version"], env!("CARGO_PKG_VERSION"), "{line}");
        assert_eq!(first["security"], "insecure", "{line}");
        let addr = |field: &str| first[field].as_str().unwrap().parse().unwrap();
        Self { addr: addr("address"), metrics_addr: addr("metrics_address"), child, log }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    async fn exit_code(&mut self) -> Option<i32> {
        let mut code = None;
        until("the process ended", async || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        })
        .await;
        code.unwrap().code()
    }

    /// What it said after its first line, once it has ended.
    fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call whose message has not come yet, and what sends it.
async fn call_under_way(process: &Process) -> (JoinSet<bool>, mpsc::Sender<Bytes>) {
    let mut client = Grpc::new(channel(process.addr).await);
    client.ready().await.unwrap();
    let (message, messages) = mpsc::channel(1);
    let mut call = JoinSet::new();
    call.spawn(async move {
        let request = Request::new(ReceiverStream::new(messages));
        client.client_streaming(request, PathAndQuery::from_static(V1), Raw).await.is_ok()
    });
    let started = "grpc_server_started_total{grpc_type=\"unary\",\
                   grpc_service=\"apiextensions.fn.proto.v1.FunctionRunnerService\",\
                   grpc_method=\"RunFunction\"} 1";
    until("the call has started", async || {
        get(process.metrics_addr, "/metrics").await.1.lines().any(|line| line == started)
    })
    .await;
    (call, message)
}

#[tokio::test]
async fn sigterm_lets_the_call_under_way_finish_and_exits_with_0() {
    let mut process = Process::start();
    let (mut call, message) = call_under_way(&process).await;
    process.signal(Signal::TERM);
    until("the port is closed", async || TcpStream::connect(process.addr).await.is_err()).await;

    message.send(Bytes::from(mk_request("late").encode_to_vec())).await.unwrap();
    drop(message);
    assert!(soon(call.join_next()).await.unwrap().unwrap(), "the call got its answer");
    assert_eq!(process.exit_code().await, Some(0));
    let log = process.rest_of_log();
    assert!(log.contains("SIGTERM") && log.contains("drained"), "{log}");
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let mut process = Process::start();
    let (_call, _message) = call_under_way(&process).await;
    process.signal(Signal::INT);
    until("the port is closed", async || TcpStream::connect(process.addr).await.is_err()).await;
    process.signal(Signal::TERM);
    assert_eq!(process.exit_code().await, Some(1));
    let log = process.rest_of_log();
    assert!(log.contains("SIGINT") && log.contains("a second time"), "{log}");
}

#[test]
fn a_server_that_cannot_start_says_why_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let authority = Authority::new("crossplane");
    let pair = authority.issue();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tls.crt"), &pair.certificate).unwrap();
    std::fs::write(dir.path().join("tls.key"), authority.issue().key).unwrap();
    let without_ca = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("tls.crt"), without_ca.path().join("tls.crt")).unwrap();
    std::fs::write(without_ca.path().join("tls.key"), &pair.key).unwrap();
    std::fs::write(dir.path().join("ca.crt"), authority.pem()).unwrap();
    let mismatched = dir.path().to_str().unwrap();
    let without_ca = without_ca.path().to_str().unwrap();

    let at_taken = format!("--address={taken}");
    let metrics_at_taken = format!("--metrics-address={taken}");
    let table: &[(&[&str], &str)] = &[
        (&[], "neither --tls-certs-dir (or TLS_SERVER_CERTS_DIR) nor --insecure is given"),
        (&["--tls-certs-dir=/nowhere"], "--tls-certs-dir /nowhere: there is no such directory"),
        (&["--tls-certs-dir", without_ca], "ca.crt is missing"),
        (&["--tls-certs-dir", mismatched], "tls.key does not belong to tls.crt"),
        (&["--insecure", &at_taken], "cannot listen: address in use"),
        (&["--insecure", "--address=127.0.0.1:0", &metrics_at_taken], "--metrics-address 127.0.0.1:"),
        (&["--insecure", "--address=9443"], "it has no port"),
        (&["--insecure", "--network=udp"], "invalid value 'udp' for '--network"),
        (&["--insecure", "--max-recv-message-size=0"], "0 is not in 1..=2047"),
        (&["--insecure", "--log-format=yaml"], "for '--log-format <FORMAT>' [possible values: text, json]"),
        (&["--insecure", "--made-up"], "unexpected argument '--made-up' found"),
    ];
    for (args, expected) in table {
        let output = binary().args(*args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(said.starts_with("function-infisical: "), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn the_version_and_the_help_are_no_failures() {
    for flag in ["--version", "--help"] {
        let output = binary().arg(flag).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("function-infisical"), "{flag}");
    }
}

#[tokio::test]
async fn every_interface_is_listened_on_by_default() {
    let listener = ":0".parse::<ListenAddress>().unwrap().bind().unwrap();
    let port = listener.local_addr().unwrap().port();
    soon(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    if TcpListener::bind("[::1]:0").is_ok() {
        soon(TcpStream::connect(("::1", port))).await.unwrap();
    }
}

#[test]
fn the_log_tells_where_a_panic_was_and_not_what_it_said() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::process::panics_with_logging", "--ignored", "--nocapture"])
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("a panic was stopped") && said.contains("process.rs:"), "{said}");
    assert!(!said.contains(PANIC_TEXT), "{said}");
}

#[test]
#[ignore = "changes the process that it runs in: the test above runs it alone"]
fn panics_with_logging() {
    telemetry::init(telemetry::LogFormat::Json, &[]);
    assert!(std::panic::catch_unwind(|| panic!("{PANIC_TEXT}")).is_err());
}

#[tokio::test]
async fn recorded_requests_are_answered_by_the_binary_with_all_of_their_desired_state() {
    let process = Process::start();
    let mut client = Grpc::new(channel(process.addr).await);
    for (name, recording) in crate::recordings::recordings() {
        let mut answers = Vec::new();
        for _ in 0..2 {
            client.ready().await.unwrap();
            let request = Request::new(Bytes::from(recording.clone()));
            let answer = client.unary(request, PathAndQuery::from_static(V1), Raw).await.unwrap();
            answers.push(answer.into_inner());
        }
        assert!(answers[0] == answers[1], "{name}: the same request twice gives the same bytes");
        let sent = RunFunctionRequest::decode(recording.as_slice()).unwrap();
        let got = RunFunctionResponse::decode(answers[0].clone()).unwrap();
        assert_eq!(got.meta.unwrap().tag, sent.meta.unwrap().tag, "{name}");
        let desired = |desired: Option<Desired>| desired.unwrap().encode_to_vec();
        assert!(desired(got.desired) == desired(sent.desired), "{name}");
        assert!(got.results[0].message.contains("input.instance"), "{}", got.results[0].message);
    }
}
