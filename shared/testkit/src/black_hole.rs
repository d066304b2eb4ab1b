//! An address that does not answer an attempt to connect, as behind a firewall that drops packets.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::net::{TcpListener, TcpSocket};

/// How long an attempt to connect may take before it counts as not answered.
const TIMEOUT: Duration = Duration::from_millis(300);

/// A port of this machine whose queue of connections is full, until it is dropped.
pub struct BlackHole {
    /// The address.
    pub address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    /// Fills the queue of a listener that accepts no connection.
    ///
    /// # Errors
    /// There is no free port, or the system answers although the queue is full.
    pub async fn start() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(0)?;
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, TIMEOUT) {
            queued.push(stream);
            ensure!(queued.len() < 16, "the queue of {address} does not fill");
        }
        Ok(Self {
            address,
            _listener: listener,
            _queued: queued,
        })
    }
}
