//! The sample server behind every gateway: HTTP/2 by the h2 crate, answers encoded beforehand, one thread.
//!
//! `upstream ADDRESS`.

use std::collections::HashMap;
use std::error::Error;
use std::future::poll_fn;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use transom_bench::{address, work};

type Answers = Rc<HashMap<&'static str, (Bytes, usize)>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = address(&std::env::args().nth(1).ok_or("usage: upstream ADDRESS")?)?;
    let known = work::cases().into_iter().filter_map(|case| Some((case.rpc, work::answer(case.rpc)?)));
    let answers: Answers = Rc::new(known.collect());
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            loop {
                let (socket, _) = listener.accept().await?;
                socket.set_nodelay(true)?;
                tokio::task::spawn_local(serve(socket, answers.clone()));
            }
        })
        .await
}

/// One connection; a client that goes away ends it, and that is no error here.
async fn serve(socket: TcpStream, answers: Answers) -> Result<(), h2::Error> {
    let mut connection = h2::server::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 24)
        .max_concurrent_streams(10_000)
        .max_pending_accept_reset_streams(10_000)
        .handshake(socket)
        .await?;
    while let Some(next) = connection.accept().await {
        let (request, respond) = next?;
        tokio::task::spawn_local(reply(request, respond, answers.clone()));
    }
    Ok(())
}

async fn reply(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answers: Answers,
) -> Result<(), h2::Error> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = if path == work::TALK {
        let mut stream = respond.send_response(head, false)?;
        while let Some(data) = next(&mut body).await? {
            send(&mut stream, data).await?;
        }
        stream
    } else if path == work::IDLE {
        let mut stream = respond.send_response(head, false)?;
        send(&mut stream, work::idle()).await?;
        return poll_fn(|context| stream.poll_reset(context)).await.map(drop);
    } else {
        let sent = read(body).await?;
        let (frames, times) = answers.get(path.as_str()).cloned().unwrap_or((sent, 1));
        let mut stream = respond.send_response(head, false)?;
        for _ in 0..times {
            send(&mut stream, frames.clone()).await?;
        }
        stream
    };
    let mut status = HeaderMap::with_capacity(1);
    status.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(status)
}

async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = BytesMut::new();
    while let Some(data) = next(&mut body).await? {
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

async fn next(body: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(data) = body.data().await.transpose()? else { return Ok(None) };
    body.flow_control().release_capacity(data.len())?;
    Ok(Some(data))
}

/// Sends as the client's window allows.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await else { return Ok(()) };
        let room = room?.min(data.len());
        stream.send_data(data.split_to(room), false)?;
    }
    Ok(())
}
