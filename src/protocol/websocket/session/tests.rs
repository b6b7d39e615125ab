//! Slow clients, slow upstreams and drains, by a clock that is moved: what takes minutes takes no time.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, join, sink};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::super::wire::Wire;
use super::*;
use crate::protocol::fixture::target;
use crate::protocol::{Client, stream_body::PendingReply};
use crate::rpc::{Frame, Kind, Messages, Metadata, Reply};
use crate::telemetry::Drain;

/// Bytes between the two ends: less than any message that matters here.
const PIPE: usize = 1024;

/// Far beyond every timer of a session: virtual time is free.
const HOURS: Duration = Duration::from_secs(100_000);

/// A session at work and the client's end of its socket.
struct Open {
    client: DuplexStream,
    session: JoinHandle<()>,
    outcome: Arc<Outcome>,
}

async fn open(kind: Kind, start: impl FnOnce(Messages) -> PendingReply + Send + 'static) -> Open {
    open_draining(kind, Draining::never(), start).await
}

async fn open_draining(
    kind: Kind,
    draining: Draining,
    start: impl FnOnce(Messages) -> PendingReply + Send + 'static,
) -> Open {
    let (client, server) = duplex(PIPE);
    let outcome = Arc::new(Outcome::new(Client::WebSocket));
    let socket = Socket::open(Wire::new(server, Arc::clone(&outcome)), 1 << 20, 256 << 10).await;
    let start: Start = Box::new(move |messages| Ok(start(messages)));
    let bindings = Bindings::none();
    let target = Arc::new(target(kind));
    let noted = Arc::clone(&outcome);
    let session = Session::new(socket, Dialect::Raw, bindings, Bytes::new(), start, target, noted);
    Open { client, session: tokio::spawn(session.run(draining)), outcome }
}

/// A client that knows the protocol.
async fn speak(client: DuplexStream) -> WebSocketStream<DuplexStream> {
    WebSocketStream::from_raw_socket(client, Role::Client, None).await
}

/// An answer of messages, and then the end or nothing more.
fn answers(texts: Vec<String>, ends: bool) -> PendingReply {
    let messages = texts.into_iter().map(|text| Ok(Frame::Message(Message::from(encoded(&text)))));
    let trailers = ends.then(|| Ok(Frame::Trailers(Metadata::new())));
    let frames = stream::iter(messages.collect::<Vec<_>>()).chain(stream::iter(trailers));
    let frames: crate::rpc::ReplyStream =
        if ends { Box::pin(frames) } else { Box::pin(frames.chain(stream::pending())) };
    Box::pin(async move { Ok(Reply { metadata: Metadata::new(), encoding: None, frames }) })
}

