//! What frames mean: the two subprotocols, and raw messages without one.
//!
//! | | a message | half-close | the end |
//! |---|---|---|---|
//! | none | text: JSON | empty or blank text | `{"status":…}` where it is not OK |
//! | `transom.json` | text: `{"message":…}` | `{"end":{}}` | `{"status":…}` |
//! | `transom.proto` | binary: protobuf | any text | text `{"status":…}` |
//!
//! `google.api.HttpBody` is binary both ways where the others are JSON.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::{Message as WsFrame, Utf8Bytes};

use crate::protocol::target::plain;
use crate::protocol::{Target, headers, json_error};
use crate::rpc::{Message, Metadata, Status};
use crate::transcode::Codec;

use super::close::Close;
use super::handshake::{BEARER, tokens};

/// What a raw body is, by the frame that it came in.
const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// How messages are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// No subprotocol.
    Raw,
    /// `transom.json`.
    Json,
    /// `transom.proto`.
    Proto,
}

/// What a frame of a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A body: JSON, or the bytes of a raw body, of that content type.
    Body(Bytes, &'static str),
    /// An encoded message.
    Encoded(Bytes),
    /// Nothing follows.
    End,
}

/// What is wrong with a frame of a client.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is no frame of this dialect at all.
    Frame(Close),
    /// It can be read, and says what nobody can act on.
    Meaning(Status),
}

impl From<Close> for Fault {
    fn from(close: Close) -> Self {
        Self::Frame(close)
    }
}

/// A frame of `transom.json`: exactly one of these.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Envelope<'a> {
    #[serde(borrow)]
    Message(&'a RawValue),
    End(IgnoredAny),
}

impl Dialect {
    /// The first subprotocol that is known, and what the answer echoes of the offer: never a name that
    /// is not known, which may be a secret. `Bearer` is echoed where nothing else is, as browsers fail
    /// a connection whose answer echoes nothing (WHATWG WebSockets §4.1).
    pub(super) fn choose(headers: &HeaderMap) -> (Self, Option<HeaderValue>) {
        let mut echo = None;
        for name in tokens(headers, &SEC_WEBSOCKET_PROTOCOL) {
            match name {
                "transom.json" => return (Self::Json, Some(HeaderValue::from_static("transom.json"))),
                "transom.proto" => return (Self::Proto, Some(HeaderValue::from_static("transom.proto"))),
                name if name.eq_ignore_ascii_case(BEARER) => echo = HeaderValue::try_from(name).ok(),
                _ => {}
            }
        }
        (Self::Raw, echo)
    }

    /// Reads a frame; `raw` is whether bodies of the route are raw bytes.
    pub(super) fn read(self, frame: WsFrame, raw: bool) -> Result<Said, Fault> {
        match (self, frame) {
            (Self::Proto, WsFrame::Binary(bytes)) => Ok(Said::Encoded(bytes)),
            (Self::Proto, _) => Ok(Said::End),
            (_, WsFrame::Binary(bytes)) if raw => Ok(Said::Body(bytes, BYTES)),
            (Self::Raw, WsFrame::Text(text)) if text.is_empty() || !raw && is_blank(&text) => Ok(Said::End),
            (Self::Raw, WsFrame::Text(text)) if raw || is_json(&text) => Ok(Said::Body(text.into(), TEXT)),
            (Self::Raw, WsFrame::Text(_)) => Err(Close::NOT_JSON.into()),
            (Self::Json, WsFrame::Text(text)) => open(&text),
            _ => Err(Close::UNSUPPORTED.into()),
        }
    }

    /// A message of the upstream.
    ///
    /// # Errors
    /// When it is none of the method's output type: the upstream's fault.
    pub(super) fn message(self, message: &Message, target: &Target) -> Result<WsFrame, Status> {
        if self == Self::Proto {
            plain(message)?;
            return Ok(WsFrame::Binary(message.bytes.clone()));
        }
        if target.response.is_raw() {
            return Ok(WsFrame::Binary(target.raw(message)?.data));
        }
        let mut out = Vec::with_capacity(message.bytes.len() * 2 + 64);
        if self == Self::Json {
            out.extend_from_slice(b"{\"message\":");
        }
        target.write_json(message, &mut out)?;
        if self == Self::Json {
            out.push(b'}');
        }
        text(out)
    }

    /// The listed metadata that came before the messages: only envelopes can tell them.
    pub(super) fn headers(self, metadata: &Metadata, target: &Target) -> Result<Option<WsFrame>, Status> {
        self.listed("headers", metadata, target)
    }

    /// The listed metadata that came behind the messages, or with the failure.
    pub(super) fn trailers(self, metadata: &Metadata, target: &Target) -> Result<Option<WsFrame>, Status> {
        self.listed("trailers", metadata, target)
    }

