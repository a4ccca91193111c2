//! Sockets with the options that both directions need.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// FreeSWITCH sets no keepalive on the event socket: a peer that vanished without a packet is
/// only found by ours (esl spec 3.2).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How long written bytes may stay unacknowledged.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls that the kernel holds for us while the accept loop is busy.
const BACKLOG: u32 = 128;

/// Sets no-delay, keepalive and user timeout. A system that refuses one of them still works.
pub(crate) fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    let set = [
        stream.set_nodelay(true),
        socket.set_tcp_keepalive(&keepalive),
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT)),
    ];
    for error in set.into_iter().filter_map(Result::err) {
        tracing::debug!(%error, "a socket option was refused");
    }
}

/// Connects to `host:port`, trying the addresses of a name in turn.
pub(crate) async fn connect(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_| {
            let text = format!("no connection within {} ms", limit.as_millis());
            io::Error::new(io::ErrorKind::TimedOut, text)
        })??;
    tune(&stream);
    Ok(stream)
}

/// Listens on an address that an earlier listener of ours may just have left.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
