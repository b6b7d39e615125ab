//! The floor: a bare hyper forwarder that looks at nothing, HTTP/1.1 or HTTP/2 in front, HTTP/2 behind.
//!
//! `forward LISTEN UPSTREAM`; one thread, one upstream connection.

use std::error::Error;

use http::uri::{Parts, Scheme, Uri};
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use transom_bench::address;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || address(&arguments.next().ok_or("usage: forward LISTEN UPSTREAM")?);
    let (listen, upstream) = (next()?, next()?);
    let socket = TcpStream::connect(upstream).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| forward(request, sender.clone()));
            // A client that goes away ends its connection: no error of ours.
            _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn forward(
    request: Request<Incoming>,
    mut sender: SendRequest<Incoming>,
) -> Result<http::Response<Incoming>, hyper::Error> {
    let (mut head, body) = request.into_parts();
    let mut uri = Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = "upstream".parse().ok();
    uri.path_and_query = head.uri.path_and_query().cloned();
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    head.version = Version::HTTP_2;
    // RFC 9113 §8.2.2: a field of one connection stays there.
    head.headers.remove("connection");
    head.headers.remove("host");
    let mut response = sender.send_request(Request::from_parts(head, body)).await?;
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}
