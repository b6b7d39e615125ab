//! Further copies of slow calls (gRFC A6): where they go, which answer counts, what becomes of the others.

use std::time::Duration;

use h2::Reason;
use transom::rpc::{Call, CallPolicy, Code, Hedge};
use transom::upstream::{Balance, Spec};

use crate::support::calls::*;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

fn hedged(call: Call) -> Call {
    let hedge = Some(Hedge { delay: Duration::from_millis(50), attempts: 3, ..Hedge::default() });
    with(call, CallPolicy { hedge, retry: None, ..CallPolicy::new(NAME) })
}

#[tokio::test]
async fn a_copy_goes_to_another_endpoint_and_the_first_answer_counts() {
    let slow = Upstream::start(|_| Script::new().stall()).await;
    let slower = Upstream::start(|_| Script::new().stall()).await;
    let quick = Upstream::start(|_| Script::unary("m")).await;
    // In turn, so that the quick one is not always the first.
    let spec = Spec { balance: Balance::RoundRobin, ..spec(&[&slow, &slower, &quick]) };
    let pool = pool(spec);
    for upstream in [&slow, &slower, &quick] {
        upstream.connected(1).await;
    }
    for _ in 0..6 {
        assert_eq!(whole(&pool, hedged(idempotent(""))).await.unwrap().0, ["m"]);
    }
    assert_eq!(quick.calls().len(), 6);
    let copies = slow.calls().into_iter().chain(slower.calls()).collect::<Vec<_>>();
    assert!(!copies.is_empty() && copies.len() <= 12, "{} copies", copies.len());
    for copy in copies {
        assert_eq!(copy.reset().await, Reason::CANCEL, "nobody waits for it");
    }
    let attempts: Vec<_> =
        quick.calls().iter().map(|seen| seen.header("grpc-previous-rpc-attempts").to_owned()).collect();
    assert!(attempts.iter().any(|attempt| attempt == "1" || attempt == "2"), "{attempts:?}");
    let report = &pool.report()[0];
    assert_eq!((report.in_flight, report.endpoints[0].in_flight), (0, 0), "copies are one call");
}

#[tokio::test]
async fn what_does_harm_twice_is_sent_once() {
    let slow = || Script::new().sleep(Duration::from_millis(300)).head().message("m").ok();
    let upstream = Upstream::start(move |_| slow()).await;
    let pool = pool(spec(&[&upstream]));
    whole(&pool, hedged(unary(""))).await.unwrap();
    assert_eq!(upstream.calls().len(), 1);
    whole(&pool, hedged(idempotent(""))).await.unwrap();
    assert_eq!(upstream.calls().len(), 4, "where there is one endpoint, it gets all copies");
}

#[tokio::test]
async fn a_final_failure_ends_all_copies_and_none_of_all_is_told_at_once() {
    let upstream = Upstream::start(|seen| match seen.header("grpc-previous-rpc-attempts") {
        "" => Script::new().stall(),
        _ => Script::status(5, "no such book"),
    })
    .await;
    let status = whole(&pool(spec(&[&upstream])), hedged(idempotent(""))).await.unwrap_err();
    assert_eq!((status.code, status.message.as_ref()), (Code::NotFound, "no such book"));
    assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);

    let address = upstream.kill().await;
    let dead = pool(Spec::new(
        NAME,
        [transom::config::model::Address::Http { host: address.ip().to_string(), port: address.port() }],
    ));
    let told = told(whole(&dead, hedged(idempotent(""))).await);
    assert_eq!(told, (Code::Unavailable, "UPSTREAM_UNAVAILABLE".to_owned(), "upstream"));
}
