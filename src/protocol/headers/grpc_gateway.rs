//! The names that grpc-gateway gives to headers and metadata (grpc-gateway `runtime/context.go`), for
//! services and clients that were written for it.
//!
//! | HTTP | metadata |
//! |---|---|
//! | `Grpc-Metadata-NAME` | `NAME`, unless the request has a header `NAME` |
//! | the headers of [`PERMANENT`] | `grpcgateway-NAME` |
//! | `X-Forwarded-Host` or `Host` | `x-forwarded-host` |
//! | `X-Forwarded-For` and the peer | `x-forwarded-for` |
//! | `Grpc-Metadata-NAME` | `NAME` of an answer |

use http::header::{self, HOST, HeaderName, HeaderValue};
use http::request::Parts;

use crate::rpc::Status;
use crate::rpc::metadata::{GRPC_GATEWAY, is_reserved};
use crate::telemetry::guard::ClientInfo;

use super::gathered::Gathered;
use super::{FORWARDED_FOR, is_hop_by_hop};

const PREFIX: &str = "grpc-metadata-";
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Headers with a meaning in HTTP (grpc-gateway `isPermanentHTTPHeader`), those aside that describe the
/// body or end at each hop.
const PERMANENT: [HeaderName; 21] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_LANGUAGE,
    header::ACCEPT_RANGES,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::FROM,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::PRAGMA,
    header::REFERER,
    header::USER_AGENT,
    header::WARNING,
];

/// Adds what a request means by these conventions.
pub(super) fn add_request(head: &Parts, gathered: &mut Gathered) -> Result<(), Status> {
    for (name, value) in &head.headers {
        if is_hop_by_hop(&head.headers, name) {
            continue;
        }
        if let Some(name) = unprefixed(name) {
            // What the request says by the header itself, which may be a credential that was verified, stands alone.
            if !head.headers.contains_key(&name) {
                gathered.add(&name, value)?;
            }
        } else if PERMANENT.contains(name)
            && let Ok(name) = HeaderName::try_from(format!("{GRPC_GATEWAY}{name}"))
        {
            gathered.add(&name, value)?;
        }
    }
    add_forwarded(head, gathered)
}

/// The metadata that `Grpc-Metadata-NAME` means: none that HTTP, gRPC or this profile itself owns.
fn unprefixed(name: &HeaderName) -> Option<HeaderName> {
    let name = HeaderName::try_from(name.as_str().strip_prefix(PREFIX)?).ok()?;
    (!is_reserved(&name) && !name.as_str().starts_with(GRPC_GATEWAY)).then_some(name)
}

/// By whom a request came, as far as its sender is believed: the peer stands last.
fn add_forwarded(head: &Parts, gathered: &mut Gathered) -> Result<(), Status> {
    let said = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    if let Some(host) = said(&FORWARDED_HOST).or(authority).or_else(|| said(&HOST))
        && let Ok(host) = HeaderValue::try_from(host)
    {
        gathered.insert(FORWARDED_HOST, host)?;
    }
    let peer = head.extensions.get::<ClientInfo>().and_then(|client| client.peer);
    let lists = head.headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<_> =
        lists.map(str::to_owned).chain(peer.map(|peer| peer.ip().to_canonical().to_string())).collect();
    match HeaderValue::try_from(hops.join(", ")) {
        Ok(hops) if !hops.is_empty() => gathered.insert(FORWARDED_FOR, hops),
        _ => Ok(()),
    }
}

/// The header by which metadata of an answer are shown.
pub(super) fn response_name(name: &HeaderName) -> Option<HeaderName> {
    HeaderName::try_from(format!("{PREFIX}{name}")).ok()
}
