//! Reads request bodies within a limit and a deadline.

use std::error::Error;
use std::future::Future;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

use crate::problem::{BODY_TIMEOUT, BODY_TOO_LARGE, INCOMPLETE_BODY, Problem};

/// Reads a body of at most `max_bytes` bytes; `headers` are those of its request. Without a deadline, it waits for the
/// end of the body.
///
/// # Errors
/// The body is too large, incomplete, or not complete at the deadline. A body whose announced length is too large is
/// not read at all.
pub async fn read<B>(
    body: &mut B,
    headers: &HeaderMap,
    max_bytes: usize,
    deadline: Option<Instant>,
) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Behind a gateway the header field is the only announcement: the gateway may send the body in chunks.
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .unwrap_or_default()
        .max(body.size_hint().lower());
    if announced > max_bytes as u64 {
        return Err(too_large(max_bytes));
    }
    before(deadline, collect(body, max_bytes))
        .await
        .unwrap_or_else(|| {
            Err(Problem::new(
                &BODY_TIMEOUT,
                "The body did not arrive in time.",
            ))
        })
}

/// Copies the parts of a body into one buffer. A list of the parts would need more memory than a body of small chunks.
async fn collect<B>(body: &mut B, max_bytes: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let detail = format!("Reading the body failed: {}.", error.into());
            Problem::new(&INCOMPLETE_BODY, detail)
        })?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if part.len() > max_bytes - collected.len() {
            return Err(too_large(max_bytes));
        }
        collected.extend_from_slice(&part);
    }
    Ok(collected.freeze())
}

fn too_large(max_bytes: usize) -> Problem {
    let detail = format!("The body is larger than {max_bytes} bytes (MAX_BODY).");
    Problem::new(&BODY_TOO_LARGE, detail).with_member("limit", max_bytes)
}

/// Reads a rejected body and drops it, until more than `max_bytes` bytes were read or the deadline passes.
///
/// The client receives the response only if the server reads what the client is still sending: a connection that is
/// closed with unread data is reset, and the reset may overtake the response.
pub async fn discard<B>(body: &mut B, max_bytes: u64, deadline: Option<Instant>)
where
    B: Body<Data = Bytes> + Unpin,
{
    let read = async {
        let mut remaining = max_bytes;
        while remaining > 0 {
            let Some(Ok(frame)) = body.frame().await else {
                return;
            };
            let size = frame.data_ref().map_or(0, Bytes::len) as u64;
            remaining = remaining.saturating_sub(size);
        }
    };
    let _ = before(deadline, read).await;
}

/// The output of `work`, or `None` if the deadline passes first.
async fn before<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use http::HeaderValue;
    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    /// A body of endless chunks of 10 bytes, or one that never sends anything.
    struct Endless {
        sends: bool,
        chunks: u64,
    }

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if !self.sends {
                return Poll::Pending;
            }
            self.chunks += 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 10])))))
        }
    }

    const ENDLESS: Endless = Endless {
        sends: true,
        chunks: 0,
    };

    #[tokio::test]
    async fn rejects_a_body_over_the_limit_by_its_length_and_by_its_bytes() {
        let none = HeaderMap::new();
        let full = || Full::new(Bytes::from_static(b"0123456789"));
        let read_full = read(&mut full(), &none, 10, None).await;
        assert_eq!(read_full.unwrap(), "0123456789");
        let problem = read(&mut full(), &none, 9, None).await.unwrap_err();
        assert_eq!(problem.kind(), &BODY_TOO_LARGE);
        let mut endless = ENDLESS;
        let problem = read(&mut endless, &none, 95, None).await.unwrap_err();
        assert_eq!(problem.kind(), &BODY_TOO_LARGE);
        assert_eq!(endless.chunks, 10);
        let length = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("11"))]);
        let mut unread = ENDLESS;
        let problem = read(&mut unread, &length, 10, None).await.unwrap_err();
        assert_eq!(problem.kind(), &BODY_TOO_LARGE);
        assert_eq!(unread.chunks, 0);
    }

    #[tokio::test]
    async fn stops_reading_at_the_deadline() {
        let mut silent = Endless {
            sends: false,
            chunks: 0,
        };
        let soon = || Some(Instant::now() + Duration::from_millis(20));
        let problem = read(&mut silent, &HeaderMap::new(), 10, soon()).await;
        assert_eq!(problem.unwrap_err().kind(), &BODY_TIMEOUT);
        discard(&mut silent, u64::MAX, soon()).await;
    }

    #[tokio::test]
    async fn discards_no_more_than_the_maximum() {
        let mut endless = ENDLESS;
        discard(&mut endless, 95, None).await;
        assert_eq!(endless.chunks, 10);
        discard(&mut endless, 0, None).await;
        assert_eq!(endless.chunks, 10);
    }
}
