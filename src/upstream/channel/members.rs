//! From the addresses of a specification to endpoints: one for each address of each name.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Authority;
use tokio::task::JoinHandle;

use crate::config::model::Address;
use crate::upstream::dial::{Place, Security};
use crate::upstream::endpoint::{Endpoint, Surroundings, Target};
use crate::upstream::spec::{Spec, Weighted};
use crate::upstream::tls::Tls;

/// An endpoint and its share.
pub struct Member {
    pub endpoint: Arc<Endpoint>,
    pub weight: u32,
    /// The same for the same target, whichever worker asks.
    pub hash: u64,
}

impl Member {
    /// Whether both are the same endpoint.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.endpoint, &other.endpoint)
    }
}

/// One address of the specification, and what is known of its name.
pub struct Source {
    pub weighted: Weighted,
    /// The task that looks the name up, if it is one that stands for many addresses.
    pub watch: Option<Watch>,
    known: Known,
}

/// What looking a name up has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    NotYet,
    Nothing,
    Addresses(Vec<SocketAddr>),
}

/// A task that ends with its handle.
pub struct Watch(JoinHandle<()>);

impl Watch {
    pub const fn new(task: JoinHandle<()>) -> Self {
        Self(task)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Source {
    /// The source of an address: the old one, with what it knows, if there was one.
    pub fn of(weighted: &Weighted, old: &mut Vec<Self>) -> Self {
        match old.iter().position(|source| source.weighted.address == weighted.address) {
            Some(index) => Self { weighted: weighted.clone(), ..old.swap_remove(index) },
            None => Self { weighted: weighted.clone(), watch: None, known: Known::NotYet },
        }
    }

    /// Takes what was found; whether that changes anything. A failure keeps what was known.
    pub fn learn(&mut self, found: &Result<Vec<SocketAddr>, String>) -> bool {
        let known = match found {
            Ok(addresses) => Known::Addresses(addresses.clone()),
            Err(why) => {
                tracing::warn!(address = ?self.weighted.address, "cannot resolve: {why}");
                match self.known {
                    Known::NotYet => Known::Nothing,
                    _ => return false,
                }
            }
        };
        let changed = self.known != known;
        self.known = known;
        changed
    }

    /// Whether a first answer is still to come.
    pub fn is_pending(&self) -> bool {
        self.watch.is_some() && self.known == Known::NotYet
    }

    fn places(&self) -> Vec<Place> {
        match &self.weighted.address {
            Address::Http { host, port } | Address::Https { host, port } => {
                vec![Place::Host(host.clone(), *port)]
            }
            Address::Unix(path) => vec![Place::Unix(path.clone())],
            Address::Dns { .. } => match &self.known {
                Known::Addresses(addresses) => addresses.iter().copied().map(Place::Address).collect(),
                Known::NotYet | Known::Nothing => Vec::new(),
            },
        }
    }
}

/// The members for a specification: old ones where the target is the same, new ones otherwise.
///
/// An address that no request can be sent to is left out, with a log line: the configuration's check
/// has refused it before.
pub fn build(spec: &Spec, sources: &[Source], old: &[Member], around: &Arc<Surroundings>) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for source in sources {
        for place in source.places() {
            let target = match target(spec, &source.weighted.address, place) {
                Ok(target) => target,
                Err(why) => {
                    tracing::error!(upstream = %spec.name, address = ?source.weighted.address, "unusable: {why}");
                    continue;
                }
            };
            match members.iter_mut().find(|member| member.endpoint.target == target) {
                Some(twin) => twin.weight = twin.weight.saturating_add(source.weighted.weight),
                None => members.push(member(target, source.weighted.weight, old, around)),
            }
        }
    }
    members
}

fn member(target: Target, weight: u32, old: &[Member], around: &Arc<Surroundings>) -> Member {
    if let Some(kept) = old.iter().find(|member| member.endpoint.target == target) {
        return Member { endpoint: kept.endpoint.clone(), weight, hash: kept.hash };
    }
    let mut hasher = DefaultHasher::new();
    target.place.hash(&mut hasher);
    Member { endpoint: Endpoint::start(target, around.clone()), weight, hash: hasher.finish() }
}

fn target(spec: &Spec, address: &Address, place: Place) -> Result<Target, String> {
    let (host, authority, encrypted) = match address {
        Address::Http { host, port } => (host.as_str(), authority(host, *port), false),
        Address::Https { host, port } => (host.as_str(), authority(host, *port), true),
        Address::Dns { name, port } => (name.as_str(), authority(name, *port), spec.tls.is_some()),
        Address::Unix(_) => ("localhost", "localhost".to_owned(), spec.tls.is_some()),
    };
    let authority = Authority::try_from(authority).map_err(|error| error.to_string())?;
    let security = encrypted.then(|| security(spec, host)).transpose()?;
    Ok(Target { place, security, authority })
}

/// RFC 3986 §3.2.2: an IPv6 address stands in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn security(spec: &Spec, host: &str) -> Result<Security, String> {
    let tls = spec.tls.clone().map_or_else(Tls::system, Ok);
    tls.and_then(|tls| Security::new(tls, host)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_answer_keeps_the_last_good_one() {
        let address = Address::Dns { name: "shop".into(), port: 80 };
        let mut source = Source::of(&Weighted { address, weight: 1 }, &mut Vec::new());
        let found = |last: u8| Ok(vec![SocketAddr::from(([127, 0, 0, last], 80))]);
        let failed = Err("SERVFAIL".to_owned());
        assert!(source.learn(&failed), "nothing is known, and that is an answer");
        assert_eq!(source.places(), []);
        assert!(source.learn(&found(1)));
        assert!(!source.learn(&found(1)), "the same again changes nothing");
        assert!(!source.learn(&failed));
        assert_eq!(source.places(), [Place::Address(([127, 0, 0, 1], 80).into())]);
        assert!(source.learn(&found(2)), "all addresses may change at once");
        assert_eq!(source.places(), [Place::Address(([127, 0, 0, 2], 80).into())]);
        // A reload that keeps the name keeps what is known of it.
        let weighted = Weighted { weight: 7, ..source.weighted.clone() };
        let kept = Source::of(&weighted, &mut vec![source]);
        assert_eq!((kept.weighted.weight, kept.places().len()), (7, 1));
    }
}
