//! A [`Status`] on gRPC's wire: `grpc-status`, `grpc-message` and `grpc-status-details-bin`
//! (gRPC PROTOCOL-HTTP2, "Status" and "Status-Message").
//!
//! Trailers come from outside: whatever they hold, reading them gives an answer and never panics.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;

use super::error_details::StatusProto;
use super::{Again, Code, Metadata, Origin, Status};

pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Reads how a call ended: the rest of the trailers when it ended well, its error otherwise.
///
/// # Errors
/// The status of the call, or one that names the upstream's mistake where there is none, or two.
pub fn read(trailers: HeaderMap) -> Result<Metadata, Status> {
    let code = read_code(&trailers)?;
    if code == Code::Ok {
        return Ok(Metadata::from_upstream(trailers));
    }
    let again = Again::read(&trailers);
    let message =
        trailers.get(GRPC_MESSAGE).map(|value| percent_decode(value.as_bytes())).unwrap_or_default();
    let details = trailers.get(GRPC_STATUS_DETAILS).and_then(read_details).unwrap_or_default();
    Err(Status {
        code,
        message: if message.is_empty() { details.message.into() } else { message.into() },
        details: details.details,
        origin: Origin::Upstream,
        metadata: Some(Box::new(Metadata::from_upstream(trailers))),
        http_status: None,
        again,
        is_paid: false,
    })
}

fn read_code(trailers: &HeaderMap) -> Result<Code, Status> {
    let mut values = trailers.get_all(GRPC_STATUS).iter();
    let Some(value) = values.next() else {
        return Err(Status::new(
            Code::Unknown,
            Origin::Upstream,
            "UPSTREAM_STATUS_MISSING",
            "the upstream ended the call without a grpc-status",
        )
        .with_http_status(502));
    };
    if values.next().is_some_and(|second| second != value) {
        return Err(Status::new(
            Code::Unknown,
            Origin::Upstream,
            "UPSTREAM_STATUS_AMBIGUOUS",
            "the upstream ended the call with two different values of grpc-status",
        )
        .with_http_status(502));
    }
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    Ok(number.map_or(Code::Unknown, Code::from_number))
}

/// Details that cannot be read are left out: the code and the message still stand.
fn read_details(value: &HeaderValue) -> Option<StatusProto> {
    let bytes = decode_bin(value.as_bytes())?;
    StatusProto::decode(bytes.as_ref()).ok()
}

/// Writes a status into trailers (or into the headers of a Trailers-Only response).
pub fn write(status: &Status, trailers: &mut HeaderMap) {
    trailers.insert(GRPC_STATUS, HeaderValue::from(status.code.number()));
    if !status.message.is_empty()
        && let Ok(value) = HeaderValue::from_bytes(percent_encode(&status.message).as_bytes())
    {
        trailers.insert(GRPC_MESSAGE, value);
    }
    if status.details.is_empty() {
        return;
    }
    let proto = StatusProto {
        code: status.code.number(),
        message: status.message.clone().into_owned(),
        details: status.details.clone(),
    };
    let text = base64_simd::STANDARD_NO_PAD.encode_to_string(proto.encode_to_vec());
    if let Ok(value) = HeaderValue::try_from(text) {
        trailers.insert(GRPC_STATUS_DETAILS, value);
    }
}

/// The trailers of a call that ended with an error, the metadata of the error included.
#[must_use]
pub fn of(status: &Status) -> HeaderMap {
    let mut map = status.metadata.as_deref().cloned().unwrap_or_default().into_headers();
    write(status, &mut map);
    map
}

/// Decodes the base64 of `-bin` metadata; padding is optional (gRPC PROTOCOL-HTTP2, "Binary-Header").
#[must_use]
pub fn decode_bin(value: &[u8]) -> Option<Bytes> {
    let unpadded = match value {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        all => all,
    };
    base64_simd::STANDARD_NO_PAD.decode_to_vec(unpadded).ok().map(Bytes::from)
}

/// Everything but printable ASCII without `%` is encoded.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// "When decoding invalid values, implementations MUST NOT error": broken escapes stay as they are,
/// and what is no UTF-8 is replaced.
fn percent_decode(value: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.push(high << 4 | low);
            rest = after;
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::super::{Any, FieldViolation};
    use super::*;

    fn trailers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn a_status_survives_the_wire() {
        let violation = FieldViolation { field: "a".into(), description: "é".into() };
        let sent = Status::invalid("REASON", "50 % off\n“now”").with_violations(&[violation]);
        let mut map = HeaderMap::new();
        write(&sent, &mut map);
        let read = read(map).unwrap_err();
        assert_eq!(read.code, sent.code);
        assert_eq!(read.message, sent.message);
        assert_eq!(read.details, sent.details);
    }

    #[test]
    fn ok_leaves_the_other_trailers() {
        let metadata = read(trailers(&[("grpc-status", b"0"), ("x-cost", b"7")])).unwrap();
        assert_eq!(metadata.get("x-cost").unwrap(), "7");
        assert!(metadata.get("grpc-status").is_none());
    }

    #[test]
    fn a_missing_or_ambiguous_status_is_the_upstreams_fault() {
        let missing = read(HeaderMap::new()).unwrap_err();
        assert_eq!((missing.code, missing.origin), (Code::Unknown, Origin::Upstream));
        assert_eq!(missing.reason().as_deref(), Some("UPSTREAM_STATUS_MISSING"));
        let two = read(trailers(&[("grpc-status", b"0"), ("grpc-status", b"5")])).unwrap_err();
        assert_eq!(two.reason().as_deref(), Some("UPSTREAM_STATUS_AMBIGUOUS"));
    }

    #[test]
    fn hostile_trailers_are_read_as_far_as_they_go() {
        let status = read(trailers(&[
            ("grpc-status", b"99"),
            ("grpc-message", b"a%ZZ%4\xff%e4%bd%a0"),
            ("grpc-status-details-bin", b"!!!not base64!!!"),
        ]))
        .unwrap_err();
        assert_eq!(status.code, Code::Unknown);
        assert_eq!(status.message, "a%ZZ%4\u{fffd}你");
        assert_eq!(status.details, Vec::<Any>::new());
        let garbage = read(trailers(&[("grpc-status", b"five")])).unwrap_err();
        assert_eq!(garbage.code, Code::Unknown);
    }

    #[test]
    fn binary_metadata_may_be_padded() {
        assert_eq!(decode_bin(b"AA==").unwrap().as_ref(), [0]);
        assert_eq!(decode_bin(b"AA").unwrap().as_ref(), [0]);
        assert!(decode_bin(b"A").is_none());
    }
}
