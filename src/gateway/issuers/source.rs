//! Where the keys of an issuer are: at a URL, or where the issuer's own document says (OpenID Connect Discovery
//! 1.0 §4). Both are fetched anew each time, so that an issuer may move its keys.
//!
//! When keys are fetched, and what is in them, is not known here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::uri::Scheme;
use serde::Deserialize;
use tokio::time::timeout;

use crate::config::auth::key_url;
use crate::upstream::fetch::{Fetch, FetchError, PATIENCE};

/// See the module. Two are equal that lead to the same keys for the same reason.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::gateway) enum Source {
    At(Fetch),
    Discovered { document: Fetch, issuer: Arc<str> },
}

/// What counts of an issuer's document (§3).
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// A key set and for how long it says to be fresh, or why there is none.
pub(super) type Fetched = Result<(Bytes, Option<Duration>), String>;

impl Source {
    /// The URL that is asked first.
    pub(super) const fn url(&self) -> &Uri {
        match self {
            Self::At(fetch) | Self::Discovered { document: fetch, .. } => fetch.url(),
        }
    }

    /// Fetches the key set, in the time of one document.
    pub(super) async fn fetch(&self) -> Fetched {
        match self {
            Self::At(fetch) => keys(fetch).await,
            Self::Discovered { document, issuer } => {
                let discovered = async { keys(&keys_of(document, issuer).await?).await };
                let late = || Err(FetchError::TimedOut.to_string());
                timeout(PATIENCE, discovered).await.unwrap_or_else(|_| late())
            }
        }
    }
}

async fn keys(fetch: &Fetch) -> Fetched {
    let document = fetch.get().await.map_err(|error| error.to_string())?;
    Ok((document.body, document.max_age))
}

/// Where the keys are, by the document of their issuer.
async fn keys_of(document: &Fetch, issuer: &str) -> Result<Fetch, String> {
    let found = document.get().await.map_err(|error| error.to_string())?;
    let url = jwks_uri(&found.body, issuer, document.url().scheme())?;
    document.with_url(&url).map_err(|error| error.to_string())
}

/// The `jwks_uri` of a document that came by `scheme`.
fn jwks_uri(document: &[u8], issuer: &str, scheme: Option<&Scheme>) -> Result<Uri, String> {
    let document: Document = serde_json::from_slice(document).map_err(|error| {
        format!("no document of an issuer (line {}, column {})", error.line(), error.column())
    })?;
    // "MUST be identical" (§4.3): a document of somebody else speaks for somebody else.
    if document.issuer != issuer {
        return Err("its document is of another issuer".to_owned());
    }
    let url = key_url::parse(&document.jwks_uri).map_err(|why| format!("its jwks_uri {why}"))?;
    if scheme == Some(&Scheme::HTTPS) && url.scheme() != scheme {
        return Err("its jwks_uri must be https, as its document is".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_believed_of_its_own_issuer_only() {
        let of = |issuer: &str, jwks_uri: &str, scheme| {
            let text = format!("{{\"issuer\":\"{issuer}\",\"jwks_uri\":\"{jwks_uri}\",\"other\":[1]}}");
            jwks_uri_of(text.as_bytes(), &scheme)
        };
        let name = "https://a.example/t";
        assert_eq!(of(name, "https://keys.example/k", Scheme::HTTPS), Ok("https://keys.example/k".into()));
        assert_eq!(of(name, "http://localhost/k", Scheme::HTTP), Ok("http://localhost/k".into()));
        for (issuer, url, why) in [
            ("https://a.example/t/", "https://a.example/k", "its document is of another issuer"),
            ("https://A.example/t", "https://a.example/k", "its document is of another issuer"),
            (name, "http://localhost/k", "its jwks_uri must be https, as its document is"),
            (name, "/k", "its jwks_uri has no host"),
            (name, "file:///etc/passwd", "its jwks_uri cannot be read"),
            (
                name,
                "http://169.254.169.254/k",
                "its jwks_uri must be https: http is for issuers on this machine only",
            ),
        ] {
            assert_eq!(of(issuer, url, Scheme::HTTPS), Err(why.to_owned()), "{issuer} {url}");
        }
        for text in ["", "<html>", "[]", "{}", "{\"issuer\":\"https://a.example/t\"}", "{\"issuer\":1}"] {
            let told = jwks_uri_of(text.as_bytes(), &Scheme::HTTPS).unwrap_err();
            assert!(told.starts_with("no document of an issuer (line "), "{text}: {told}");
        }
    }

    fn jwks_uri_of(text: &[u8], scheme: &Scheme) -> Result<String, String> {
        jwks_uri(text, "https://a.example/t", Some(scheme)).map(|url| url.to_string())
    }
}
