//! The DNS of a cluster, as far as a headless Service needs one: every name has the
//! addresses of all Pods. From there on Crossplane's own client spreads the calls.

use std::net::Ipv4Addr;

use tokio::{net::UdpSocket, task::JoinSet};

/// Of the header: its length, and its flags for an answer without an error.
const HEADER: usize = 12;
const ANSWERED: [u8; 2] = [0x84, 0x00];

/// The type of a question for addresses of version 4.
const A: [u8; 2] = [0, 1];

/// A server. It ends when this is dropped.
pub(crate) struct Dns {
    pub(crate) port: u16,
    _serving: JoinSet<()>,
}

impl Dns {
    pub(crate) async fn serve(pods: Vec<Ipv4Addr>) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = socket.local_addr().expect("a socket has an address").port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                if let Some(answer) = answer(&query[..length], &pods) {
                    drop(socket.send_to(&answer, from).await);
                }
            }
        });
        Self { port, _serving: serving }
    }
}

/// An answer to one question. What is not asked for addresses has none.
fn answer(query: &[u8], pods: &[Ipv4Addr]) -> Option<Vec<u8>> {
    let mut end = HEADER;
    while *query.get(end)? != 0 {
        end += 1 + usize::from(query[end]);
    }
    // The type and the class come after the name.
    let question = query.get(HEADER..end + 5)?;
    let found = if query[end + 1..end + 3] == A { pods } else { &[] };
    let mut answer = query[..2].to_vec();
    answer.extend(ANSWERED);
    answer.extend([0, 1, 0, u8::try_from(found.len()).ok()?, 0, 0, 0, 0]);
    answer.extend(question);
    for pod in found {
        // The name of the question, an address of the internet, for a second.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(pod.octets());
    }
    Some(answer)
}
