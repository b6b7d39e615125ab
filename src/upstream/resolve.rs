//! The addresses of a `dns:///` name, looked up again and again.
//!
//! A name that has no answer for a while keeps the addresses of its last one: a service does not vanish
//! because its name server does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::error::Elapsed;
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
    found: impl FnMut(Result<Vec<SocketAddr>, String>) -> bool,
) {
    let lookup = || {
        let name = name.clone();
        async move { lookup_host((name, port)).await.map(Iterator::collect) }
    };
    let period = || around.spec.load().timers.resolve.mul_f64(around.random.between(0.9, 1.1));
    repeat(lookup, around.lost.subscribe(), period, found).await;
}

async fn repeat<F: Future<Output = io::Result<Vec<SocketAddr>>>>(
    lookup: impl Fn() -> F,
    mut lost: watch::Receiver<()>,
    period: impl Fn() -> Duration,
    mut found: impl FnMut(Result<Vec<SocketAddr>, String>) -> bool,
) {
    while found(read(timeout(LOOKUP, lookup()).await)) {
        sleep(PAUSE).await;
        // A lost connection and the time are both a reason to look again.
        let _ = timeout(period().saturating_sub(PAUSE), lost.changed()).await;
    }
}

/// An answer in a form that can be compared; none at all is no answer.
fn read(answer: Result<io::Result<Vec<SocketAddr>>, Elapsed>) -> Result<Vec<SocketAddr>, String> {
    let answer = answer.map_err(|_| format!("no answer within {LOOKUP:?}"))?;
    few(answer.map_err(|error| error.to_string())?)
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
    use std::cell::RefCell;

    use tokio::time::Instant;

    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([127, 0, 0, last], 80).into()
    }

    /// When each of some answers was found, in seconds, and what was; a connection is lost at `lost`.
    async fn run(
        answers: Vec<io::Result<Vec<SocketAddr>>>,
        lost: Option<u64>,
    ) -> Vec<(u64, Result<Vec<SocketAddr>, String>)> {
        let (count, start) = (answers.len(), Instant::now());
        let answers = RefCell::new(answers.into_iter());
        let (mut found, losing) = (Vec::new(), watch::Sender::new(()));
        let lookup = || {
            let answer = answers.borrow_mut().next();
            async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            }
        };
        let loses = async {
            if let Some(at) = lost {
                sleep(Duration::from_secs(at)).await;
                losing.send_replace(());
            }
            std::future::pending::<()>().await;
        };
        let repeats = repeat(
            lookup,
            losing.subscribe(),
            || Duration::from_secs(30),
            |answer| {
                found.push((start.elapsed().as_secs(), answer));
                found.len() < count
            },
        );
        tokio::select! {
            () = repeats => {}
            () = loses => {}
        }
        found
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_every_period_and_when_a_connection_is_lost() {
        let answers = || (1..4).map(|last| Ok(vec![address(last)])).collect::<Vec<_>>();
        let times = |found: Vec<(u64, _)>| found.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(times(run(answers(), None).await), [0, 30, 60]);
        assert_eq!(times(run(answers(), Some(10)).await), [0, 10, 40]);
        // Connections that are lost in a row are no reason to ask in a row.
        assert_eq!(times(run(answers(), Some(0)).await), [0, 1, 31]);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_sorted_bounded_and_never_empty() {
        let many = (0..=255).flat_map(|third| [[10, 0, third, 1], [10, 0, third, 1], [10, 1, third, 1]]);
        let many: Vec<SocketAddr> = many.rev().map(|ip| (ip, 80).into()).collect();
        let broken = io::Error::other("SERVFAIL");
        let answers = vec![Ok(vec![address(2), address(1), address(2)]), Ok(vec![]), Err(broken), Ok(many)];
        let found: Vec<_> = run(answers, None).await.into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(found[0], Ok(vec![address(1), address(2)]));
        assert_eq!(found[1], Err("the name has no addresses".to_owned()));
        assert_eq!(found[2], Err("SERVFAIL".to_owned()));
        assert_eq!(found[3].as_ref().unwrap().len(), ADDRESSES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_hangs_is_an_answer_too() {
        let found = RefCell::new(Vec::new());
        let lookup = std::future::pending;
        let lost = watch::Sender::new(());
        let period = || Duration::from_secs(30);
        repeat(lookup, lost.subscribe(), period, |answer| {
            found.borrow_mut().push(answer);
            false
        })
        .await;
        assert_eq!(found.into_inner(), [Err("no answer within 5s".to_owned())]);
    }

    #[test]
    fn n08_a_thousand_addresses_are_cut_and_none_is_a_failure() {
        let many = (0..1000_u16).rev().map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let few_of_them = few(many).unwrap();
        assert_eq!(few_of_them.len(), ADDRESSES);
        assert!(few_of_them.is_sorted(), "the same ones whatever the order of the answer");
        assert!(few(Vec::new()).is_err());
    }
}
