//! Small documents from a URL, such as the keys of an issuer: one request, one connection, and a limit
//! on everything that the other side decides.
//!
//! Redirects are refused: they would let whoever answers choose whom the gateway asks next. When
//! documents are fetched, and what is in them, is not known here.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, HOST, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tls::{self, Tls, TlsError, TlsFiles};
use super::wire::Socket;

/// How long a fetch may take, from the name to the last byte.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long one address may take to answer, so that a dead one leaves time for the next.
const CONNECT: Duration = Duration::from_secs(2);

/// The largest document.
const LARGEST: usize = 256 * 1024;

/// Where a document is, and whom to trust there.
#[derive(Clone, Debug)]
pub struct Fetch {
    url: Uri,
    host: String,
    port: u16,
    /// `None` for `http`.
    tls: Option<(Tls, ServerName<'static>)>,
}

/// What was fetched.
#[derive(Clone, Debug)]
pub struct Document {
    pub body: Bytes,
    /// For how long it may be taken for fresh, where it says so (RFC 9111 §5.2.2.1).
    pub max_age: Option<Duration>,
}

/// Why a document could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    TimedOut,
    /// No socket, or no TLS.
    Connect(io::Error),
    /// `http` leads away from this machine: the name that should stand for it stands for another.
    NotLoopback(SocketAddr),
    Http(hyper::Error),
    /// An answer that is no document; redirects are not followed.
    Status(StatusCode),
    /// The body is compressed, though nobody asked for that.
    Encoded,
    /// The body breaks off or is larger than 256 KiB.
    Body(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => write!(f, "it did not answer within {} seconds", PATIENCE.as_secs()),
            Self::Connect(error) => write!(f, "it cannot be reached: {error}"),
            Self::NotLoopback(address) => write!(f, "http must lead to this machine, not to {address}"),
            Self::Http(error) => write!(f, "it does not speak HTTP well: {error}"),
            Self::Status(status) if status.is_redirection() => {
                write!(f, "it answered with a redirect ({}), which is not followed", status.as_u16())
            }
            Self::Status(status) => write!(f, "it answered with status {}", status.as_u16()),
            Self::Encoded => f.write_str("it answered with a Content-Encoding"),
            Self::Body(error) => write!(f, "its answer cannot be read: {error}"),
        }
    }
}

impl std::error::Error for FetchError {}

/// The same document of somebody who is trusted for the same reason.
impl PartialEq for Fetch {
    fn eq(&self, other: &Self) -> bool {
        (&self.url, &self.tls) == (&other.url, &other.tls)
    }
}

impl Fetch {
    /// A document by its URL; `ca` holds the roots to trust in place of the system's. Reads files.
    ///
    /// # Errors
    /// When the roots cannot be read, or the host can stand in no certificate.
    pub fn new(url: &Uri, ca: Option<&Path>) -> Result<Self, TlsError> {
        Self::by(url, || Tls::load(&TlsFiles { ca: ca.map(Path::to_owned), ..TlsFiles::default() }))
    }

    fn by(url: &Uri, trust: impl FnOnce() -> Result<Tls, TlsError>) -> Result<Self, TlsError> {
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let encrypted = url.scheme() != Some(&Scheme::HTTP);
        let tls = if encrypted { Some((trust()?, tls::server_name(&host)?)) } else { None };
        let port = url.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        Ok(Self { url: url.clone(), host, port, tls })
    }

    /// Another document, of somebody who is trusted for the same reason. Where that was none, reads files.
    ///
    /// # Errors
    /// Those of [`Fetch::new`].
    pub fn with_url(&self, url: &Uri) -> Result<Self, TlsError> {
        match &self.tls {
            Some((tls, _)) if url.scheme() != Some(&Scheme::HTTP) => Self::by(url, || Ok(tls.clone())),
            _ => Self::new(url, None),
        }
    }

    /// The URL.
    #[must_use]
    pub const fn url(&self) -> &Uri {
        &self.url
    }

    /// Fetches the document.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn get(&self) -> Result<Document, FetchError> {
        timeout(PATIENCE, self.fetch()).await.unwrap_or(Err(FetchError::TimedOut))
    }

    async fn fetch(&self) -> Result<Document, FetchError> {
        let socket = self.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(FetchError::Http)?;
        let answered = async {
            let response = sender.send_request(self.request()).await.map_err(FetchError::Http)?;
            document(response).await
        };
        // The connection only moves while the answer is waited for; what it ends with, the answer tells.
        let moving = async {
            drop(connection.await);
            std::future::pending().await
        };
        tokio::select! {
            biased;
            document = answered => document,
            never = moving => never,
        }
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        let path = self.url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        *request.uri_mut() = path.parse().unwrap_or_default();
        let authority = self.url.authority().map_or(self.host.as_str(), http::uri::Authority::as_str);
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(authority) {
            headers.insert(HOST, host);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("transom/", env!("CARGO_PKG_VERSION"))));
        request
    }

    async fn connect(&self) -> Result<Box<dyn Socket>, FetchError> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port));
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.await.map_err(FetchError::Connect)? {
            if self.tls.is_none() && !address.ip().is_loopback() {
                return Err(FetchError::NotLoopback(address));
            }
            match timeout(CONNECT, self.open(address)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(FetchError::Connect(failure))
    }

    async fn open(&self, address: SocketAddr) -> io::Result<Box<dyn Socket>> {
        let tcp = TcpStream::connect(address).await?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let connector = TlsConnector::from(Arc::new(http1_only(&tls.config)));
        Ok(Box::new(connector.connect(name.clone(), tcp).await?))
    }
}

fn http1_only(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

async fn document(response: Response<Incoming>) -> Result<Document, FetchError> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(FetchError::Status(head.status));
    }
    if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(FetchError::Encoded);
    }
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(|error| FetchError::Body(error.to_string()))?.to_bytes();
    Ok(Document { body, max_age: max_age(&head.headers) })
}

/// `max-age`; what must not be stored is fresh for no time.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|text| text.split(',')).map(|text| text.trim().to_ascii_lowercase());
    let ages = directives.filter_map(|directive| match directive.as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        directive => {
            let seconds = directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok()?;
            Some(Duration::from_secs(seconds))
        }
    });
    ages.min()
}

#[cfg(test)]
mod tests;
