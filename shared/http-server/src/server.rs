//! HTTP/1.1 on a listener, until told to stop: what Fn's socket, the door's port and the sample endpoint have in common.

use std::convert::Infallible;
use std::future::Future;
use std::io;
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
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::program::Failure;

/// How long calls under way may take to finish once we are told to stop.
const GRACE: Duration = Duration::from_secs(25);

/// How long a caller may take nothing of an answer.
pub const READ_PATIENCE: Duration = Duration::from_secs(10);

/// Something that connections come from.
pub trait Listener: Send {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A listener on an address. A connection whose other end takes nothing of what is sent for `patience` is ended: else
/// callers that never read would keep every place.
pub struct Tcp {
    /// The bound listener.
    pub listener: TcpListener,
    /// How long the other end may take nothing.
    pub patience: Duration,
}

impl Listener for Tcp {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.listener.accept().await?;
        // Replies are small and whole: waiting to fill a segment only delays them.
        stream.set_nodelay(true)?;
        // RFC 5482; the system counts a window that stays shut as silence, too.
        SockRef::from(&stream).set_tcp_user_timeout(Some(self.patience))?;
        Ok(stream)
    }
}

/// Binds the address of the setting `listen`.
///
/// # Errors
/// It is taken, not ours, or no address.
pub async fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::configuration(format!(
            "LISTEN is {address}, which cannot be bound: {error}"
        ))
    })
}

/// Answers every request on every connection with `answer`, `most` connections at a time, until `stop`; then calls
/// under way finish, and it returns.
pub async fn serve<L, A, F, R>(
    listener: L,
    http: Builder,
    most: usize,
    answer: A,
    stop: impl Future<Output = ()>,
) where
    L: Listener,
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<R>> + Send + 'static,
    R: Into<Full<Bytes>> + 'static,
{
    let mut stop = pin!(stop);
    let places = Arc::new(Semaphore::new(most));
    let (tell, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // No place, no accept: the kernel's queue holds whoever comes.
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.next().await, place)
        };
        tokio::select! {
            (stream, place) = accepted => match stream {
                Ok(stream) => {
                    let connection = converse(stream, http.clone(), answer.clone(), stopped.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: give calls under way the time to return some.
                    warn!(%error, "accepting a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut stop => break,
        }
    }
    drop(listener);
    info!(connections = connections.len(), "ending");
    let _ = tell.send(true);
    let rest = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        warn!(
            connections = connections.len(),
            "stopped before all calls ended"
        );
    }
}

/// Completes at SIGTERM (how an orchestrator ends a program) or SIGINT (how a person does), from now on.
///
/// # Errors
/// The signals cannot be listened for.
pub fn told_to_end() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Failure::software(format!("listening for SIGTERM and SIGINT: {error}"))
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn converse<S, A, F, R>(
    stream: S,
    http: Builder,
    answer: A,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<R>> + Send + 'static,
    R: Into<Full<Bytes>> + 'static,
{
    let service = service_fn(move |request| {
        let reply = answer(request);
        async move { Ok::<_, Infallible>(reply.await.map(Into::into)) }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The other end is gone, or never spoke HTTP: nobody is left to tell.
        debug!(%error, "a connection ended early");
    }
}

async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as clear.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;
    use tokio::time::timeout;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server with one place, which answers everything with so many bytes after a moment.
    async fn server(bytes: usize) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Tcp {
            listener,
            patience: Duration::from_millis(300),
        };
        let answer = move |_: Request<Incoming>| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Response::new(vec![b'x'; bytes])
        };
        let mut http = Builder::new();
        http.half_close(true);
        tokio::spawn(serve(listener, http, 1, answer, std::future::pending()));
        address
    }

    #[tokio::test]
    async fn a_caller_that_never_reads_loses_its_place() {
        let address = server(8 << 20).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        let mut silent = socket.connect(address).await.unwrap();
        silent.write_all(ASK).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(ASK).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, other.read_to_end(&mut answer)).await;
        assert!(read.unwrap().unwrap() > 8 << 20);
        drop(silent);
    }

    #[tokio::test]
    async fn a_caller_that_has_said_everything_still_gets_its_answer() {
        let mut caller = TcpStream::connect(server(5).await).await.unwrap();
        caller.write_all(ASK).await.unwrap();
        caller.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, caller.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.ends_with("\r\n\r\nxxxxx"), "{answer:?}");
    }
}
