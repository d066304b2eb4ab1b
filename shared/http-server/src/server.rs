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
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::listener::Listener;

/// How long requests may take to finish after the shutdown signal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);
/// The pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Answers every request with `handler` until `shutdown` completes, on at most `max_connections` connections at a time.
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
    let mut shutdown = pin!(shutdown);
    let permits = Arc::new(Semaphore::new(max_connections));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // Without a permit nothing is accepted: further connections wait in the kernel's queue.
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            (stream, permit) = accepted => match stream {
                Ok(stream) => {
                    let connection =
                        serve_connection(stream, http.clone(), handler.clone(), stopped.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!(%error, "accepting a connection failed");
                    // The usual cause is a lack of file descriptors. Requests in flight may release some.
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    info!(connections = connections.len(), "shutting down");
    let _ = stop.send(true);
    let finish = async { while connections.join_next().await.is_some() {} };
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
    stream: S,
    http: Builder,
    handler: H,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<R>> + Send + 'static,
    R: Into<Full<Bytes>> + 'static,
{
    let service = service_fn(move |request| {
        let response = handler(request);
        async move { Ok::<_, Infallible>(response.await.map(Into::into)) }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let shutdown = async move {
        // An error means that the sender is dropped, which also ends the server.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown => {
            connection.as_mut().graceful_shutdown();
            connection.await
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
    use tokio::time::timeout;

    use super::*;
    use crate::listener::TcpAcceptor;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const TIMEOUT: Duration = Duration::from_secs(20);

    /// A server for one connection at a time. After a moment it answers each request with a body of this size.
    async fn start(body_bytes: usize) -> SocketAddr {
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
        tokio::spawn(serve(listener, http, 1, handler, std::future::pending()));
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
}
