//! Bodies: what responses are made of, and how a request's body is read whole within its limit.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::rpc::{Code, Origin, Status};

use super::Outcome;

/// The body of a response.
pub enum Body {
    /// Everything at once; `None` when it has been taken, or is empty.
    Full(Option<Bytes>),
    /// Piece by piece. The stream must be fused: it is polled no more after its end, but a wrapper may.
    Stream(BodyStream),
}

/// The pieces of a streamed body.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Aborted>> + Send>>;

/// The end of a body that must not look like its end: over HTTP/1.1 the connection closes without the
/// last chunk, over HTTP/2 the stream is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response ends before its time")
    }
}

impl std::error::Error for Aborted {}

impl Body {
    /// A body without content.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Full(None)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full((!bytes.is_empty()).then_some(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut *self {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream.as_mut().poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

pin_project_lite::pin_project! {
    /// The body of a request, its bytes noted as they come.
    #[derive(Debug)]
    pub struct Received<B> {
        #[pin]
        inner: B,
        outcome: Arc<Outcome>,
    }
}

impl<B> Received<B> {
    /// Notes the bytes of `inner` in `outcome`.
    pub const fn new(inner: B, outcome: Arc<Outcome>) -> Self {
        Self { inner, outcome }
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Received<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            this.outcome.bytes_received(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Reads a request's body whole.
///
/// # Errors
/// 413 when it is larger than `limit`, before anything is read where its length is given; 400 when it
/// ends before its time.
pub async fn read<B>(headers: &HeaderMap, body: B, limit: usize) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    check_announced(headers, limit)?;
    let mut body = std::pin::pin!(body);
    let Some(first) = next_chunk(&mut body).await? else { return Ok(Bytes::new()) };
    let Some(second) = next_chunk(&mut body).await? else {
        return if first.len() > limit { Err(too_large(limit)) } else { Ok(first) };
    };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if whole.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&chunk);
        next = next_chunk(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// Reads a request's body piece by piece.
///
/// # Errors
/// As those of [`read`], and those of `take`.
pub async fn for_each_chunk<B>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), Status>,
) -> Result<(), Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    check_announced(headers, limit)?;
    let mut body = std::pin::pin!(body);
    let mut length = 0;
    while let Some(chunk) = next_chunk(&mut body).await? {
        length += chunk.len();
        if length > limit {
            return Err(too_large(limit));
        }
        take(&chunk)?;
    }
    Ok(())
}

fn check_announced(headers: &HeaderMap, limit: usize) -> Result<(), Status> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) { Err(too_large(limit)) } else { Ok(()) }
}

/// The next bytes of a request's body; trailers of requests are dropped.
///
/// # Errors
/// When the body ends before its time.
pub async fn next_chunk<B>(body: &mut Pin<&mut B>) -> Result<Option<Bytes>, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    loop {
        match body.as_mut().frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                return Err(Status::invalid(
                    "BODY_INCOMPLETE",
                    format!("the request body cannot be read: {error}"),
                ));
            }
        }
    }
}

fn too_large(limit: usize) -> Status {
    let message = format!("the request body is larger than the limit of {limit} bytes");
    Status::new(Code::ResourceExhausted, Origin::Client, "BODY_TOO_LARGE", message).with_http_status(413)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::StreamBody;

    use super::*;

    fn chunks(chunks: &[&'static [u8]]) -> impl http_body::Body<Data = Bytes, Error = Aborted> + use<> {
        let frames: Vec<_> = chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk)))).collect();
        StreamBody::new(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_their_limit() {
        let headers = HeaderMap::new();
        assert_eq!(read(&headers, chunks(&[]), 3).await.unwrap(), "");
        assert_eq!(read(&headers, chunks(&[b"abc"]), 3).await.unwrap(), "abc");
        assert_eq!(read(&headers, chunks(&[b"a", b"", b"b", b"c"]), 3).await.unwrap(), "abc");
        for too_long in [&[&b"abcd"[..]][..], &[b"ab", b"cd"]] {
            let status = read(&headers, chunks(too_long), 3).await.unwrap_err();
            assert_eq!((status.http_status(), status.code), (413, Code::ResourceExhausted));
        }
    }

    #[tokio::test]
    async fn an_announced_length_is_refused_unread() {
        let headers = [(CONTENT_LENGTH, HeaderValue::from_static("4"))].into_iter().collect();
        let unread = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Aborted>>());
        assert_eq!(read(&headers, unread, 3).await.unwrap_err().http_status(), 413);
    }
}
