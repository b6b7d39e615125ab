//! From the configuration to a [`Spec`].

use std::sync::Arc;

use super::{Balance, Spec, Weighted};
use crate::config::model::{self, Address};
use crate::config::problem::{Located, Location, Problem};
use crate::upstream::dial::Security;
use crate::upstream::tls::{Tls, TlsError, TlsFiles};

impl Spec {
    /// What the configuration says of an upstream, with its TLS files read.
    ///
    /// # Errors
    /// When TLS cannot be set up, or an `https` endpoint's host can stand in no certificate.
    pub fn load(upstream: &model::Upstream) -> Result<Self, Vec<Problem>> {
        let endpoints = upstream.endpoints.iter().map(|endpoint| Weighted {
            address: endpoint.value.address.clone(),
            weight: endpoint.value.weight,
        });
        let balance = match upstream.balance.value {
            model::Balance::P2c => Balance::P2c,
            model::Balance::RoundRobin => Balance::RoundRobin,
            model::Balance::Hash(_) => Balance::Hash,
        };
        let tls = upstream.tls.as_ref().map(|tls| load_tls(tls, &upstream.at)).transpose();
        let tls = tls.map_err(|problem| vec![problem])?;
        let health = upstream.health.as_ref().map(|health| health.service.clone());
        let spec =
            Self { endpoints: endpoints.collect(), tls, balance, health, ..Self::new(&upstream.name, []) };
        let problems: Vec<_> =
            upstream.endpoints.iter().filter_map(|endpoint| spec.verifiable(endpoint).err()).collect();
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    /// Whether an endpoint's certificate could be verified.
    fn verifiable(&self, endpoint: &Located<model::Endpoint>) -> Result<(), Problem> {
        let Address::Https { host, .. } = &endpoint.value.address else { return Ok(()) };
        let tls = self.tls.clone().map_or_else(Tls::system, Ok);
        let security = tls.and_then(|tls| Security::new(tls, host));
        security.map(drop).map_err(|error| Problem::error(endpoint.at.clone(), error.to_string()))
    }
}

fn load_tls(tls: &model::UpstreamTls, at: &Location) -> Result<Arc<Tls>, Problem> {
    let client = tls.client.as_ref();
    let files = TlsFiles {
        ca: tls.ca.as_ref().map(|ca| ca.value.clone()),
        cert: client.map(|client| client.cert.value.clone()),
        key: client.map(|client| client.key.value.clone()),
        server_name: tls.server_name.as_ref().map(|name| name.value.clone()),
    };
    let places = [tls.ca.as_ref(), client.map(|client| &client.cert), client.map(|client| &client.key)];
    Tls::load(&files).map(Arc::new).map_err(|error| {
        let place = match &error {
            TlsError::Read(path, _) | TlsError::Pem(path, _) => {
                places.into_iter().flatten().find(|place| place.value == *path).map(|place| &place.at)
            }
            TlsError::ServerName(_) => tls.server_name.as_ref().map(|name| &name.at),
            TlsError::HalfIdentity | TlsError::Unusable(_) | TlsError::NoRoots => None,
        };
        Problem::error(place.unwrap_or(at).clone(), error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located<T>(value: T, key: &str) -> Located<T> {
        Located { value, at: Location { key: key.to_owned(), ..Location::default() } }
    }

    fn upstream(addresses: &[Address], tls: Option<model::UpstreamTls>) -> model::Upstream {
        let endpoint = |(index, address): (usize, &Address)| {
            let endpoint = model::Endpoint { address: address.clone(), weight: 3 };
            located(endpoint, &format!("endpoints[{index}]"))
        };
        model::Upstream {
            name: "shop".into(),
            endpoints: addresses.iter().enumerate().map(endpoint).collect(),
            services: None,
            hosts: model::Hosts::Any,
            prefix: None,
            auto_routes: true,
            balance: located(model::Balance::RoundRobin, "balance"),
            tls,
            health: Some(model::Health { service: "shop.Shop".into() }),
            policy: model::PolicyKeys::default(),
            at: Location { key: "upstreams.shop".into(), ..Location::default() },
        }
    }

    fn https(host: &str) -> Address {
        Address::Https { host: host.into(), port: 443 }
    }

    #[test]
    fn endpoints_balance_and_health_are_taken_over() {
        let address = Address::Http { host: "::1".into(), port: 1 };
        let spec = Spec::load(&upstream(std::slice::from_ref(&address), None)).unwrap();
        assert_eq!(&*spec.name, "shop");
        assert_eq!(spec.endpoints, [Weighted { address, weight: 3 }]);
        assert_eq!(spec.balance, Balance::RoundRobin);
        assert_eq!(spec.health.as_deref(), Some("shop.Shop"));
    }

    #[test]
    fn mistakes_of_tls_are_told_at_their_place() {
        let ca = located("/nonexistent.pem".into(), "tls.ca");
        let tls = model::UpstreamTls { ca: Some(ca), ..model::UpstreamTls::default() };
        let problems = Spec::load(&upstream(&[https("a")], Some(tls))).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].at.key, "tls.ca");
        assert!(problems[0].message.starts_with("cannot read /nonexistent.pem"), "{}", problems[0]);
    }

    #[test]
    fn hosts_that_no_certificate_can_name_are_told_at_their_endpoint() {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, made.cert.pem()).unwrap();
        let tls = model::UpstreamTls { ca: Some(located(path, "tls.ca")), ..model::UpstreamTls::default() };
        let problems = Spec::load(&upstream(&[https("a"), https("a_b c")], Some(tls))).unwrap_err();
        assert_eq!(
            problems.iter().map(|problem| problem.at.key.as_str()).collect::<Vec<_>>(),
            ["endpoints[1]"]
        );
    }
}