    fn listed(self, key: &str, metadata: &Metadata, target: &Target) -> Result<Option<WsFrame>, Status> {
        if self != Self::Json || metadata.is_empty() {
            return Ok(None);
        }
        let mut listed = HeaderMap::new();
        headers::to_rest(metadata, &target.policy.metadata, &mut listed);
        if listed.is_empty() {
            return Ok(None);
        }
        let mut object = serde_json::Map::new();
        for (name, value) in &listed {
            let value = String::from_utf8_lossy(value.as_bytes());
            // Several are one list (RFC 9110 §5.3).
            match object.get_mut(name.as_str()) {
                Some(serde_json::Value::String(list)) => *list = format!("{list}, {value}"),
                _ => drop(object.insert(name.as_str().to_owned(), value.into())),
            }
        }
        text(serde_json::json!({ key: object }).to_string().into_bytes()).map(Some)
    }

    /// How the call ended.
    pub(super) fn status(self, status: Option<&Status>, codec: &Codec) -> Option<WsFrame> {
        let json = match status {
            None if self == Self::Raw => return None,
            None => b"{\"code\":0}".to_vec(),
            Some(status) => json_error::body(status, codec),
        };
        text([b"{\"status\":", &json[..], b"}"].concat()).ok()
    }
}

/// Whether a text is white space alone: pages half-close with it, as Chromium loses an empty message that
/// stands right behind another over HTTP/2.
fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

/// RFC 8259: whether a text is one value.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn open(text: &Utf8Bytes) -> Result<Said, Fault> {
    match serde_json::from_str::<Envelope<'_>>(text) {
        Ok(Envelope::Message(json)) => Ok(Said::Body(Bytes::copy_from_slice(json.get().as_bytes()), JSON)),
        Ok(Envelope::End(_)) => Ok(Said::End),
        Err(_) if !is_json(text) => Err(Close::NOT_JSON.into()),
        Err(_) => {
            let message = "a frame of transom.json is {\"message\":…} or {\"end\":{}}";
            Err(Fault::Meaning(Status::invalid("WEBSOCKET_ENVELOPE", message)))
        }
    }
}

fn text(json: Vec<u8>) -> Result<WsFrame, Status> {
    let text = Utf8Bytes::try_from(Bytes::from(json));
    text.map(WsFrame::Text).map_err(|_| {
        Status::bad_upstream("UPSTREAM_MESSAGE_INVALID", "the upstream sent a string that is not UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code that a fault is closed with.
    fn code(fault: Fault) -> u16 {
        match fault {
            Fault::Frame(close) => close.code,
            Fault::Meaning(status) => Close::of(&status).code,
        }
    }

    fn said(dialect: Dialect, text: &str) -> Result<Said, u16> {
        dialect.read(WsFrame::text(text), false).map_err(code)
    }

    #[test]
    fn frames_mean_what_the_table_says() {
        let body = |text: &'static str, kind| Ok(Said::Body(Bytes::from_static(text.as_bytes()), kind));
        let (raw, json, proto) = (Dialect::Raw, Dialect::Json, Dialect::Proto);
        assert_eq!(said(raw, "{\"a\":1}"), body("{\"a\":1}", TEXT));
        for blank in ["", " ", "\r\n\t "] {
            assert_eq!(said(raw, blank), Ok(Said::End), "{blank:?}");
        }
        assert_eq!(said(raw, "\u{a0}"), Err(1007));
        let blank = raw.read(WsFrame::text(" "), true).map_err(code);
        assert_eq!(blank, Ok(Said::Body(Bytes::from_static(b" "), TEXT)));
        assert_eq!(said(raw, "{"), Err(1007));
        assert_eq!(said(json, "{\"message\": [1]}"), body("[1]", JSON));
        assert_eq!(said(json, "{\"message\":null}"), body("null", JSON));
        assert_eq!(said(json, "{\"end\":{}}"), Ok(Said::End));
        for (text, code) in [
            ("", 1007),
            ("{\"message\":", 1007),
            ("{}", 4003),
            ("[]", 4003),
            ("{\"a\":1}", 4003),
            ("{\"message\":1,\"end\":{}}", 4003),
        ] {
            assert_eq!(said(json, text), Err(code), "{text}");
        }
        assert_eq!(said(proto, ""), Ok(Said::End));
        let binary = |dialect: Dialect, raw| dialect.read(WsFrame::binary(&b"x"[..]), raw).map_err(code);
        assert_eq!(binary(proto, false), Ok(Said::Encoded(Bytes::from_static(b"x"))));
        assert_eq!(binary(raw, false), Err(1003));
        assert_eq!(binary(json, true), body("x", BYTES));
    }

    #[test]
    fn only_known_names_are_echoed() {
        let cases = [
            ("secret, transom.proto, transom.json", Dialect::Proto, Some("transom.proto")),
            ("bearer, transom.json", Dialect::Json, Some("transom.json")),
            ("Bearer", Dialect::Raw, Some("Bearer")),
            ("secret", Dialect::Raw, None),
        ];
        for (offer, dialect, echo) in cases {
            let headers = [(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer))].into_iter().collect();
            let chosen = Dialect::choose(&headers);
            assert_eq!(chosen, (dialect, echo.map(HeaderValue::from_static)), "{offer}");
        }
    }
}
