//! Where a listener listens and where an upstream is reached.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::name::is_host;
use crate::config::entry::Entry;
use crate::config::model::{Address, Listen};

const LISTEN_FORM: &str =
    "write an address and a port, such as \"127.0.0.1:8080\", or \"unix:/run/transom.sock\"";
const ENDPOINT_FORM: &str = "write http://HOST:PORT, https://HOST:PORT, unix:/PATH or dns:///NAME:PORT";

/// `unix:PATH` or an address and a port.
pub(super) fn listen(entry: &Entry<'_>, text: &str) -> Option<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_path(entry, path, LISTEN_FORM).map(Listen::Unix);
    }
    socket(entry, text).map(Listen::Tcp)
}

/// An address and a port.
pub(super) fn socket(entry: &Entry<'_>, text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let help = match text.rsplit_once(':') {
        Some(("", port)) => format!("write \"0.0.0.0:{port}\" for every address of this machine"),
        Some(("localhost", port)) => format!("write the address of the interface: \"127.0.0.1:{port}\""),
        _ => LISTEN_FORM.to_owned(),
    };
    entry.wrong(format!("\"{text}\" is no address to listen on"), help)
}

/// The address of an endpoint.
pub(super) fn endpoint(entry: &Entry<'_>, text: &str) -> Option<Address> {
    let wrong = |wrong: &str| entry.wrong(format!("\"{text}\" {wrong}"), ENDPOINT_FORM);
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_path(entry, path, ENDPOINT_FORM).map(Address::Unix);
    }
    let (make, rest, port): (fn(String, u16) -> Address, _, _) = match text.split_once("://") {
        Some(("http", rest)) => (|host, port| Address::Http { host, port }, rest, Some(80)),
        Some(("https", rest)) => (|host, port| Address::Https { host, port }, rest, Some(443)),
        Some(("dns", rest)) => match rest.strip_prefix('/') {
            Some(rest) => (|name, port| Address::Dns { name, port }, rest, None),
            None => return wrong("names a DNS server, which is not supported"),
        },
        _ => return wrong("is no endpoint"),
    };
    match split_authority(rest, port) {
        Ok((host, port)) => Some(make(host, port)),
        Err(what) => wrong(what),
    }
}

/// Splits `host:port` (RFC 3986 §3.2); a URL's path may be a lone slash.
fn split_authority(text: &str, default_port: Option<u16>) -> Result<(String, u16), &'static str> {
    let text = if default_port.is_some() { text.strip_suffix('/').unwrap_or(text) } else { text };
    if text.contains(['/', '?', '#']) {
        return Err("has a path, and a gRPC endpoint has none");
    }
    if text.contains('@') {
        return Err("has a user, and a gRPC endpoint has none");
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or("has no port after its address")?)),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let bracketed = text.starts_with('[');
    if !is_host(host) || bracketed != host.contains(':') {
        return Err("has no valid host");
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0),
        None => default_port,
    };
    Ok((host.to_ascii_lowercase(), port.ok_or("has no valid port")?))
}

/// A path after `unix:`; gRPC also writes `unix:///path`.
fn unix_path(entry: &Entry<'_>, path: &str, form: &str) -> Option<PathBuf> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('\0') {
        return entry.wrong("has no path after \"unix:\"", form);
    }
    Some(entry.resolve(path))
}

#[cfg(test)]
mod tests {
    use super::split_authority;

    #[test]
    fn authorities() {
        for (text, port, result) in [
            ("a:1", Some(80), Ok(("a".to_owned(), 1))),
            ("A.Example", Some(80), Ok(("a.example".to_owned(), 80))),
            ("a:1/", Some(80), Ok(("a".to_owned(), 1))),
            ("[::1]:50051", Some(80), Ok(("::1".to_owned(), 50051))),
            ("[::1]", Some(443), Ok(("::1".to_owned(), 443))),
            ("a", None, Err("has no valid port")),
            ("a:1/", None, Err("has a path, and a gRPC endpoint has none")),
            ("a:0", Some(80), Err("has no valid port")),
            ("a:65536", Some(80), Err("has no valid port")),
            ("a:", Some(80), Err("has no valid port")),
            (":1", Some(80), Err("has no valid host")),
            ("", Some(80), Err("has no valid host")),
            ("::1:50051", Some(80), Err("has no valid host")),
            ("[a]:1", Some(80), Err("has no valid host")),
            ("[::1]50051", Some(80), Err("has no port after its address")),
            ("a:1/x", Some(80), Err("has a path, and a gRPC endpoint has none")),
            ("u@a:1", Some(80), Err("has a user, and a gRPC endpoint has none")),
        ] {
            assert_eq!(split_authority(text, port), result, "{text}");
        }
    }
}
