//! Frames that only a peer made by hand sends, and frames that only it can count.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use transom::config::model::Address;
use transom::rpc::Code;
use transom::upstream::{Limits, Spec, Timers};

use crate::support::calls::*;
use crate::support::raw::{CONTINUATION, DATA, HEADERS, PING, Peer, RST_STREAM, SETTINGS};

async fn listen() -> (TcpListener, Spec) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = Address::Http { host: "127.0.0.1".into(), port };
    let spec = Spec::new(NAME, [address]);
    (listener, Spec { limits: Limits { connections: 1, ..spec.limits }, ..spec })
}

#[tokio::test]
async fn u06_calls_above_the_last_of_a_goaway_are_sent_again_and_those_below_go_on() {
    let (listener, spec) = listen().await;
    let pool = pool(spec);
    let peer = tokio::spawn(async move {
        let mut first = Peer::accept(&listener).await;
        for _ in 0..2 {
            first.next_of(HEADERS).await;
        }
        first.go_away(1, 0, "").await;
        let mut second = Peer::accept(&listener).await;
        let again = second.next_of(HEADERS).await.stream;
        second.reply(again, "second").await;
        first.reply(1, "first").await;
        (first, second)
    });
    let outcomes = join_all([whole(&pool, unary("a")), whole(&pool, unary("b"))]).await;
    let replies: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().0.concat()).collect();
    assert_eq!(replies, [b"first".to_vec(), b"second".to_vec()]);
    drop(peer.await.unwrap());
}

#[tokio::test]
async fn resets_wait_for_the_answer_to_a_ping_after_every_sixteen() {
    let (listener, spec) = listen().await;
    let pool = pool(spec);
    let peer = tokio::spawn(async move {
        // The first connection is for unary calls.
        let _unary = Peer::accept(&listener).await;
        let mut peer = Peer::accept(&listener).await;
        for _ in 0..40 {
            let stream = peer.next_of(HEADERS).await.stream;
            peer.head(stream).await;
        }
        let mut resets = vec![0];
        while resets.iter().sum::<i32>() < 40 {
            let frame = peer.next().await;
            match frame.kind {
                RST_STREAM => *resets.last_mut().unwrap() += 1,
                PING if !frame.is_ack() => {
                    resets.push(0);
                    peer.pong(&frame).await;
                }
                _ => {}
            }
        }
        resets
    });
    let replies = join_all((0..40).map(|_| send(&pool, server_streaming("")))).await;
    drop(replies);
    assert_eq!(peer.await.unwrap(), [16, 16, 8]);
}

#[tokio::test]
async fn a_peer_that_never_answers_a_ping_is_given_up() {
    let (listener, spec) = listen().await;
    let timers =
        Timers { silence: Duration::from_millis(50), ping: Duration::from_millis(200), ..spec.timers };
    let pool = pool(Spec { timers, ..spec });
    let peer = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.next_of(HEADERS).await;
        let ping = peer.next_of(PING).await;
        assert!(!ping.is_ack());
        (peer, listener)
    });
    let told = told(whole(&pool, unary("")).await);
    assert_eq!(told, (Code::Unavailable, "UPSTREAM_CONNECTION_LOST".to_owned(), "upstream"));
    drop(peer.await.unwrap());
}

#[tokio::test]
async fn u23_a_peer_that_complains_of_pings_gets_a_new_connection() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let (listener, spec) = listen().await;
    let pool = pool(spec);
    let peer = tokio::spawn(async move {
        let mut first = Peer::accept(&listener).await;
        first.next_of(HEADERS).await;
        first.go_away(0, ENHANCE_YOUR_CALM, "too_many_pings").await;
        let mut second = Peer::accept(&listener).await;
        let stream = second.next_of(HEADERS).await.stream;
        second.reply(stream, "m").await;
        second
    });
    assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["m"]);
    drop(peer.await.unwrap());
}

#[tokio::test]
async fn u13_a_limit_of_streams_that_is_lowered_live_is_kept() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let (listener, spec) = listen().await;
    let limits = Limits { connections: 8, ..spec.limits };
    let pool = pool(Spec { limits, ..spec });
    let (lowered, seen) = tokio::sync::oneshot::channel();
    let peer = tokio::spawn(async move {
        let mut first = Peer::accept(&listener).await;
        let one = first.next_of(HEADERS).await.stream;
        let setting = [&MAX_CONCURRENT_STREAMS.to_be_bytes()[..], &1_u32.to_be_bytes()].concat();
        first.send(SETTINGS, 0, 0, &setting).await;
        // Frames are obeyed in order: who answers this has seen those.
        first.send(PING, 0, 0, &[0; 8]).await;
        while !first.next_of(PING).await.is_ack() {}
        lowered.send(()).unwrap();
        let mut second = Peer::accept(&listener).await;
        let two = second.next_of(HEADERS).await.stream;
        second.reply(two, "two").await;
        first.reply(one, "one").await;
        (first, second)
    });
    let one = tokio::spawn({
        let pool = pool.clone();
        async move { whole(&pool, unary("")).await }
    });
    seen.await.unwrap();
    assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["two"]);
    assert_eq!(one.await.unwrap().unwrap().0, ["one"]);
    drop(peer.await.unwrap());
}

#[tokio::test]
async fn u27_trailers_that_never_end_end_their_connection_alone() {
    let (listener, spec) = listen().await;
    let pool = pool(spec);
    let peer = tokio::spawn(async move {
        let mut first = Peer::accept(&listener).await;
        let stream = first.next_of(HEADERS).await.stream;
        first.head(stream).await;
        first.send(HEADERS, 1, stream, &[0, 1, b'a', 1, b'b']).await;
        let endless = [0_u8, 1, b'a', 1, b'b'].repeat(3000);
        while first.try_send(CONTINUATION, 0, stream, &endless).await {}
        let mut second = Peer::accept(&listener).await;
        let again = second.next_of(HEADERS).await.stream;
        second.reply(again, "m").await;
        second
    });
    let (code, _, origin) = told(whole(&pool, unary("")).await);
    assert!(matches!(code, Code::Unavailable | Code::Internal | Code::ResourceExhausted), "{code}");
    assert_eq!(origin, "upstream");
    assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["m"]);
    drop(peer.await.unwrap());
}

#[tokio::test]
async fn u28_frames_after_the_end_hurt_nobody_else() {
    let (listener, spec) = listen().await;
    let pool = pool(spec);
    let peer = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        for text in ["one", "two"] {
            let stream = peer.next_of(HEADERS).await.stream;
            peer.reply(stream, text).await;
            // A message for a call that has ended.
            peer.try_send(DATA, 0, stream, &[0, 0, 0, 0, 1, b'x']).await;
            if peer.ended().await {
                peer = Peer::accept(&listener).await;
            }
        }
        peer
    });
    assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["one"]);
    assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["two"]);
    drop(peer.await.unwrap());
}
