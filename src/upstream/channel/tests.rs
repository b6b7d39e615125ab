//! What looking up names brings (N8 of the table of faults), and what becomes of the endpoints.

use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use super::*;
use crate::rpc::Code;

const ASK: Ask = Ask { sort: Sort::Unary, affinity: None };

fn address() -> Address {
    // Looked up for real in the background, without ever an answer, which must not matter.
    Address::Dns { name: "no-such-name.invalid".to_owned(), port: 1 }
}

fn channel() -> Arc<Channel> {
    Channel::start(&Arc::new(Spec::new("shop", [address()])), Arc::default())
}

fn addresses(count: u16) -> Vec<SocketAddr> {
    (0..count).map(|number| SocketAddr::from((Ipv4Addr::LOCALHOST, 60_000 + number))).collect()
}

fn shown(channel: &Channel) -> Vec<String> {
    channel.report().endpoints.into_iter().map(|endpoint| endpoint.address).collect()
}

fn find(channel: &Arc<Channel>, found: &Result<Vec<SocketAddr>, String>) {
    channel.found(&address(), found);
}

#[tokio::test]
async fn n08_a_name_without_an_answer_keeps_the_last_good_one() {
    let channel = channel();
    find(&channel, &Ok(addresses(2)));
    let before = shown(&channel);
    assert_eq!(before.len(), 2);
    for why in ["NXDOMAIN", "SERVFAIL", "no answer within 5 s", "the name has no addresses"] {
        find(&channel, &Err(why.to_owned()));
        assert_eq!(shown(&channel), before, "{why}");
    }
}

#[tokio::test]
async fn n08_a_name_that_never_had_an_answer_is_unreachable_at_once() {
    let channel = channel();
    find(&channel, &Err("NXDOMAIN".to_owned()));
    let status = channel.seat(ASK, &[]).await.err().unwrap();
    assert_eq!((status.code, status.reason().as_deref()), (Code::Unavailable, Some("UPSTREAM_UNAVAILABLE")));
    find(&channel, &Ok(addresses(1)));
    assert_eq!(shown(&channel).len(), 1, "a late answer is taken");
}

#[tokio::test]
async fn n08_other_addresses_are_other_endpoints_and_the_same_stay() {
    let channel = channel();
    find(&channel, &Ok(addresses(3)));
    let before = channel.members.load_full();
    let mut next = addresses(4);
    next.remove(0);
    find(&channel, &Ok(next));
    let after = channel.members.load_full();
    let kept = |member: &&Member| before.iter().any(|old| old.is(member));
    assert_eq!((after.len(), after.iter().filter(kept).count()), (3, 2));
    find(&channel, &Ok(vec!["127.0.0.9:1".parse().unwrap()]));
    assert_eq!(shown(&channel), ["127.0.0.9:1"]);
}

#[tokio::test]
async fn n08_a_family_that_is_broken_takes_no_calls() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while connection.accept().await.is_some() {}
            });
        }
    });
    let channel = channel();
    let (works, broken) = (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "[::1]:1".parse().unwrap());
    find(&channel, &Ok(vec![broken, works]));
    for _ in 0..20 {
        let seat = channel.seat(ASK, &[]).await.unwrap_or_else(|status| panic!("{status}"));
        assert_eq!(seat.endpoint.target.place.to_string(), works.to_string());
    }
}
