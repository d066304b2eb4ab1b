//! Serves HTTP/1.1 on the connections of a listener.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::connections::{Connection, Connections};
use crate::listener::Listener;
use crate::stream::Stream;

/// How long requests may take to finish after the shutdown signal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The configuration of connections from clients that nothing restrains. `header_timeout`: how long the request line and the
/// header section may take to arrive; it also limits the idle time of a connection. `max_header_bytes`: the most bytes of both
/// together. A connection may use twice as much memory, where hyper's default is 400 KiB.
pub fn http1(header_timeout: Duration, max_header_bytes: usize) -> Builder {
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        // A client that has shut down its sending side still receives the response.
        .half_close(true)
        .max_header_size(max_header_bytes)
        .max_buf_size(2 * max_header_bytes);
    http
}

/// Answers every request with `handler` until `shutdown` completes, on at most `max_connections` connections at a time.
///
/// A connection beyond the maximum takes the place of the one that has been idle for longest, which is closed. If none
/// is idle, the new connection waits until a request ends.
///
/// Requests have the [`PeerAddress`](crate::stream::PeerAddress) in their extensions, and those of a client with a
/// certificate the [`PeerCertificate`](crate::tls::PeerCertificate).
///
/// After `shutdown` it accepts no more connections and returns when the requests in flight are answered, after 25
/// seconds at the latest.
pub async fn serve<L, H, F, R>(
    listener: L,
    http: Builder,
    max_connections: usize,
    handler: H,
    shutdown: impl Future<Output = ()>,
) where
    L: Listener,
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<R>> + Send + 'static,
    R: Into<Full<Bytes>> + 'static,
{
    let mut connections = Connections::default();
    let accept = async {
        loop {
            let stream = tokio::select! {
                stream = listener.accept() => stream,
                () = connections.closed() => continue,
            };
            match stream {
                Ok(stream) => {
                    connections.make_room(max_connections).await;
                    let (http, handler) = (http.clone(), handler.clone());
                    connections
                        .spawn(|connection| serve_connection(stream, http, handler, connection));
                }
                Err(error) => {
                    warn!(%error, "accepting a connection failed");
                    // The usual cause is a lack of file descriptors. Requests in flight may release some.
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = shutdown => {}
    }
    drop(listener);
    info!(connections = connections.len(), "shutting down");
    connections.close_all();
    let finish = async {
        while connections.len() > 0 {
            connections.closed().await;
        }
    };
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, finish)
        .await
        .is_err()
    {
        warn!(
            connections = connections.len(),
            "shutdown timeout: closing connections with requests in flight"
        );
    }
}

async fn serve_connection<S, H, F, R>(
    mut stream: S,
    http: Builder,
    handler: H,
    connection: Arc<Connection>,
) where
    S: Stream,
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<R>> + Send + 'static,
    R: Into<Full<Bytes>> + 'static,
{
    let handshake = tokio::select! {
        handshake = timeout(HANDSHAKE_TIMEOUT, stream.handshake()) => handshake,
        () = connection.closing() => return,
    };
    let certificate = match handshake {
        Ok(Ok(certificate)) => certificate,
        Ok(Err(error)) => return debug!(%error, "TLS handshake failed"),
        Err(_) => return debug!("TLS handshake timed out"),
    };
    let address = stream.peer_address();
    let requests = Arc::clone(&connection);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if let Some(address) = address {
            request.extensions_mut().insert(address);
        }
        let in_flight = requests.begin();
        let response = handler(request);
        async move {
            let response = response.await.map(Into::into);
            drop(in_flight);
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = pin!(http.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = http.as_mut() => result,
        () = connection.closing() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "connection failed");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpSocket, TcpStream};

    use super::*;
    use crate::listener::TcpAcceptor;
    use crate::stream::PeerAddress;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const TIMEOUT: Duration = Duration::from_secs(20);

    /// A server for one connection at a time. After a moment it answers each request with a body of this size.
    async fn start(body_bytes: usize) -> SocketAddr {
        start_with(body_bytes, 1).await
    }

    async fn start_with(body_bytes: usize, max_connections: usize) -> SocketAddr {
        let write_timeout = Duration::from_millis(300);
        let listener = TcpAcceptor::with_write_timeout("127.0.0.1:0", write_timeout)
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let handler = move |_: Request<Incoming>| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Response::new(vec![b'x'; body_bytes])
        };
        let mut http = Builder::new();
        http.half_close(true);
        tokio::spawn(serve(
            listener,
            http,
            max_connections,
            handler,
            std::future::pending(),
        ));
        address
    }

    #[tokio::test]
    async fn closes_the_connection_of_a_client_that_never_reads() {
        let address = start(8 << 20).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        let mut silent = socket.connect(address).await.unwrap();
        silent.write_all(REQUEST).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(REQUEST).await.unwrap();
        let mut response = Vec::new();
        let read = timeout(TIMEOUT, other.read_to_end(&mut response)).await;
        assert!(read.unwrap().unwrap() > 8 << 20);
        drop(silent);
    }

    #[tokio::test]
    async fn answers_a_client_that_has_shut_down_its_sending_side() {
        let mut client = TcpStream::connect(start(5).await).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        client.shutdown().await.unwrap();
        let mut response = String::new();
        timeout(TIMEOUT, client.read_to_string(&mut response))
            .await
            .unwrap()
            .unwrap();
        assert!(response.ends_with("\r\n\r\nxxxxx"), "{response:?}");
    }

    #[tokio::test]
    async fn a_request_has_the_address_of_its_peer() {
        let listener = TcpAcceptor::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = |request: Request<Incoming>| async move {
            let peer = request.extensions().get::<PeerAddress>().unwrap();
            assert!(peer.is_loopback());
            Response::new(peer.0.to_string())
        };
        let http = Builder::new();
        tokio::spawn(serve(listener, http, 1, handler, std::future::pending()));
        let mut client = TcpStream::connect(address).await.unwrap();
        let own = client.local_addr().unwrap().to_string();
        client.write_all(REQUEST).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with(&own), "{response}");
    }

    #[tokio::test]
    async fn a_connection_beyond_the_maximum_replaces_the_longest_idle_one() {
        const KEPT_ALIVE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let address = start_with(5, 4).await;
        let mut clients = Vec::new();
        for _ in 0..12 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        // The last requests are sent first. No client closes its connection.
        for client in clients.iter_mut().rev() {
            client.write_all(KEPT_ALIVE).await.unwrap();
        }
        let mut served = 0;
        for client in &mut clients {
            let mut response = [0; 12];
            match timeout(TIMEOUT, client.read_exact(&mut response))
                .await
                .expect("neither answered nor closed")
            {
                Ok(_) => served += usize::from(&response == b"HTTP/1.1 200"),
                Err(error) => println!("{error}"),
            }
        }
        assert!(served >= 4, "{served} of 12 are answered");
    }

    #[tokio::test]
    async fn a_connection_waits_while_every_other_has_a_request_in_flight() {
        let address = start_with(5, 2).await;
        let mut clients = Vec::new();
        for _ in 0..6 {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(REQUEST).await.unwrap();
            clients.push(client);
        }
        for mut client in clients {
            let mut response = String::new();
            timeout(TIMEOUT, client.read_to_string(&mut response))
                .await
                .unwrap()
                .unwrap();
            assert!(response.ends_with("\r\n\r\nxxxxx"), "{response:?}");
        }
    }
}
