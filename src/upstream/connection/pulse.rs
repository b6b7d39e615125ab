//! When to ask a silent peer by PING, and when to give it up: a pure state machine (gRFC A8).
//!
//! A peer that owes an answer and is silent is asked early, so that a frozen process is noticed within
//! seconds. Servers count PINGs that come without data between them and hang up after two that come too
//! early (`too_many_pings`), so only the first two come early.

use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::spec::Timers;

/// What is known of the connection at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub now: Instant,
    /// When bytes last arrived.
    pub received_at: Instant,
    /// Whether a call is in flight.
    pub owes: bool,
    /// How often a call has been answered, in whole or in part.
    pub answers: u64,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing is owed: nothing to do before the next call.
    Rest,
    /// Look again at this moment.
    Wait(Instant),
    /// Send a PING now.
    Ping,
    /// The peer is gone.
    Dead,
}

/// The memory of one connection.
#[derive(Debug)]
pub struct Pulse {
    timers: Timers,
    owes_since: Option<Instant>,
    /// A PING that is not answered yet.
    asked: Option<Instant>,
    last_ping: Option<Instant>,
    /// PINGs since the last answer.
    unprompted: u32,
    answers: u64,
}

impl Pulse {
    pub const fn new(timers: Timers) -> Self {
        Self { timers, owes_since: None, asked: None, last_ping: None, unprompted: 0, answers: 0 }
    }

    /// Whether a PING is on its way.
    pub const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Notes that a PING was sent, for whatever reason.
    pub const fn pinged(&mut self, now: Instant) {
        self.asked = Some(now);
        self.last_ping = Some(now);
        self.unprompted += 1;
    }

    /// Notes the answer to it.
    pub const fn ponged(&mut self) {
        self.asked = None;
    }

    /// Whether the peer was asked and has shown no life since, for the time of `silence`.
    pub fn is_silent(&self, view: View) -> bool {
        self.asked.is_some_and(|asked| view.received_at <= asked && view.now >= asked + self.timers.silence)
    }

    /// Decides what to do.
    pub fn beat(&mut self, view: View) -> Beat {
        if view.answers != self.answers {
            self.answers = view.answers;
            self.unprompted = 0;
        }
        self.owes_since = view.owes.then(|| self.owes_since.unwrap_or(view.now));
        if let Some(asked) = self.asked {
            return self.await_answer(asked, view);
        }
        let Some(owes_since) = self.owes_since else {
            return Beat::Rest;
        };
        let quiet_since = view.received_at.max(owes_since).max(self.last_ping.unwrap_or(owes_since));
        let due = quiet_since + self.patience();
        if view.now >= due { Beat::Ping } else { Beat::Wait(due) }
    }

    /// Any byte that arrives is as good as the answer.
    fn await_answer(&self, asked: Instant, view: View) -> Beat {
        let since = asked.max(view.received_at);
        let dead = since + self.timers.ping;
        let silent = asked + self.timers.silence;
        if view.now >= dead {
            Beat::Dead
        } else if view.now < silent && silent < dead {
            Beat::Wait(silent)
        } else {
            Beat::Wait(dead)
        }
    }

    const fn patience(&self) -> Duration {
        match self.unprompted {
            0 => self.timers.silence,
            1 => self.timers.ping,
            _ => self.timers.keepalive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Peer {
        start: Instant,
        pulse: Pulse,
        view: View,
    }

    impl Peer {
        fn new() -> Self {
            let start = Instant::now();
            let view = View { now: start, received_at: start, owes: false, answers: 0 };
            Self { start, pulse: Pulse::new(Timers::default()), view }
        }

        fn at(&mut self, seconds: u64) -> Beat {
            self.view.now = self.start + Duration::from_secs(seconds);
            let beat = self.pulse.beat(self.view);
            if beat == Beat::Ping {
                self.pulse.pinged(self.view.now);
            }
            beat
        }

        fn pong(&mut self) {
            self.view.received_at = self.view.now;
            self.pulse.ponged();
        }

        fn wait(&self, seconds: u64) -> Beat {
            Beat::Wait(self.start + Duration::from_secs(seconds))
        }
    }

    #[test]
    fn an_idle_connection_is_never_asked() {
        let mut peer = Peer::new();
        assert_eq!(peer.at(0), Beat::Rest);
        assert_eq!(peer.at(100_000), Beat::Rest);
        peer.view.owes = true;
        assert_eq!(peer.at(100_001), peer.wait(100_002), "silence counts from the call on");
    }

    #[test]
    fn a_silent_peer_is_asked_then_not_ready_then_dead() {
        let mut peer = Peer::new();
        peer.view.owes = true;
        assert_eq!(peer.at(0), peer.wait(1));
        assert_eq!(peer.at(1), Beat::Ping);
        assert_eq!(peer.at(1), peer.wait(2));
        assert!(!peer.pulse.is_silent(peer.view));
        assert_eq!(peer.at(2), peer.wait(11));
        assert!(peer.pulse.is_silent(peer.view));
        assert_eq!(peer.at(11), Beat::Dead);
    }

    #[test]
    fn any_byte_is_a_sign_of_life() {
        let mut peer = Peer::new();
        peer.view.owes = true;
        peer.at(0);
        assert_eq!(peer.at(1), Beat::Ping);
        peer.at(5);
        peer.view.received_at = peer.view.now;
        assert!(!peer.pulse.is_silent(peer.view));
        assert_eq!(peer.at(6), peer.wait(15));
    }

    #[test]
    fn a_slow_answer_costs_two_early_pings_then_one_every_five_minutes() {
        let mut peer = Peer::new();
        peer.view.owes = true;
        let mut pings = Vec::new();
        for second in 0..1000 {
            if peer.at(second) == Beat::Ping {
                pings.push(second);
                peer.pong();
            }
        }
        assert_eq!(pings, [1, 11, 311, 611, 911]);
    }

    #[test]
    fn answers_allow_early_pings_again() {
        let mut peer = Peer::new();
        peer.view.owes = true;
        peer.at(0);
        assert_eq!(peer.at(1), Beat::Ping);
        peer.pong();
        assert_eq!(peer.at(11), Beat::Ping);
        peer.pong();
        peer.view.answers += 1;
        peer.view.received_at = peer.view.now;
        assert_eq!(peer.at(12), Beat::Ping);
    }
}
