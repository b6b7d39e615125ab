//! tonic's generated clients over the pool: health as an example of both kinds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tonic::Code;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Serving;
use tonic_health::pb::health_client::HealthClient;
use transom::config::model::Address;
use transom::rpc::{CallPolicy, Client};
use transom::upstream::{Pool, Spec};

use crate::support::calls::*;
use crate::support::reflecting::serve;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

fn policy() -> Arc<CallPolicy> {
    Arc::new(CallPolicy::new(NAME))
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn pool_of(url: &str) -> Pool {
    let address: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let address = Address::Http { host: address.ip().to_string(), port: address.port() };
    pool(Spec::new(NAME, [address]))
}

#[tokio::test]
async fn unary_calls_and_streams_go_through() {
    let (reporter, service) = tonic_health::server::health_reporter();
    let running = serve(Server::builder().add_service(service)).await;
    let pool = pool_of(&running.url);

    let mut unary = HealthClient::new(Client::unary(pool.clone(), policy()).idempotent());
    let answer = unary.check(about("")).await.unwrap().into_inner();
    assert_eq!(answer.status(), Serving::Serving);
    let unknown = unary.check(about("shop")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let mut streaming = HealthClient::new(Client::streaming(pool, policy()));
    reporter.set_service_status("shop", ServingStatus::NotServing).await;
    let mut watched = streaming.watch(about("shop")).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), Serving::NotServing);
    reporter.set_service_status("shop", ServingStatus::Serving).await;
    assert_eq!(watched.next().await.unwrap().unwrap().status(), Serving::Serving);
}

#[tokio::test]
async fn metadata_and_deadlines_are_those_of_the_request() {
    let upstream = Upstream::start(|_| Script::new().stall()).await;
    let mut client = HealthClient::new(Client::unary(pool_of(&upstream.url()), policy()));
    let mut request = tonic::Request::new(about(""));
    request.metadata_mut().insert("x-tenant", "7".parse().unwrap());
    request.set_timeout(Duration::from_millis(300));
    let status = client.check(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    let seen = upstream.call(0).await;
    assert_eq!((seen.path.as_str(), seen.header("x-tenant")), ("/grpc.health.v1.Health/Check", "7"));
    assert!(seen.header("grpc-timeout").ends_with(|unit: char| unit.is_ascii_alphabetic()));
    seen.reset().await;
}

#[tokio::test]
async fn only_calls_that_may_be_repeated_are() {
    for (idempotent, calls) in [(true, 3), (false, 1)] {
        let upstream = Upstream::start(|_| Script::status(14, "later")).await;
        let client = Client::unary(pool_of(&upstream.url()), policy());
        let mut client = HealthClient::new(if idempotent { client.idempotent() } else { client });
        let status = client.check(about("")).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "later"));
        assert_eq!(upstream.calls().len(), calls);
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_cancelled() {
    let upstream = Upstream::start(|_| Script::new().head().message("").stall()).await;
    let mut client = HealthClient::new(Client::streaming(pool_of(&upstream.url()), policy()));
    let mut watched = client.watch(about("")).await.unwrap().into_inner();
    watched.next().await.unwrap().unwrap();
    drop(watched);
    assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
}

#[tokio::test]
async fn errors_of_the_pool_keep_their_code_and_details() {
    let mut client = HealthClient::new(Client::unary(pool_of("http://127.0.0.1:1"), policy()));
    let status = client.check(about("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.details().is_empty(), "{status:?}");
}
