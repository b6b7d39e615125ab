//! Names of other worlds that stand in a configuration: of protobuf, of hosts, of HTTP.

use std::net::IpAddr;

use http::HeaderName;

use crate::config::auth::Reference;
use crate::config::entry::Entry;
use crate::config::model::Selector;
use crate::rpc::metadata::is_reserved;

/// A selector: `pkg.Service.Method`, `pkg.Service.*`, `pkg.*` or `*`.
pub(super) fn selector(entry: &Entry<'_>) -> Option<Selector> {
    selector_text(entry, entry.text()?)
}

/// A selector among others of a list.
pub(super) fn selector_text(entry: &Entry<'_>, text: &str) -> Option<Selector> {
    if text == "*" {
        return Some(Selector::Prefix(String::new()));
    }
    let (name, selector): (_, fn(String) -> Selector) = match text.strip_suffix(".*") {
        Some(prefix) => (prefix, Selector::Prefix),
        None => (text, Selector::Exact),
    };
    if is_full_name(name) {
        return Some(selector(name.to_owned()));
    }
    entry.wrong(
        format!("\"{text}\" is no selector"),
        "write a full name or all below one, such as \"pkg.Service.Method\" or \"pkg.Service.*\"",
    )
}

/// The full name of one method.
pub(super) fn method(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text()?;
    if is_full_name(text) && text.contains('.') {
        return Some(text.to_owned());
    }
    entry.wrong(format!("\"{text}\" is no name of a method"), "write its full name: \"pkg.Service.Method\"")
}

/// The full name of one service.
pub(super) fn service(entry: &Entry<'_>, text: &str) -> Option<String> {
    if is_full_name(text) {
        return Some(text.to_owned());
    }
    entry.wrong(format!("\"{text}\" is no name of a service"), "write its full name: \"pkg.Service\"")
}

/// `body` or `response_body`: `*` (where allowed) or the path of a field.
pub(super) fn field(entry: &Entry<'_>, star: bool) -> Option<String> {
    let text = entry.text()?;
    if is_full_name(text) || star && text == "*" {
        return Some(text.to_owned());
    }
    let help = if star { "write \"*\" or the name of a field" } else { "write the name of a field" };
    entry.wrong(format!("\"{text}\" is no field"), help)
}

/// The name of a host, in lower case and without a port.
pub(super) fn host(entry: &Entry<'_>, text: &str) -> Option<String> {
    if is_host(text) {
        return Some(text.to_ascii_lowercase());
    }
    let help = match text {
        "annotated" => "write hosts = \"annotated\", without the list",
        _ => "write its name alone, without scheme, port or path: \"shop.example.com\"",
    };
    entry.wrong(format!("\"{text}\" is no host"), help)
}

/// Names with dots between them, as protobuf has them (google/protobuf/descriptor.proto, "full name").
fn is_full_name(text: &str) -> bool {
    text.split('.').all(|word| {
        let mut bytes = word.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Whether a text is a name of a host or an address, an IPv6 address without its brackets
/// (RFC 3986 §3.2.2, without percent-encoding).
pub(super) fn is_host(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text != "annotated" && text.split('.').all(is_label)
}

/// The name of a header.
pub(in crate::config) fn header(entry: &Entry<'_>) -> Option<HeaderName> {
    header_text(entry, entry.text()?)
}

/// The name of a header; what it is for is said by whoever asks.
pub(in crate::config) fn header_text(entry: &Entry<'_>, text: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(text.as_bytes())
        .ok()
        .or_else(|| entry.wrong(format!("\"{text}\" is no name of a header"), "write one such as \"x-user\""))
}

/// The name of metadata that the gateway writes: not one that gRPC or HTTP owns.
pub(in crate::config) fn metadata(entry: &Entry<'_>) -> Option<HeaderName> {
    metadata_text(entry, entry.text()?)
}

/// The name of metadata, where it is a key.
pub(in crate::config) fn metadata_text(entry: &Entry<'_>, text: &str) -> Option<HeaderName> {
    let name = header_text(entry, text)?;
    if is_reserved(&name) || name.as_str().ends_with("-bin") {
        let help = "write one of your own, such as \"x-user\"";
        return entry.wrong(format!("\"{name}\" cannot be set as metadata"), help);
    }
    Some(name)
}

/// The name of a header that passes as metadata, or back: not one that gRPC or HTTP owns.
pub(in crate::config) fn passing_text(entry: &Entry<'_>, text: &str) -> Option<HeaderName> {
    let name = header_text(entry, text)?;
    if is_reserved(&name) {
        let help = "leave it out: it belongs to HTTP or to gRPC itself";
        return entry.wrong(format!("\"{name}\" cannot pass as metadata"), help);
    }
    Some(name)
}

/// The name of a header that an answer is given or that is taken from it: not one that somebody else answers
/// for.
pub(in crate::config) fn response_text(entry: &Entry<'_>, text: &str) -> Option<HeaderName> {
    let name = header_text(entry, text)?;
    match owner(name.as_str()) {
        Some(help) => entry.wrong(format!("\"{name}\" of an answer is not yours to write"), help),
        None => Some(name),
    }
}

/// Who writes a header of answers, if it is not the configuration.
fn owner(name: &str) -> Option<&'static str> {
    match name {
        "content-type" | "content-length" | "content-encoding" | "content-range" | "date" => {
            Some("leave it out: it tells what the content is")
        }
        "connection" | "keep-alive" | "proxy-connection" | "proxy-authenticate" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" | "http2-settings" => {
            Some("leave it out: it belongs to the connection")
        }
        "x-request-id" => Some("leave it out: every answer has the name of its request"),
        name if name.starts_with("access-control-") => Some("set `cors`, which knows the page that asks"),
        name if name.starts_with("sec-websocket-") => Some("leave it out: it belongs to the handshake"),
        name if name.starts_with("grpc-") => Some("leave it out: it belongs to gRPC"),
        _ => None,
    }
}

/// What stands for a secret: `file:PATH`, from the root, or `env:NAME`; `None` for any other text.
pub(in crate::config) fn reference(entry: &Entry<'_>, text: &str) -> Option<Reference> {
    match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(Reference::File(entry.resolve(path))),
        Some(("env", name)) if !name.is_empty() => Some(Reference::Env(name.to_owned())),
        _ => None,
    }
}

/// A JSON pointer (RFC 6901) to something inside.
pub(in crate::config) fn pointer(entry: &Entry<'_>, text: &str) -> Option<String> {
    if text.starts_with('/') {
        return Some(text.to_owned());
    }
    entry.wrong(format!("\"{text}\" is no JSON pointer"), format!("write \"/{text}\""))
}

/// A token of HTTP (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names() {
        for good in ["a", "shop.v1.Shop.Get", "_a.B2"] {
            assert!(is_full_name(good), "{good}");
        }
        for bad in ["", ".", ".a", "a.", "a..b", "2a", "a-b", "a.*", "ä", "a b"] {
            assert!(!is_full_name(bad), "{bad}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["localhost", "shop.example.com", "my_svc", "10.0.0.1", "::1", "a-b.c"] {
            assert!(is_host(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "a..b", "a:1", "http://a", "[::1]", "a/b", "*.a", "a b", "ä.de", &long, "annotated"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn tokens() {
        assert!(is_token("PROPFIND") && is_token("*"));
        assert!(!is_token("") && !is_token("A B") && !is_token("A/B"));
    }
}
