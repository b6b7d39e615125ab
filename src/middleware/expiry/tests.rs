//! Streams before, at and after the end of their caller's identity, by clocks that jump.

use std::future::{pending, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt as _, stream};

use super::*;
use crate::rpc::{Message, Metadata};

/// Makes a clock of a test's own that shows 1000.
macro_rules! clock {
    ($clock:ident, $read:ident) => {
        static $clock: AtomicU64 = AtomicU64::new(1000);
        fn $read() -> u64 {
            $clock.load(Ordering::Relaxed)
        }
    };
}

/// Told when a reply was dropped.
#[derive(Clone, Default)]
struct Dropped(Arc<Mutex<bool>>);

struct Guard(Dropped);

impl Drop for Guard {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
    }
}

/// A reply with a message a second, without end; or, with `flood`, with one whenever it is asked.
fn ticking(flood: bool, dropped: &Dropped) -> Pending {
    let guard = Guard(dropped.clone());
    let frames = stream::unfold(guard, move |guard| async move {
        if !flood {
            sleep(Duration::from_secs(1)).await;
        }
        Some((Ok(Frame::Message(Message::default())), guard))
    });
    Box::pin(ready(Ok(Reply { metadata: Metadata::new(), encoding: None, frames: Box::pin(frames) })))
}

/// How many messages come before the end, which is the identity's.
async fn messages(mut reply: Reply) -> usize {
    let mut messages = 0;
    loop {
        match reply.frames.next().await {
            Some(Ok(_)) => messages += 1,
            Some(Err(status)) => {
                assert_eq!(status.code, Code::Unauthenticated);
                assert_eq!(status.reason().as_deref(), Some("CREDENTIALS_EXPIRED"));
                assert!(reply.frames.next().await.is_none());
                return messages;
            }
            None => panic!("the stream ends with an error"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_identity_of_its_caller() {
    clock!(CLOCK, read);
    let start = Instant::now();
    tokio::spawn(async move {
        loop {
            CLOCK.store(1000 + start.elapsed().as_secs(), Ordering::Relaxed);
            sleep(Duration::from_millis(100)).await;
        }
    });
    let dropped = Dropped::default();
    let expiry = Expiry { at: read() + 100, clock: read };
    let count = messages(limit(ticking(false, &dropped), Some(expiry)).await.unwrap()).await;
    assert!((98..=101).contains(&count), "{count}");
    assert!(*dropped.0.lock().unwrap(), "the call is cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_is_noticed_and_one_that_jumps_back_ends_nothing_early() {
    clock!(CLOCK, read);
    let expiry = Expiry { at: 1000 + 3600, clock: read };
    let reply = limit(ticking(false, &Dropped::default()), Some(expiry)).await.unwrap();
    CLOCK.store(1000 + 3600, Ordering::Relaxed);
    assert!(messages(reply).await <= 31);
    CLOCK.store(1000, Ordering::Relaxed);
    let expiry = Expiry { at: 1010, clock: read };
    let mut reply = limit(ticking(false, &Dropped::default()), Some(expiry)).await.unwrap();
    CLOCK.store(0, Ordering::Relaxed);
    for _ in 0..1000 {
        reply.frames.next().await.unwrap().unwrap();
    }
    CLOCK.store(1010, Ordering::Relaxed);
    assert!(messages(reply).await <= 31);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_does_not_outlast_it() {
    clock!(CLOCK, read);
    let expiry = Expiry { at: 1001, clock: read };
    let mut reply = limit(ticking(true, &Dropped::default()), Some(expiry)).await.unwrap();
    reply.frames.next().await.unwrap().unwrap();
    CLOCK.store(1001, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(messages(reply).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_not_begun_ends_too() {
    clock!(CLOCK, read);
    let silent = || Box::pin(pending::<Result<Reply, Status>>());
    let waiting = tokio::spawn(limit(silent(), Some(Expiry { at: 1001, clock: read })));
    tokio::task::yield_now().await;
    CLOCK.store(1001, Ordering::Relaxed);
    assert_eq!(waiting.await.unwrap().unwrap_err().code, Code::Unauthenticated);
    // Nor does one begin that comes too late, as on a socket that was opened in time.
    let late = limit(silent(), Some(Expiry { at: 1000, clock: read })).await;
    assert_eq!(late.unwrap_err().code, Code::Unauthenticated);
}
