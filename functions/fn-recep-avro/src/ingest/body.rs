//! Reads a body: as much as it may have, or to its end for the caller's sake.

use std::fmt::Display;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::problem::{Kind, Problem};

/// The whole body, if it has no more than `limit` bytes.
pub(super) async fn collect<B>(
    body: &mut B,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Bytes, Box<Problem>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let too_large = || {
        Problem::new(
            Kind::BodyTooLarge,
            format!("The body is larger than {limit} bytes (MAX_BODY)."),
        )
        .with("limit", limit)
    };
    // An honest length saves both sides the transfer; behind a gateway the header is all there is of it.
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .unwrap_or_default()
        .max(body.size_hint().lower());
    if announced > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(ByName(body), limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Problem::new(
            Kind::BrokenBody,
            format!("The body broke off: {error}."),
        )),
    }
}

/// Reads on and throws away, up to `most` bytes: for the caller's sake, see [`Call::discard`].
///
/// [`Call::discard`]: super::Call::discard
pub(super) async fn discard<B>(mut body: B, most: u64)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut left = most;
    while left > 0 {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        let size = frame.data_ref().map_or(0, Bytes::len) as u64;
        left = left.saturating_sub(size);
    }
}

/// A body whose error has no type but its words.
struct ByName<'a, B>(&'a mut B);

impl<B> Body for ByName<'_, B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut *self.0)
            .poll_frame(context)
            .map_err(|error| std::io::Error::other(error.to_string()))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}
