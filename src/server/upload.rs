//! Bodies of requests over HTTP/2, read a little longer than anybody wants them.
//!
//! A request may be answered before its body has been read: it is too large, or for no route. "A server MAY
//! request that the client abort transmission … without error by sending RST_STREAM with NO_ERROR"
//! (RFC 9113 §8.1), but clients in wide use take that reset for a failure and lose the answer. So what is
//! left of the body is read and dropped for a while, and what is too much is left unread, which stops the client by
//! its window; whoever has not ended after that is reset.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

/// How long an unwanted body is still there, and how many bytes are read of it meanwhile.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 8 * 1024 * 1024);

/// The body of a request.
pub(super) struct Upload {
    /// `None` when it is being dropped.
    inner: Option<Incoming>,
}

impl Upload {
    pub(super) const fn new(inner: Incoming) -> Self {
        Self { inner: Some(inner) }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let unread = self.inner.take().filter(|inner| !inner.is_end_stream());
        if let (Some(unread), Ok(runtime)) = (unread, Handle::try_current()) {
            runtime.spawn(linger(unread));
        }
    }
}

async fn linger(mut body: Incoming) {
    let lingering = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > LINGER.1 {
                // The client may not have read the answer yet.
                std::future::pending::<()>().await;
            }
        }
    };
    // However it ends, the body is dropped, and its stream reset where the client goes on.
    drop(tokio::time::timeout(LINGER.0, lingering).await);
}
