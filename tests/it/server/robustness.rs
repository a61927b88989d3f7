//! Whatever arrives, the server goes on.

use bytes::Bytes;
use function_infisical::contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient as ClientV1;
use http::uri::PathAndQuery;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, client::Grpc};

use super::support::{
    Authority, Raw, Running, V1, V1BETA1, Volume, mk_config, mk_request, soon, tls_channel,
};

/// Sends bytes and waits until the server has closed the connection.
async fn send(server: &Running, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    // It may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = soon(stream.read_to_end(&mut Vec::new())).await;
}

fn garbage(rng: &mut StdRng, longest: usize) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..longest)];
    rng.fill(&mut bytes[..]);
    bytes
}

/// What no client of ours would send.
fn nonsense() -> Vec<Vec<u8>> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut sent: Vec<Vec<u8>> = (0..40).map(|_| garbage(&mut rng, 4096)).collect();
    sent.push(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n".to_vec());
    sent.push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec());
    sent.extend((0..40).map(|_| {
        let mut frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        frames.extend(garbage(&mut rng, 512));
        frames
    }));
    sent
}

#[tokio::test]
async fn bytes_that_are_no_grpc_do_not_stop_the_server() {
    let server = Running::insecure().await;
    let mut client = ClientV1::new(server.channel().await);
    for bytes in nonsense() {
        send(&server, &bytes).await;
    }
    soon(client.run_function(mk_request("on the old connection"))).await.ok().unwrap();
    let mut client = ClientV1::new(server.channel().await);
    soon(client.run_function(mk_request("on a new connection"))).await.ok().unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_tls_and_handshakes_that_stall_do_not_stop_the_server() {
    let authority = Authority::new("crossplane");
    let volume = Volume::new(&authority.issue(), &authority.pem());
    let server = Running::start(mk_config(volume.security())).await;
    for bytes in nonsense() {
        send(&server, &bytes).await;
    }
    let mut stalled = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        // The head of a record that never comes.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        stalled.push(stream);
    }
    let client = authority.client(Some(&authority.issue()));
    let (channel, _) = tls_channel(server.addr, client).await.unwrap();
    soon(ClientV1::new(channel).run_function(mk_request(""))).await.ok().unwrap();
}

#[tokio::test]
async fn a_message_of_any_bytes_gets_an_answer() {
    let server = Running::insecure().await;
    let mut client = Grpc::new(server.channel().await);
    let mut rng = StdRng::seed_from_u64(2);
    let recorded = include_bytes!("../../fixtures/requests/v2-namespaced-3-connected.binpb");
    let (mut answered, mut refused) = (0, 0);
    for round in 0..400 {
        let mut message = if round % 2 == 0 { garbage(&mut rng, 2048) } else { recorded.to_vec() };
        if round % 2 == 1 {
            for _ in 0..rng.random_range(1..20) {
                let at = rng.random_range(0..message.len());
                message[at] = rng.random();
            }
        }
        let path = PathAndQuery::from_static(if round % 3 == 0 { V1BETA1 } else { V1 });
        soon(client.ready()).await.unwrap();
        match soon(client.unary(Request::new(Bytes::from(message)), path, Raw)).await {
            Ok(_) => answered += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::Internal, "{status:?}");
                refused += 1;
            }
        }
    }
    assert!(answered > 0 && refused > 0, "{answered} answered, {refused} refused: one side is untested");
    let mut client = ClientV1::new(server.channel().await);
    soon(client.run_function(mk_request("after"))).await.ok().unwrap();
}
