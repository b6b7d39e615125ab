//! A client of HTTP/1.1 and HTTP/2 for tests: every request on a connection of its own, nothing repeated,
//! nothing hidden. Whether a body came to its proper end is part of the answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use transom::rpc::envelope::{self, Decoder};
use transom::rpc::{self, Message, Status};

use super::tls::Trust;
use super::upstream::PATIENCE;

/// A request that is being made up.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    inner: http::Request<Full<Bytes>>,
    tls: Option<Trust>,
}

impl Request {
    /// Over HTTP/1.1, without a body.
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let inner = http::Request::builder().method(method).uri(target).body(Full::default()).unwrap();
        Self { address, inner, tls: None }
    }

    /// A call by gRPC.
    pub fn grpc(address: SocketAddr, path: &str, messages: &[Vec<u8>]) -> Self {
        let bodies =
            messages.iter().map(|bytes| envelope::encode(&Message::from(Bytes::from(bytes.clone()))));
        Self::new(address, "POST", path)
            .http2()
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(bodies.collect::<Vec<_>>().concat())
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.inner.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// What is accepted.
    pub fn accept(self, media_type: &str) -> Self {
        self.header("accept", media_type)
    }

    /// A body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.inner.body_mut() = Full::new(body.into());
        self
    }

    /// A body of JSON.
    pub fn json(self, json: &str) -> Self {
        self.header("content-type", "application/json").body(json.to_owned())
    }

    /// Over HTTP/2 with prior knowledge.
    pub fn http2(mut self) -> Self {
        *self.inner.version_mut() = Version::HTTP_2;
        self
    }

    /// Over TLS; the version of HTTP is what both sides agree on.
    pub fn tls(mut self, trust: &Trust) -> Self {
        self.tls = Some(trust.clone());
        self
    }

    /// Sends it and waits for the head of the answer.
    pub async fn send(self) -> Response {
        let socket = TcpStream::connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let Some(trust) = self.tls else {
            let version = self.inner.version();
            return send(socket, "http", self.address, version, self.inner, 2 * PATIENCE).await;
        };
        let (socket, version) = trust.connect(socket).await;
        send(socket, "https", self.address, version, self.inner, 2 * PATIENCE).await
    }

    /// Sends it and waits for the whole answer.
    pub async fn fetch(self) -> Answer {
        self.send().await.whole().await
    }

    /// Sends its head; the body follows piece by piece, whether or not the answer has come.
    pub fn upload(self) -> (Upload, JoinHandle<Response>) {
        let (sender, mut pieces) = mpsc::channel(1);
        let body = StreamBody::new(futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx)));
        let request = self.inner.map(|_| body);
        let answer = tokio::spawn(async move {
            let socket = TcpStream::connect(self.address).await.unwrap();
            socket.set_nodelay(true).unwrap();
            let version = request.version();
            // The answer may come behind a body of any size.
            send(socket, "http", self.address, version, request, 12 * PATIENCE).await
        });
        (Upload(sender), answer)
    }
}

/// The body of a request on its way; dropped, it has ended.
#[derive(Debug)]
pub struct Upload(mpsc::Sender<io::Result<Frame<Bytes>>>);

impl Upload {
    /// Sends a piece, when there is room for it.
    pub async fn send(&self, piece: impl Into<Bytes>) {
        let sent = timeout(2 * PATIENCE, self.0.send(Ok(Frame::data(piece.into()))));
        sent.await.expect("the body goes on").expect("the body is wanted");
    }

    /// Sends pieces of this size until none is taken any more, or nobody wants them; how many were taken.
    pub async fn flood(&self, piece: usize, patience: Duration) -> usize {
        let piece = Bytes::from(vec![b' '; piece]);
        let mut taken = 0;
        while let Ok(Ok(())) = timeout(patience, self.0.send(Ok(Frame::data(piece.clone())))).await {
            taken += 1;
        }
        taken
    }

    /// Breaks the body off.
    pub async fn abort(self) {
        // Whoever wants no more of it knows already.
        let _ = self.0.send(Err(io::ErrorKind::Other.into())).await;
    }
}

