//! URLs that keys of issuers may come from: `https`, or `http` to this machine.
//!
//! The configuration writes them, and so do the documents of issuers; how they are fetched is not known here.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

/// Reads a URL.
///
/// # Errors
/// What is wrong, in words that follow what it is; without the text, for a password may stand in it.
pub fn parse(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.parse().map_err(|_| "cannot be read")?;
    let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else { return Err("has no host") };
    if authority.as_str().contains('@') {
        return Err("must not hold a password: key sets are public");
    }
    if text.contains('#') {
        return Err("must not have a fragment");
    }
    if authority.host().is_empty() {
        return Err("has no host");
    }
    match scheme {
        scheme if *scheme == Scheme::HTTPS => Ok(url),
        // Whoever can change the keys on their way can forge every token.
        scheme if *scheme == Scheme::HTTP && is_this_machine(authority.host()) => Ok(url),
        scheme if *scheme == Scheme::HTTP => Err("must be https: http is for issuers on this machine only"),
        _ => Err("must be https"),
    }
}

/// Where an issuer says where its keys are (OpenID Connect Discovery 1.0 §4).
///
/// # Errors
/// Why it can say so nowhere.
pub fn discovery(issuer: &str) -> Result<Uri, &'static str> {
    let url = parse(issuer)?;
    if url.query().is_some() {
        return Err("must not have a query");
    }
    // "any terminating / MUST be removed" (§4.1).
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{base}/.well-known/openid-configuration").parse().map_err(|_| "cannot be read")
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_encrypted_or_from_this_machine() {
        for good in [
            "https://issuer.example.com/keys.json",
            "https://issuer.example.com",
            "https://[2001:db8::1]:8443/k?a=b",
            "http://127.0.0.1:8080/k",
            "http://[::1]/k",
            "http://LOCALHOST:1/k",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://issuer.example.com/k", "must be https: http is for issuers on this machine only"),
            ("http://127.0.0.1.example.com/k", "must be https: http is for issuers on this machine only"),
            ("http://10.0.0.1/k", "must be https: http is for issuers on this machine only"),
            ("ftp://issuer.example.com/k", "must be https"),
            ("https://user:secret@issuer.example.com/k", "must not hold a password: key sets are public"),
            ("http://localhost@evil.example/k", "must not hold a password: key sets are public"),
            ("https://issuer.example.com/k#x", "must not have a fragment"),
            ("https:///k", "cannot be read"),
            ("https://a b/k", "cannot be read"),
        ] {
            assert_eq!(parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn an_issuer_says_where_below_its_own_name() {
        for (issuer, document) in [
            ("https://a.example", Ok("https://a.example/.well-known/openid-configuration")),
            ("https://a.example/", Ok("https://a.example/.well-known/openid-configuration")),
            ("https://a.example/t/1", Ok("https://a.example/t/1/.well-known/openid-configuration")),
            ("http://[::1]:80/t/", Ok("http://[::1]:80/t/.well-known/openid-configuration")),
            ("https://a.example/?t=1", Err("must not have a query")),
            ("http://a.example", Err("must be https: http is for issuers on this machine only")),
            ("accounts", Err("has no host")),
        ] {
            let found = discovery(issuer).map(|url| url.to_string());
            assert_eq!(found, document.map(str::to_owned), "{issuer}");
        }
    }
}
