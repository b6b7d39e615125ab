//! The addresses of a `dns:///` name, looked up again and again.
//!
//! A name that has no answer for a while keeps the addresses of its last one: a service does not vanish
//! because its name server does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

use super::endpoint::Surroundings;

/// How long a lookup may take.
const LOOKUP: Duration = Duration::from_secs(5);

/// Lookups follow lost connections, but not faster than this.
const PAUSE: Duration = Duration::from_secs(1);

/// More addresses than this are left out: every worker keeps a connection to each.
const ADDRESSES: usize = 256;

/// Looks a name up, at once and then whenever a connection is lost or the time has come, and hands on
/// what was found: addresses, sorted, or why there are none. Ends when `found` says that nobody listens
/// any longer.
pub async fn watch(
    name: String,
    port: u16,
    around: Arc<Surroundings>,
    mut found: impl FnMut(Result<Vec<SocketAddr>, String>) -> bool,
) {
    let mut lost = around.lost.subscribe();
    while found(lookup(&name, port).await) {
        sleep(PAUSE).await;
        let period = around.spec.load().timers.resolve;
        let rest = period.mul_f64(around.random.between(0.9, 1.1)).saturating_sub(PAUSE);
        // A lost connection and the time are both a reason to look again.
        let _ = timeout(rest, lost.changed()).await;
    }
}

async fn lookup(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let answer = timeout(LOOKUP, lookup_host((name, port))).await;
    let answer = answer.map_err(|_| format!("no answer within {LOOKUP:?}"))?;
    few(answer.map_err(|error| error.to_string())?.collect())
}

/// Addresses in order, each once, and not too many.
fn few(mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    if addresses.is_empty() {
        return Err("the name has no addresses".to_owned());
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES);
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n08_a_thousand_addresses_are_cut_and_none_is_a_failure() {
        let many = (0..1000_u16).rev().map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let few_of_them = few(many).unwrap();
        assert_eq!(few_of_them.len(), ADDRESSES);
        assert!(few_of_them.is_sorted(), "the same ones whatever the order of the answer");
        assert!(few(Vec::new()).is_err());
    }

    #[tokio::test]
    async fn names_become_sorted_addresses() {
        let addresses = lookup("127.0.0.1", 80).await.unwrap();
        assert_eq!(addresses, ["127.0.0.1:80".parse().unwrap()]);
        assert!(lookup("no-such-name.invalid", 80).await.is_err());
    }
}
