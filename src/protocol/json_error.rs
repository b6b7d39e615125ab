//! Errors as HTTP and JSON clients see them: `google.rpc.Status` in ProtoJSON, with its HTTP status.
//!
//! `{"code":5,"message":"…","details":[…]}`; a detail whose type nobody knows survives as
//! `{"@type":…,"value":"<base64>"}`, so rendering an error never fails.

use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use prost::Message as _;

use crate::rpc::{Any, Origin, Status};
use crate::transcode::{Codec, WriteOptions};

use super::target::MetadataPolicy;
use super::{Body, headers};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// The whole response of an error; `policy` says what of an upstream's metadata may pass.
#[must_use]
pub fn response(status: &Status, codec: &Codec, policy: &MetadataPolicy) -> Response<Body> {
    let mut response = Response::new(Body::from(body(status, codec)));
    *response.status_mut() =
        StatusCode::from_u16(status.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    add_headers(status, policy, headers);
    headers.insert(CONTENT_TYPE, JSON);
    response
}

/// "The server generating a 401 response MUST send a WWW-Authenticate header field" (RFC 9110 §15.5.2).
fn add_headers(status: &Status, policy: &MetadataPolicy, headers: &mut HeaderMap) {
    match &status.metadata {
        Some(metadata) if status.origin == Origin::Upstream => headers::to_rest(metadata, policy, headers),
        Some(metadata) => headers.extend(metadata.iter().map(|(name, value)| (name.clone(), value.clone()))),
        None => {}
    }
    if status.http_status() == StatusCode::UNAUTHORIZED.as_u16() && !headers.contains_key(WWW_AUTHENTICATE) {
        headers.insert(WWW_AUTHENTICATE, BEARER);
    }
}

/// The JSON of a status, on one line.
#[must_use]
pub fn body(status: &Status, codec: &Codec) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"{\"code\":");
    out.extend_from_slice(status.code.number().to_string().as_bytes());
    out.extend_from_slice(b",\"message\":");
    write_string(&status.message, &mut out);
    if !status.details.is_empty() {
        out.extend_from_slice(b",\"details\":[");
        for (index, detail) in status.details.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_detail(detail, codec, &mut out);
        }
        out.push(b']');
    }
    out.push(b'}');
    out
}

fn write_detail(detail: &Any, codec: &Codec, out: &mut Vec<u8>) {
    let options = WriteOptions { unknown_any_as_base64: true, ..WriteOptions::default() };
    if codec.write_any(&detail.encode_to_vec(), &options, out).is_err() {
        out.extend_from_slice(b"{\"@type\":");
        write_string(&detail.type_url, out);
        out.extend_from_slice(b",\"value\":\"");
        base64_simd::STANDARD.encode_append(&detail.value, out);
        out.extend_from_slice(b"\"}");
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}
