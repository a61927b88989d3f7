//! One connection to a server, and calls over it that cost the driver little:
//! requests are encoded beforehand, responses are kept as they come.

use std::{net::SocketAddr, sync::Arc};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Request, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::Failure;

/// One byte that says "not compressed", and the length in four.
const PREFIX: usize = 5;

/// How to connect: in the clear without a configuration.
pub(crate) type Tls = Option<Arc<ClientConfig>>;

/// A connection.
#[derive(Clone)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    path: String,
}

/// A message with its prefix.
pub(crate) fn frame(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.encoded_len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr, tls: &Tls) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        match tls {
            None => Self::over(stream, "http").await,
            Some(config) => {
                let name = ServerName::try_from("localhost")?;
                Self::over(TlsConnector::from(config.clone()).connect(name, stream).await?, "https").await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        scheme: &str,
    ) -> Result<Self, Failure> {
        let (sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(async move {
            // It ends with the server; the calls on it say so.
            let _ended = connection.await;
        });
        let path =
            format!("{scheme}://localhost/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction");
        Ok(Self { sender, path })
    }

    /// Makes a call and returns the response's frame; of a long one, only how
    /// much came is looked at by most callers.
    pub(crate) async fn call(&self, frame: Bytes) -> Result<Bytes, Failure> {
        let mut whole = BytesMut::new();
        self.exchange(frame, |data| whole.extend_from_slice(data)).await?;
        Ok(whole.freeze())
    }

    /// Makes a call, decodes the response.
    pub(crate) async fn ask<M: Message + Default>(&self, request: &impl Message) -> Result<M, Failure> {
        let mut response = self.call(frame(request)).await?;
        Ok(M::decode(response.split_off(PREFIX.min(response.len())))?)
    }

    /// Makes a call and returns how many bytes came back.
    pub(crate) async fn measure(&self, frame: Bytes) -> Result<usize, Failure> {
        let mut received = 0;
        self.exchange(frame, |data| received += data.len()).await?;
        Ok(received)
    }

    async fn exchange(&self, frame: Bytes, mut take: impl FnMut(&Bytes)) -> Result<(), Failure> {
        let request = Request::post(&self.path)
            .header(CONTENT_TYPE, "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "grpc-go/1.78.0")
            .header("grpc-timeout", "119999m")
            .body(Full::new(frame))?;
        let mut sender = self.sender.clone();
        sender.ready().await?;
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        let mut status = head.headers.get("grpc-status").cloned();
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(data) = frame.data_ref() {
                take(data);
            } else if let Some(trailers) = frame.trailers_ref() {
                status = trailers.get("grpc-status").cloned();
            }
        }
        match status {
            Some(status) if status == "0" => Ok(()),
            status => Err(format!("a call was answered with status {status:?}").into()),
        }
    }
}
