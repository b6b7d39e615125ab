//! When a client has been silent, or has taken nothing, for too long.
//!
//! Pure: what has happened goes in as [`Signs`], what is due next comes out. Every byte is a sign of life, so
//! that a slow client with a large message is not a dead one.

use std::time::Duration;

use tokio::time::Instant;

/// How long what is written may wait for a client that takes nothing of it.
pub(super) const WRITE_STALL: Duration = Duration::from_secs(30);

/// How often a client is pinged while nothing is read from it. The kernel of a client that has left answers
/// such a ping with a reset; its leave itself may stand behind what is not read.
const PROBE: Duration = Duration::from_millis(400);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The client is asked for a sign of life.
    Ping,
    /// It has given none.
    Silent,
    /// It does not take what it is sent.
    Stalled,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    /// When bytes last came from the client.
    pub(super) heard: Instant,
    /// When the client last took bytes.
    pub(super) taken: Instant,
    /// Since when something waits to be written, if anything does.
    pub(super) unsent: Option<Instant>,
    /// Since when nothing is read because the upstream takes nothing, if that is so.
    pub(super) unread: Option<Instant>,
}

/// When a client is pinged.
#[derive(Debug)]
pub(super) struct Liveness {
    /// How long it may be silent, and then how long it has to answer.
    silence: Duration,
    pinged: Option<Instant>,
}

impl Liveness {
    pub(super) const fn new(silence: Duration) -> Self {
        Self { silence, pinged: None }
    }

    /// A ping goes out.
    pub(super) fn ping(&mut self) {
        self.pinged = Some(Instant::now());
    }

    /// What is due next, and when.
    pub(super) fn due(&self, signs: Signs) -> (Instant, Due) {
        if let Some(since) = signs.unsent {
            // A ping would only queue up behind it, and so would the client's answer to an earlier one.
            return (since.max(signs.taken) + WRITE_STALL, Due::Stalled);
        }
        if let Some(since) = signs.unread {
            // An answer would not be read.
            let last = self.pinged.map_or(since, |pinged| pinged.max(since));
            return (last + PROBE, Due::Ping);
        }
        match self.pinged.filter(|pinged| *pinged >= signs.heard) {
            Some(pinged) => (pinged.max(signs.taken) + self.silence, Due::Silent),
            None => (signs.heard + self.silence, Due::Ping),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(20);

    fn quiet(now: Instant) -> Signs {
        Signs { heard: now, taken: now, unsent: None, unread: None }
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_asked_about_and_then_ends() {
        let (mut liveness, start) = (Liveness::new(SILENCE), Instant::now());
        let mut signs = quiet(start);
        assert_eq!(liveness.due(signs), (start + SILENCE, Due::Ping));
        pass(20).await;
        liveness.ping();
        signs.taken = Instant::now();
        assert_eq!(liveness.due(signs), (start + 2 * SILENCE, Due::Silent));
        pass(5).await;
        signs.heard = Instant::now();
        assert_eq!(liveness.due(signs), (signs.heard + SILENCE, Due::Ping), "any byte is an answer");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_little_is_waited_for() {
        let (mut liveness, start) = (Liveness::new(SILENCE), Instant::now());
        liveness.ping();
        let mut signs = Signs { unsent: Some(start), ..quiet(start) };
        for _ in 0..10 {
            pass(29).await;
            signs.taken = Instant::now();
            assert_eq!(liveness.due(signs), (signs.taken + WRITE_STALL, Due::Stalled));
        }
        // The answer to the ping has its time from when the client could have seen it.
        signs.unsent = None;
        assert_eq!(liveness.due(signs), (signs.taken + SILENCE, Due::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_read_need_not_answer_but_must_be_there() {
        let (mut liveness, start) = (Liveness::new(SILENCE), Instant::now());
        let signs = Signs { unread: Some(start), ..quiet(start) };
        for _ in 0..100 {
            let (at, due) = liveness.due(signs);
            assert_eq!((at, due), (Instant::now() + PROBE, Due::Ping));
            tokio::time::advance(PROBE).await;
            liveness.ping();
        }
    }
}
