//! Addresses to listen on, and the sockets behind them.
//!
//! The spelling is Go's, because every other function has it: `:9443` is every
//! interface, IPv6 and IPv4 through one socket where the machine has IPv6. What
//! is done with an accepted connection lives elsewhere.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Connections that the kernel holds while the process is busy: what Go asks
/// for on Linux before it reads the system's own limit.
const BACKLOG: i32 = 1024;

/// How long to wait before accepting again when the process is out of file
/// descriptors: long enough not to spin, short enough not to be noticed.
const PAUSE: Duration = Duration::from_millis(100);

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` is every interface.
    host: Option<IpAddr>,
    port: u16,
}

/// Why an address is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no colon to cut at.
    #[error("it has no port: write \":9443\" or \"127.0.0.1:9443\"")]
    NoPort,
    /// What follows the last colon is no port.
    #[error("what follows the last colon is not a port between 0 and 65535")]
    BadPort,
    /// What precedes it is no address.
    #[error(
        "what precedes the port is not an IP address (one of IPv6 in brackets), \"localhost\" or nothing"
    )]
    BadHost,
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        let port = port.parse().map_err(|_| AddressError::BadPort)?;
        let host = match host {
            "" => None,
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            bracketed if bracketed.starts_with('[') => {
                let inner = bracketed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let parsed = inner.and_then(|inner| inner.parse::<Ipv6Addr>().ok());
                Some(IpAddr::V6(parsed.ok_or(AddressError::BadHost)?))
            }
            plain => Some(IpAddr::V4(plain.parse().map_err(|_| AddressError::BadHost)?)),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            None => write!(f, ":{}", self.port),
            Some(host) => SocketAddr::new(host, self.port).fmt(f),
        }
    }
}

impl ListenAddress {
    /// Listens on the address.
    ///
    /// # Errors
    /// What the system says: the address is in use, or not this machine's.
    pub fn bind(self) -> io::Result<TcpListener> {
        match self.host {
            Some(host) => listen(SocketAddr::new(host, self.port)),
            None => match listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.port)) {
                // A node without IPv6 refuses the family or the address.
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.port))
                }
                bound => bound,
            },
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 as well, whatever net.ipv6.bindv6only says.
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the connections of its predecessor.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next connection, however often accepting fails in between.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                // Requests and responses are small; nothing gains from waiting.
                // A failure only costs that gain.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // The peer was gone before it was accepted.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_printed_as_go_writes_it() {
        use AddressError::{BadHost, BadPort, NoPort};
        let table = [
            (":9443", Ok(":9443")),
            ("0.0.0.0:9443", Ok("0.0.0.0:9443")),
            ("[::]:9443", Ok("[::]:9443")),
            ("127.0.0.1:0", Ok("127.0.0.1:0")),
            ("localhost:80", Ok("127.0.0.1:80")),
            ("9443", Err(NoPort)),
            ("", Err(NoPort)),
            (":", Err(BadPort)),
            (":65536", Err(BadPort)),
            ("::1:80", Err(BadHost)),
            ("[::1:80", Err(BadHost)),
            ("[127.0.0.1]:80", Err(BadHost)),
            ("example.org:80", Err(BadHost)),
        ];
        for (text, expected) in table {
            let parsed = text.parse::<ListenAddress>().map(|address| address.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{text:?}");
        }
    }
}
