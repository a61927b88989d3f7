//! How a server ends.

use std::{sync::atomic::Ordering, time::Duration};

use function_infisical::{
    contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as ClientV1,
    server::{Ending, Security},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use super::support::{Running, WAIT, mk_config, mk_request, soon, until};

/// A server with one call under way.
async fn busy(grace: Option<Duration>) -> (Running, JoinSet<bool>) {
    let mut config = mk_config(Security::Insecure);
    config.shutdown_grace = grace.unwrap_or(config.shutdown_grace);
    let server = Running::start(config).await;
    let mut client = ClientV1::new(server.channel().await);
    let mut call = JoinSet::new();
    call.spawn(async move { client.run_function(mk_request(WAIT)).await.is_ok() });
    server.function.until_entered(1).await;
    (server, call)
}

#[tokio::test]
async fn a_drain_takes_no_new_connections_and_finishes_what_is_under_way() {
    let (server, mut call) = busy(None).await;
    server.stop().await;
    until("the port is closed", async || TcpStream::connect(server.addr).await.is_err()).await;
    assert!(!server.function.drained.load(Ordering::SeqCst), "calls come before detached work");

    let function = server.function.clone();
    function.gate.add_permits(1);
    assert!(soon(call.join_next()).await.unwrap().unwrap(), "the call got its answer");
    assert_eq!(server.ending().await, Ending::Drained);
    assert!(function.drained.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_drain_ends_with_its_grace_period() {
    let (server, _call) = busy(Some(Duration::from_millis(1))).await;
    server.stop().await;
    assert_eq!(server.ending().await, Ending::GraceExpired);
}

#[tokio::test]
async fn a_second_reason_to_stop_ends_it_at_once() {
    let (server, _call) = busy(None).await;
    server.stop().await;
    server.stop().await;
    assert_eq!(server.ending().await, Ending::StoppedTwice);
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_hold_a_drain_up() {
    let server = Running::insecure().await;
    let mut silent = Vec::new();
    for said in [&b""[..], b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(said).await.unwrap();
        silent.push(stream);
    }
    // Connections are accepted in order, so those above are the server's by now.
    soon(ClientV1::new(server.channel().await).run_function(mk_request(""))).await.ok().unwrap();
    server.stop().await;
    assert_eq!(server.ending().await, Ending::Drained);
}