async fn send<B>(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &str,
    address: SocketAddr,
    version: Version,
    mut request: http::Request<B>,
    patience: Duration,
) -> Response
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Unpin + Send + 'static,
{
    let io = TokioIo::new(socket);
    let answered = async {
        if version == Version::HTTP_2 {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            let authority = request.headers_mut().remove("host");
            let authority = authority.map_or(address.to_string(), |host| host.to_str().unwrap().to_owned());
            let uri = format!("{scheme}://{authority}{}", request.uri());
            *request.uri_mut() = uri.parse().unwrap();
            let connection = tokio::spawn(async move { drop(connection.await) });
            (sender.send_request(request).await, connection)
        } else {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            if !request.headers().contains_key("host") {
                let host = HeaderValue::try_from(address.to_string()).unwrap();
                request.headers_mut().insert("host", host);
            }
            *request.version_mut() = Version::HTTP_11;
            let connection = tokio::spawn(async move { drop(connection.await) });
            (sender.send_request(request).await, connection)
        }
    };
    let (response, connection) = timeout(patience, answered).await.expect("an answer comes");
    let (head, body) = response.unwrap().into_parts();
    Response { status: head.status.as_u16(), headers: head.headers, version: head.version, body, connection }
}

/// The head of an answer, and its body as it comes.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub version: Version,
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Response {
    /// The next bytes; `None` at the end, proper or not.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        let frame = timeout(2 * PATIENCE, self.body.frame()).await.expect("the body goes on")?;
        frame.ok()?.into_data().ok()
    }

    /// Reads until the text is there; gives all that was read.
    pub async fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let chunk = self.chunk().await.unwrap_or_else(|| panic!("the body ends after {read:?}"));
            read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        read
    }

    /// The rest of the body.
    pub async fn whole(mut self) -> Answer {
        let mut body = Vec::new();
        let mut trailers = None;
        let complete = loop {
            match timeout(2 * PATIENCE, self.body.frame()).await.expect("the body goes on") {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => body.extend_from_slice(&data),
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        };
        let Self { status, headers, version, .. } = &mut self;
        let headers = std::mem::take(headers);
        Answer { status: *status, headers, version: *version, body, trailers, complete }
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub version: Version,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// Whether the body came to its end: the last chunk or all of the length, or the end of the stream.
    pub complete: bool,
}

impl Answer {
    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The body of an answer that went well.
    pub fn ok(&self) -> Value {
        assert_eq!((self.status, self.complete), (200, true), "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    /// Status, code, reason and origin of an error that the gateway raised.
    pub fn refusal(&self) -> (u16, u64, String, String) {
        assert_eq!(self.header("content-type"), "application/json", "{}", self.text());
        let (code, reason, origin) = refusal(&self.json());
        (self.status, code, reason, origin)
    }

    /// The messages of an answer by gRPC.
    pub fn messages(&self) -> Vec<Bytes> {
        let mut decoder = Decoder::new(usize::MAX);
        decoder.push(Bytes::from(self.body.clone()));
        std::iter::from_fn(|| decoder.take().unwrap()).map(|message| message.bytes).collect()
    }

    /// How a call by gRPC ended; without a body, its head says it.
    pub fn grpc(&self) -> Result<rpc::Metadata, Status> {
        assert_eq!(self.header("content-type"), "application/grpc");
        let trailers = self.trailers.as_ref().unwrap_or(&self.headers);
        rpc::trailers::read(trailers.clone())
    }
}

/// Code, reason and origin in the JSON of an error that the gateway raised.
pub fn refusal(status: &Value) -> (u64, String, String) {
    let info = &status["details"][0];
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo", "{status}");
    assert_eq!(info["domain"], "transom");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(!text(&status["message"]).is_empty());
    (status["code"].as_u64().unwrap(), text(&info["reason"]), text(&info["metadata"]["origin"]))
}

/// Sends bytes as they are, and reads until the other side closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut read = Vec::new();
    // A reset after the answer is an end, too.
    let _ = timeout(2 * PATIENCE, socket.read_to_end(&mut read)).await.expect("the connection ends");
    String::from_utf8_lossy(&read).into_owned()
}
