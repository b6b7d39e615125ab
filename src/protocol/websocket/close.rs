//! How a socket is closed: codes and reasons (RFC 6455 §7.4). Never a code that is reserved.

use std::borrow::Cow;

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::rpc::{Code, Origin, Status};

/// The most bytes of a reason: a control frame holds 125, two of them the code (RFC 6455 §5.5).
const REASON_LIMIT: usize = 123;

/// Codes of failures start here, in the range for private use (RFC 6455 §7.4.2).
const STATUS_BASE: u16 = 4000;

/// A code and a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    pub(super) const NORMAL: Self = Self::new(1000, "");
    pub(super) const UNSUPPORTED: Self = Self::new(1003, "this frame is of the other type: text or binary");
    pub(super) const NOT_JSON: Self = Self::new(1007, "the text is no JSON");
    pub(super) const NO_PONG: Self = Self::new(1008, "no answer to a ping");
    pub(super) const DRAIN: Self = Self::new(1012, "the gateway restarts");
    pub(super) const SLOW: Self = Self::new(1013, "the client does not read");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// Whether it is said at once, also where a message has not gone: its client takes nothing.
    pub(super) const fn is_urgent(&self) -> bool {
        matches!(self.code, 1008 | 1013)
    }

    /// How a failed call ends.
    pub(super) fn of(status: &Status) -> Self {
        let number = u16::try_from(status.code.number()).unwrap_or(2);
        Self { code: STATUS_BASE + number, reason: status.message.clone() }
    }

    /// What a fault of the client's framing is answered with; `None` when nobody is left to be told.
    pub(super) fn after(error: &Error) -> Option<Self> {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Some(Self::new(1009, "the message or the frame is larger than the limit"))
            }
            Error::Utf8(_) => Some(Self::new(1007, "the text is not UTF-8")),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
            Error::Protocol(error) => Some(Self { code: 1002, reason: error.to_string().into() }),
            _ => None,
        }
    }

    /// What becomes of a call that has no status of its own yet.
    pub(super) fn status(&self) -> Status {
        let reason = self.reason().to_owned();
        Status::new(self.status_code(), self.origin(), self.name(), reason)
    }

    /// Whose doing it is.
    const fn origin(&self) -> Origin {
        if self.code == 1012 { Origin::Gateway } else { Origin::Client }
    }

    const fn status_code(&self) -> Code {
        match self.code {
            1012 | 1013 => Code::Unavailable,
            1009 => Code::ResourceExhausted,
            1008 => Code::Cancelled,
            _ => Code::InvalidArgument,
        }
    }

    /// Why, for the log.
    const fn name(&self) -> &'static str {
        match self.code {
            1012 => "WEBSOCKET_DRAIN",
            1013 => "WEBSOCKET_SLOW_CONSUMER",
            1009 => "WEBSOCKET_MESSAGE_TOO_LARGE",
            1008 => "WEBSOCKET_NO_PONG",
            1007 => "WEBSOCKET_NOT_JSON",
            _ => "WEBSOCKET_PROTOCOL",
        }
    }

    /// The reason, cut at the boundary of a character.
    pub(super) fn reason(&self) -> &str {
        let ends = self.reason.char_indices().map(|(at, character)| at + character.len_utf8());
        let end = ends.take_while(|end| *end <= REASON_LIMIT).last().unwrap_or(0);
        self.reason.get(..end).unwrap_or_default()
    }

    pub(super) fn frame(&self) -> CloseFrame {
        CloseFrame { code: CloseCode::from(self.code), reason: self.reason().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut_between_characters() {
        for (length, character, kept) in
            [(123, "x", 123), (124, "x", 123), (62, "é", 122), (42, "€", 123), (31, "😀", 120)]
        {
            let status = Status::invalid("X", character.repeat(length));
            assert_eq!(Close::of(&status).reason().len(), kept, "{length} × {character}");
        }
    }

    #[test]
    fn every_code_of_a_call_has_one_of_its_own() {
        for number in 1..=16 {
            let status = Status { code: Code::from_number(number), ..Status::invalid("X", "") };
            assert_eq!(i32::from(Close::of(&status).code), 4000 + number);
        }
    }
}