/// The only field of the target's messages, by hand.
fn encoded(text: &str) -> Bytes {
    let mut wire = vec![0x0a];
    let mut length = text.len();
    while length >= 0x80 {
        wire.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    wire.push(u8::try_from(length).unwrap());
    wire.extend_from_slice(text.as_bytes());
    wire.into()
}

fn json(text: &str) -> String {
    format!(r#"{{"text":"{text}"}}"#)
}

/// Everything until the socket is closed: messages, and the code of the close.
async fn rest<T: AsyncRead + AsyncWrite + Unpin>(mut client: WebSocketStream<T>) -> (Vec<String>, u16) {
    let mut texts = Vec::new();
    loop {
        match timeout(HOURS, client.next()).await.expect("a frame comes") {
            Some(Ok(WsFrame::Text(text))) => texts.push(text.to_string()),
            Some(Ok(WsFrame::Close(Some(close)))) => return (texts, close.code.into()),
            Some(Ok(_)) => {}
            other => panic!("{other:?} after {} messages", texts.len()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_for_half_a_minute_is_closed() {
    let text = "x".repeat(100_000);
    let Open { client, session, outcome, .. } =
        open(Kind::Bidi, move |_| answers(vec![text.clone(); 100], false)).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    sleep(Duration::from_secs(29)).await;
    assert_eq!(outcome.code(), None);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(outcome.code(), Some(Code::Unavailable));
    assert_eq!(outcome.reason(), Some("WEBSOCKET_SLOW_CONSUMER"));
    // Who begins to read again is told.
    assert_eq!(rest(client).await, (Vec::new(), 1013));
    session.await.unwrap();
    assert!(outcome.bytes_out() < 64 << 10, "what was cut off was not sent behind: {}", outcome.bytes_out());
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_again_is_not_waited_for() {
    let Open { client, session, .. } = open(Kind::Bidi, |_| answers(vec!["x".repeat(100_000)], false)).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    let started = Instant::now();
    session.await.unwrap();
    assert!(started.elapsed() <= Duration::from_secs(61), "{:?}", started.elapsed());
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn who_reads_again_in_time_hears_why_it_was_closed() {
    let text = "x".repeat(100_000);
    let Open { client, .. } = open(Kind::Bidi, move |_| answers(vec![text.clone(); 100], false)).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    sleep(Duration::from_secs(58)).await;
    assert_eq!(rest(client).await, (Vec::new(), 1013));
}

#[tokio::test(start_paused = true)]
async fn a_slow_but_steady_reader_gets_a_large_message_whole() {
    let text = "é".repeat(300_000);
    let expected = json(&text);
    // The call has long ended when the client has read half.
    let Open { mut client, session, outcome, .. } = open(Kind::Bidi, |_| answers(vec![text], true)).await;
    client.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'{', b'}']).await.unwrap();
    let mut bytes = Vec::new();
    let mut piece = [0; 777];
    loop {
        sleep(Duration::from_secs(25)).await;
        match client.read(&mut piece).await.unwrap() {
            0 => break,
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
    session.await.unwrap();
    assert_eq!(outcome.code(), Some(Code::Ok));
    assert_eq!(outcome.bytes_out(), bytes.len() as u64);
    let replayed = WebSocketStream::from_raw_socket(join(&bytes[..], sink()), Role::Client, None).await;
    let (texts, code) = rest(replayed).await;
    assert!(texts == [expected], "the message is another");
    assert_eq!(code, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_slow_but_steady_writer_of_a_large_frame_is_no_silent_client() {
    let Open { mut client, .. } = open(Kind::Bidi, |_| answers(Vec::new(), true)).await;
    let payload = json(&"x".repeat(70_000));
    let mut frame = vec![0x81, 0xff];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload.as_bytes());
    for piece in frame.chunks(900) {
        client.write_all(piece).await.unwrap();
        sleep(Duration::from_secs(19)).await;
    }
    assert_eq!(rest(speak(client).await).await, (Vec::new(), 1000));
}

#[tokio::test(start_paused = true)]
async fn pings_go_between_the_pieces_of_a_message() {
    let Open { client, .. } = open(Kind::Bidi, |_| answers(vec!["x".repeat(200_000)], true)).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    client.send(WsFrame::Ping(Bytes::from_static(b"?"))).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), WsFrame::Pong(Bytes::from_static(b"?")));
    let (texts, code) = rest(client).await;
    assert_eq!((texts.len(), code), (1, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_failure_stands_behind_the_message_that_was_on_its_way() {
    let Open { client, .. } =
        open(Kind::ServerStreaming, |_| answers(vec!["x".repeat(200_000)], false)).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // The method takes no second.
    client.send(WsFrame::text("{}")).await.unwrap();
    let (texts, code) = rest(client).await;
    assert_eq!(texts[0], json(&"x".repeat(200_000)));
    assert!(texts[1].starts_with(r#"{"status":{"code":3,"#), "{}", texts[1]);
    assert_eq!((texts.len(), code), (2, 4003));
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_client_is_told_behind_the_message_that_was_on_its_way() {
    let Open { client, .. } = open(Kind::Bidi, |_| answers(vec!["x".repeat(200_000)], false)).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // A text frame without a mask (RFC 6455 §5.1).
    client.get_mut().write_all(&[0x81, 1, b'x']).await.unwrap();
    assert_eq!(rest(client).await, (vec![json(&"x".repeat(200_000))], 1002));
}

/// A call whose upstream takes no message, and gives none.
fn takes_nothing(messages: Messages) -> PendingReply {
    Box::pin(async move {
        let _kept = messages;
        std::future::pending().await
    })
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_the_upstream_takes_nothing() {
    let Open { client, session, .. } = open(Kind::Bidi, takes_nothing).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    for number in 0..10_u8 {
        sleep(Duration::from_secs(15)).await;
        client.send(WsFrame::Ping(vec![number].into())).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), WsFrame::Pong(vec![number].into()));
    }
    client.close(None).await.unwrap();
    timeout(Duration::from_secs(1), session).await.expect("the leave is seen").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_full_socket_is_missed_within_a_second() {
    let Open { client, session, outcome, .. } = open(Kind::Bidi, takes_nothing).await;
    let mut client = speak(client).await;
    // One for the upstream, one ahead, and more than the pipe holds.
    let flood = async {
        loop {
            client.send(WsFrame::text("{}".to_owned() + &" ".repeat(100))).await.unwrap();
        }
    };
    timeout(Duration::from_secs(60), flood).await.expect_err("nobody takes that much");
    assert_eq!(outcome.code(), None, "a client that cannot be read is not told to be silent");
    drop(client);
    timeout(Duration::from_secs(1), session).await.expect("it is missed").unwrap();
    assert_eq!(outcome.reason(), Some("CLIENT_GONE"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_streams_and_lets_answers_come() {
    for (kind, called, code) in [
        (Kind::Bidi, true, 1012),
        (Kind::ServerStreaming, true, 1012),
        (Kind::Unary, false, 1012),
        (Kind::Unary, true, 1000),
        (Kind::ClientStreaming, true, 1000),
    ] {
        let (answer, answered) = tokio::sync::oneshot::channel::<()>();
        let (drain, draining) = Drain::new();
        let Open { client, .. } = open_draining(kind, draining, move |messages| {
            Box::pin(async move {
                let _kept = messages;
                answered.await.unwrap();
                answers(vec!["x".into()], true).await
            })
        })
        .await;
        let mut client = speak(client).await;
        if called {
            client.send(WsFrame::text("{}")).await.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        drain.begin(Instant::now() + Duration::from_secs(25));
        sleep(Duration::from_secs(10)).await;
        // Nobody waits for it where the socket is closed.
        let _ = answer.send(());
        assert_eq!(rest(client).await.1, code, "{kind:?} {called}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_socket_and_an_answer_does_not() {
    let Open { mut client, session, .. } = open(Kind::Bidi, takes_nothing).await;
    for _ in 0..5 {
        let mut ping = [0; 2];
        client.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping, [0x89, 0]);
        sleep(Duration::from_secs(19)).await;
        client.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.unwrap();
    }
    let asked = Instant::now();
    let mut end = Vec::new();
    client.read_to_end(&mut end).await.unwrap();
    assert_eq!(end[..6], [0x89, 0, 0x88, 21, 0x03, 0xf0], "a ping, and 1008");
    assert!(asked.elapsed() >= Duration::from_secs(40), "{:?}", asked.elapsed());
    session.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answers_to_its_pings_is_not_read_either() {
    let Open { mut client, session, outcome } = open(Kind::Bidi, takes_nothing).await;
    let ping = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    let flood = async { while client.write_all(&ping).await.is_ok() {} };
    timeout(Duration::from_secs(20), flood).await.expect_err("nobody takes that much");
    // What the pipe holds both ways, and what may wait for an answer.
    assert!(outcome.bytes_in() < 8192, "{}", outcome.bytes_in());
    session.await.unwrap();
    assert_eq!(outcome.reason(), Some("WEBSOCKET_SLOW_CONSUMER"));
}

#[tokio::test(start_paused = true)]
async fn a_leave_has_its_code_echoed() {
    let Open { client, session, outcome, .. } = open(Kind::Bidi, takes_nothing).await;
    let mut client = speak(client).await;
    client.send(WsFrame::text("{}")).await.unwrap();
    let code = CloseCode::from(3000);
    let leave = tokio_tungstenite::tungstenite::protocol::CloseFrame { code, reason: "enough".into() };
    client.close(Some(leave)).await.unwrap();
    assert_eq!(rest(client).await, (Vec::new(), 3000));
    session.await.unwrap();
    assert_eq!((outcome.code(), outcome.is_closed()), (Some(Code::Cancelled), false));
}
