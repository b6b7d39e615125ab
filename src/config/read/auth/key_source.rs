//! `jwks`: a reference, or the URL of an issuer's keys.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

use super::{REFERENCE_FORM, reference_text};
use crate::config::auth::KeySource;
use crate::config::entry::Entry;

pub(super) fn read(entry: &Entry<'_>) -> Option<KeySource> {
    let text = entry.text()?;
    if !text.contains("://") {
        let help = format!("{REFERENCE_FORM}, or \"https://HOST/PATH\"");
        return reference_text(entry, text, &help).map(KeySource::Reference);
    }
    match url(text) {
        Ok(url) => Some(KeySource::Url(url)),
        // Without the text: a password may stand in it.
        Err(why) => entry.wrong(format!("the URL {why}"), "write one such as \"https://HOST/PATH\""),
    }
}

fn url(text: &str) -> Result<Uri, &'static str> {
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
            assert!(url(good).is_ok(), "{good}");
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
            assert_eq!(url(bad), Err(why), "{bad}");
        }
    }
}
