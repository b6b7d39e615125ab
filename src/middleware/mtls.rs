//! Callers that are known by the certificate of their connection: the names in it (SPIFFE X509-SVID §2, or
//! any URI or DNS name), which the listener has had vouched for by its `client_ca`.
//!
//! A name is compared whole, or with all below a prefix that ends with a slash. How certificates are verified
//! and read is the server's.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, request::Parts};
use serde_json::json;

use super::clock::now;
use super::credential;
use super::identity::{Identity, told};
use crate::config::auth::{CertificateName, Mtls as Spec};
use crate::rpc::Status;
use crate::telemetry::ClientInfo;
use crate::telemetry::guard::ClientCertificate;

/// Where other gateways say what certificate a client has shown them. What a client says of itself there
/// reaches nobody who might believe it.
static FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// The certificates of one block.
#[derive(Debug)]
pub struct Mtls {
    policy: Arc<str>,
    spec: Spec,
}

impl Mtls {
    /// A block.
    #[must_use]
    pub const fn new(policy: Arc<str>, spec: Spec) -> Self {
        Self { policy, spec }
    }

    /// Names of metadata that identities write, and one that no client may.
    pub fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.spec.claims_to_metadata.values().chain([&FORWARDED])
    }

    /// The challenge of a 401. No scheme is registered for certificates.
    #[must_use]
    pub fn challenge(&self) -> HeaderValue {
        credential::challenge("ClientCertificate", &self.policy, &[])
    }

    /// Looks at the certificate of a request's connection; `None` when there is none.
    ///
    /// # Errors
    /// A certificate of somebody else, or one that is over.
    pub fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        let client = head.extensions.get::<ClientInfo>();
        let Some(certificate) = client.and_then(|client| client.certificate.as_deref()) else {
            return Ok(None);
        };
        let identity = self
            .identify(certificate)
            .map_err(|why| credential::invalid("CERTIFICATE_INVALID", why, self.challenge()))?;
        // Connections live long, and the handshake has looked only once.
        if identity.is_good(now()) {
            return Ok(Some(Arc::new(identity)));
        }
        Err(credential::invalid(
            "CERTIFICATE_INVALID",
            "the client's certificate has expired",
            self.challenge(),
        ))
    }

    fn identify(&self, certificate: &ClientCertificate) -> Result<Identity, &'static str> {
        let ClientCertificate { uris, dns, expires } = certificate;
        // "An X.509 SVID MUST contain exactly one URI SAN" (SPIFFE X509-SVID §2): of two, one is for show.
        if uris.len() > 1 && uris.iter().any(|uri| uri.starts_with("spiffe://")) {
            return Err("the client's certificate has a SPIFFE ID beside another URI");
        }
        let (mut uris, mut dns) = (uris.iter(), dns.iter());
        let subject =
            uris.find(|uri| self.admits_uri(uri)).or_else(|| dns.find(|name| self.admits_dns(name)));
        let subject = subject.ok_or("the client's certificate has none of the names that may call")?;
        let claims = json!({ "sub": subject, "uri": certificate.uris, "dns": certificate.dns });
        Ok(Identity {
            policy: Arc::clone(&self.policy),
            subject: subject.clone(),
            scopes: Vec::new(),
            metadata: told(&claims, &self.spec.claims_to_metadata),
            claims,
            strip: None,
            is_token: false,
            expires: Some(*expires),
        })
    }

    fn admits_uri(&self, uri: &str) -> bool {
        self.spec.names.is_empty()
            || self.spec.names.iter().any(|name| match name {
                CertificateName::Uri(own) => own == uri,
                CertificateName::UriBelow(prefix) => uri.len() > prefix.len() && uri.starts_with(prefix),
                CertificateName::Dns(_) => false,
            })
    }

    fn admits_dns(&self, dns: &str) -> bool {
        self.spec.names.is_empty()
            || self.spec.names.iter().any(|name| match name {
                CertificateName::Dns(own) => own.eq_ignore_ascii_case(dns),
                CertificateName::Uri(_) | CertificateName::UriBelow(_) => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(names: &[CertificateName]) -> Mtls {
        let claims_to_metadata = [("/sub".to_owned(), HeaderName::from_static("x-client"))].into();
        Mtls::new("mesh".into(), Spec { names: names.to_vec(), claims_to_metadata })
    }

    fn ask(block: &Mtls, uris: &[&str], dns: &[&str], expires: u64) -> Result<Box<str>, String> {
        let own = |names: &[&str]| names.iter().map(|&name| Box::from(name)).collect();
        let certificate = ClientCertificate { uris: own(uris), dns: own(dns), expires };
        let mut request = http::Request::new(());
        let client = ClientInfo { certificate: Some(Arc::new(certificate)), ..ClientInfo::default() };
        request.extensions_mut().insert(client);
        let answer = block.authenticate(&request.into_parts().0);
        answer.map(|identity| identity.unwrap().subject.clone()).map_err(|status| status.message.into_owned())
    }

    #[test]
    fn names_are_compared_whole() {
        let shop = CertificateName::Uri("spiffe://example.org/shop".into());
        let below = CertificateName::UriBelow("spiffe://example.org/team/".into());
        let dns = CertificateName::Dns("client.example.org".into());
        let block = block(&[shop, below, dns]);
        for good in
            ["spiffe://example.org/shop", "spiffe://example.org/team/a", "spiffe://example.org/team/a/b"]
        {
            assert_eq!(ask(&block, &[good], &[], u64::MAX).as_deref(), Ok(good));
        }
        for wrong in [
            "spiffe://example.org/shop2",
            "spiffe://example.org/shop/x",
            "spiffe://example.org/Shop",
            "spiffe://example.org/team/",
            "spiffe://example.org/team",
            "spiffe://example.org.evil/shop",
            "",
            "client.example.org",
        ] {
            assert!(ask(&block, &[wrong], &[], u64::MAX).is_err(), "{wrong}");
        }
        assert_eq!(
            ask(&block, &[], &["other", "CLIENT.example.org"], u64::MAX).as_deref(),
            Ok("CLIENT.example.org")
        );
        for wrong in [
            "evil.client.example.org",
            "client.example.org.evil",
            "*.example.org",
            "spiffe://example.org/shop",
        ] {
            assert!(ask(&block, &[], &[wrong], u64::MAX).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_spiffe_id_stands_alone_and_certificates_end() {
        let block = block(&[]);
        let two = ["https://a.example/x", "spiffe://example.org/shop"];
        assert!(ask(&block, &two, &[], u64::MAX).unwrap_err().contains("SPIFFE"));
        assert_eq!(ask(&block, &["urn:a", "urn:b"], &["c"], u64::MAX).as_deref(), Ok("urn:a"));
        assert!(ask(&block, &[], &[], u64::MAX).unwrap_err().contains("none of the names"));
        assert_eq!(ask(&block, &["urn:a"], &[], now()), Err("the client's certificate has expired".into()));
        assert!(block.authenticate(&http::Request::new(()).into_parts().0).unwrap().is_none());
    }
}
