//! The servers, each on a thread of its own.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The response of all servers.
pub(crate) const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok";

/// A server on a thread of its own that responds when a body is complete. Both servers send the same response.
pub(crate) fn serve<F: Future<Output = Option<()>> + Send + 'static>(
    converse: impl Fn(TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    listener.set_nonblocking(true).expect("nonblocking");
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).expect("listener");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("nodelay");
                tokio::spawn(converse(stream));
            }
        });
    });
    port
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
}

pub(crate) async fn converse_hyper(stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
    let service =
        hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
            request.into_body().collect().await?;
            Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from_static(b"ok"))))
        });
    let io = hyper_util::rt::TokioIo::new(stream);
    hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service)
        .await
        .ok()
}

/// Responds after as many bytes as the content length.
pub(crate) async fn converse(mut stream: TcpStream) -> Option<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.ok()?;
        if read == 0 {
            return None;
        }
        filled += read;
        let Some(end) = request_end(&buffer[..filled]) else {
            continue;
        };
        buffer.copy_within(end..filled, 0);
        filled -= end;
        stream.write_all(ANSWER).await.ok()?;
    }
}

/// The end of the first request, if it is complete.
fn request_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes
        .windows(4)
        .take(1024)
        .position(|window| window == b"\r\n\r\n")?;
    let name = b"content-length: ";
    let at = bytes[..head]
        .windows(name.len())
        .position(|window| window == name)?
        + name.len();
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    let end = head + 4 + length;
    (bytes.len() >= end).then_some(end)
}
