//! The head of an answer: is it gRPC at all, has the call ended with it, how are messages compressed
//! (gRPC PROTOCOL-HTTP2, "Responses"; http-grpc-status-mapping.md).

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode, response};

use crate::rpc::{Code, Metadata, Origin, Status, trailers};
use crate::upstream::failure::{Failure, HTTP_STATUS};

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What a head says.
pub enum Head {
    /// Messages follow.
    Messages { metadata: Metadata, encoding: Option<HeaderValue> },
    /// The call has ended well, without a message.
    Ended(Metadata),
}

/// Reads a head.
///
/// # Errors
/// The status of a call that has ended with its head (Trailers-Only), or what an answer that is not
/// gRPC's amounts to.
pub fn read(parts: response::Parts, ended: bool) -> Result<Head, Failure> {
    let response::Parts { status, mut headers, .. } = parts;
    if !is_grpc(&headers) {
        return Err(not_grpc(status, &headers).into());
    }
    // Some proxies end Trailers-Only with an empty DATA frame; a status in a head can mean nothing else.
    if ended || headers.contains_key(trailers::GRPC_STATUS) {
        if status != StatusCode::OK && !headers.contains_key(trailers::GRPC_STATUS) {
            return Err(not_grpc(status, &headers).into());
        }
        return trailers::read(headers).map(Head::Ended).map_err(Failure::from);
    }
    if status != StatusCode::OK {
        return Err(not_grpc(status, &headers).into());
    }
    let encoding = headers.remove(GRPC_ENCODING).filter(|encoding| encoding != "identity");
    Ok(Head::Messages { metadata: Metadata::from_upstream(headers), encoding })
}

/// `application/grpc`, alone or with a suffix or parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let rest = match value.split_at_checked("application/grpc".len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case("application/grpc") => rest,
        _ => return false,
    };
    rest.is_empty() || rest.starts_with(['+', ';', ' '])
}

fn not_grpc(status: StatusCode, headers: &HeaderMap) -> Status {
    if status != StatusCode::OK {
        let message = format!("the upstream answered with HTTP status {}", status.as_u16());
        let code = Code::from_http_status(status.as_u16());
        return Status::new(code, Origin::Upstream, HTTP_STATUS, message);
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let message = match kind {
        Some(kind) => format!("the upstream answered with `{kind}`, which is not gRPC"),
        None => "the upstream answered without a content type, which is not gRPC".to_owned(),
    };
    Status::bad_upstream("UPSTREAM_NOT_GRPC", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, pairs: &[(&'static str, &'static str)], ended: bool) -> Result<Head, Status> {
        let mut response = http::Response::builder().status(status);
        for (name, value) in pairs {
            response = response.header(*name, *value);
        }
        read(response.body(()).unwrap().into_parts().0, ended).map_err(|failure| failure.status)
    }

    #[test]
    fn content_types_of_grpc() {
        for kind in ["application/grpc", "application/grpc+proto", "Application/GRPC; charset=utf-8"] {
            assert!(head(200, &[("content-type", kind)], false).is_ok(), "{kind}");
        }
        for kind in ["application/grpc-web", "text/html", "", "application/grpcx"] {
            let status = head(200, &[("content-type", kind)], false).err().unwrap();
            assert_eq!(status.reason().as_deref(), Some("UPSTREAM_NOT_GRPC"), "{kind}");
        }
        assert!(head(200, &[], false).is_err());
    }

    #[test]
    fn answers_of_http_keep_the_meaning_of_their_status() {
        let cases = [
            (301, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (500, Code::Unknown),
            (503, Code::Unavailable),
        ];
        for (http, code) in cases {
            for kind in ["text/html", "application/grpc"] {
                let status = head(http, &[("content-type", kind)], true).err().unwrap();
                assert_eq!(status.code, code, "{http} {kind}");
                assert_eq!(status.reason().as_deref(), Some("UPSTREAM_HTTP_STATUS"));
                assert_eq!(status.origin, Origin::Upstream);
            }
        }
    }

    #[test]
    fn a_status_in_the_head_ends_the_call() {
        let grpc = ("content-type", "application/grpc");
        for ended in [true, false] {
            let status = head(200, &[grpc, ("grpc-status", "5")], ended).err().unwrap();
            assert_eq!(status.code, Code::NotFound);
            assert!(matches!(head(200, &[grpc, ("grpc-status", "0")], ended), Ok(Head::Ended(_))));
        }
        let missing = head(200, &[grpc], true).err().unwrap();
        assert_eq!(missing.reason().as_deref(), Some("UPSTREAM_STATUS_MISSING"));
    }

    #[test]
    fn identity_is_no_compression() {
        let grpc = ("content-type", "application/grpc");
        let encoding = |value| match head(200, &[grpc, ("grpc-encoding", value)], false) {
            Ok(Head::Messages { encoding, .. }) => encoding,
            _ => panic!("messages follow"),
        };
        assert_eq!(encoding("identity"), None);
        assert_eq!(encoding("gzip").unwrap(), "gzip");
    }
}
