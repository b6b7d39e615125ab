//! Behind proxies: whom a request comes from is what trusted ones say, for limits, logs and upstreams, and
//! nothing that a client writes itself.

use serde_json::Value as Json;

use crate::support::client::{Answer, Request};
use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{self, config, item, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

/// Two calls an hour and address, which upstreams are told.
const LIMIT: &str = "\n[defaults]\nrate_limit = { rate = \"2/h\", by = \"address\" }\nheaders = { request = { set = { \"x-real-ip\" = \"client:address\" } } }\n";

async fn behind(server: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let text = format!("[server]\n{server}\n{}", config(&upstream, LIMIT));
    let gateway = Site::new(&text).file("shop.proto", shop::PROTO).serve().await;
    (upstream, gateway)
}

/// Both ways to ask for an item.
fn ask(gateway: &Gateway, headers: &[(&str, &str)]) -> [Request; 2] {
    let grpc = gateway.grpc(shop::GET, &[wire(&item("a"))]);
    [gateway.get("/v1/items/1"), grpc]
        .map(|request| headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == 429 || answer.header("grpc-status") == "8"
}

async fn line(gateway: &Gateway, client: &str) -> Json {
    gateway.access.find(|line| line["client"] == client).await
}

#[tokio::test]
async fn nobody_is_believed_by_default() {
    let (upstream, gateway) = behind("").await;
    for (number, forged) in ["192.0.2.1", "192.0.2.2", "192.0.2.3"].into_iter().enumerate() {
        let (element, list) = (format!("for={forged}"), format!("{forged}, {forged}"));
        let headers = [
            ("x-forwarded-for", list.as_str()),
            ("forwarded", element.as_str()),
            ("x-real-ip", forged),
            ("x_real_ip", forged),
            ("x-client-ip", forged),
        ];
        let [rest, grpc] = ask(&gateway, &headers);
        let answers = [rest.fetch().await, grpc.fetch().await];
        assert_eq!(answers.iter().all(is_refused), number > 0, "{forged}");
    }
    for number in [0, 1] {
        let seen = upstream.call(number).await;
        assert_eq!((seen.header("x-real-ip"), seen.header("x_real_ip")), ("127.0.0.1", ""));
        assert_eq!((seen.header("x-forwarded-for"), seen.header("forwarded")), ("", ""));
    }
    for line in gateway.access.count(6).await {
        assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        assert_eq!(line["peer"], Json::Null);
    }
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_is_counted_logged_and_told() {
    let (upstream, gateway) = behind("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]").await;
    for client in ["192.0.2.1", "2001:db8::1"] {
        // What stands before the client it made up itself, and differently each time.
        for (forged, refused) in [("6.6.6.6", false), ("7.7.7.7", true)] {
            let list = format!("{forged}, {client}, 10.0.0.1");
            for request in ask(&gateway, &[("x-forwarded-for", &list), ("forwarded", "for=8.8.8.8")]) {
                assert_eq!(is_refused(&request.fetch().await), refused, "{list}");
            }
        }
        let line = line(&gateway, client).await;
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
    let seen = upstream.call(0).await;
    assert_eq!((seen.header("x-real-ip"), seen.header("x-forwarded-for")), ("192.0.2.1", ""));
    // Metadata of a proxy pass, and say who passed them on.
    let seen = upstream.call(1).await;
    assert_eq!(seen.header("x-real-ip"), "192.0.2.1");
    let hops: Vec<_> = seen.headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(hops, ["6.6.6.6, 192.0.2.1, 10.0.0.1", "127.0.0.1"]);
    assert_eq!(upstream.call(2).await.header("x-real-ip"), "2001:db8::1");
}

#[tokio::test]
async fn one_header_is_believed_and_a_reload_changes_who_is() {
    let (upstream, gateway) = behind("trusted_proxies = [\"127.0.0.1\"]\nproxy_header = \"forwarded\"").await;
    let headers = [("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:80\""), ("x-forwarded-for", "7.7.7.7")];
    let [rest, _] = ask(&gateway, &headers);
    assert_eq!(rest.fetch().await.status, 200);
    assert_eq!(upstream.call(0).await.header("x-real-ip"), "2001:db8::7");
    gateway.site.write("gateway.toml", config(&upstream, LIMIT));
    assert_eq!(gateway.admin("POST", "/reload").fetch().await.status, 200);
    let [rest, _] = ask(&gateway, &headers);
    assert_eq!(rest.fetch().await.status, 200);
    assert_eq!(upstream.call(1).await.header("x-real-ip"), "127.0.0.1");
}
