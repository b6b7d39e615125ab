//! How a request ended, by what became of its body.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::Mutex;

use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::telemetry::Drain;
use crate::telemetry::log::Format;

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The `end` that is logged of a request which is answered with `body`, after `then` had that body.
async fn end<F: Future<Output = ()>>(body: Body, then: impl FnOnce(LoggedBody, Drain) -> F) -> String {
    let output = Output::default();
    let (log, writer) = AccessLog::start(Format::Json, output.clone()).unwrap();
    let (drain, draining) = Drain::new();
    let mut request = Request::new(());
    request.extensions_mut().insert(draining);
    let mut answers = Some(Response::new(body));
    let inner = tower::service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(answers.take().unwrap()))
    });
    let response = AccessLogLayer::new(log).layer(inner).oneshot(request).await.unwrap();
    then(response.into_body(), drain).await;
    writer.join().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&output.0.lock().unwrap()).unwrap();
    line["end"].as_str().unwrap().to_owned()
}

fn pieces(last: Option<Result<Frame<Bytes>, Aborted>>) -> Body {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"x")))]);
    match last {
        Some(last) => Body::Stream(Box::pin(first.chain(stream::iter([last])).fuse())),
        None => Body::Stream(Box::pin(first.chain(stream::pending()).fuse())),
    }
}

#[tokio::test]
async fn to_its_end() {
    let whole = async |body: LoggedBody, _| drop(body.collect().await);
    assert_eq!(end(Body::from(Bytes::from_static(b"x")), whole).await, "complete");
    assert_eq!(end(Body::empty(), whole).await, "complete");
    assert_eq!(end(pieces(Some(Ok(Frame::data(Bytes::new())))), whole).await, "complete");
    assert_eq!(end(pieces(Some(Err(Aborted))), whole).await, "error");
}

#[tokio::test]
async fn dropped_before_its_end() {
    let first = async |mut body: LoggedBody, _| drop(body.frame().await);
    assert_eq!(end(pieces(None), first).await, "client_gone");
    let draining = async |mut body: LoggedBody, drain: Drain| {
        drop(body.frame().await);
        drain.begin(tokio::time::Instant::now() + std::time::Duration::from_secs(60));
        drop(body);
    };
    assert_eq!(end(pieces(None), draining).await, "client_gone", "there was time left");
    let cut_off = async |mut body: LoggedBody, drain: Drain| {
        drop(body.frame().await);
        drain.end();
        drop(body);
    };
    assert_eq!(end(pieces(None), cut_off).await, "drain");
}
