//! What the admin listener answers, and to whom it does not.

use std::path::Path;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::super::testing::{CONFIG, Files};
use super::*;
use crate::config::Source;
use crate::telemetry::guard::Drain;

fn admin(config: &Path, loopback: bool) -> (Router, Drain) {
    let (gateway, _) = Gateway::load(Source::file(config)).unwrap();
    let reloader = Reloader::new(Arc::clone(&gateway), None);
    let (drain, draining) = Drain::new();
    (router(gateway, reloader, draining, loopback), drain)
}

async fn ask(router: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path).header(HOST, "127.0.0.1:9901");
    for (name, value) in headers {
        request
            .headers_mut()
            .unwrap()
            .insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn alive_and_ready_until_the_drain() {
    let files = Files::new();
    let (router, drain) = admin(&files.path(), true);
    assert_eq!(ask(&router, "GET", "/livez", &[]).await, (200, "alive\n".to_owned()));
    assert_eq!(ask(&router, "GET", "/readyz", &[]).await, (200, "ready\n".to_owned()));
    drain.begin(Instant::now());
    assert_eq!(ask(&router, "GET", "/livez", &[]).await, (200, "alive\n".to_owned()));
    assert_eq!(ask(&router, "GET", "/readyz", &[]).await, (503, "draining\n".to_owned()));
}

#[tokio::test]
async fn the_route_table() {
    let files = Files::new();
    let (router, _drain) = admin(&files.path(), true);
    let (status, body) = ask(&router, "GET", "/routes", &[]).await;
    assert_eq!(status, 200);
    let rows: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(rows[0]["template"], "/t.S/M");
    assert_eq!(rows[0]["source"], "auto");
}

#[tokio::test]
async fn a_reload_says_what_happened() {
    let files = Files::new();
    let (router, _drain) = admin(&files.path(), true);
    let (status, body) = ask(&router, "POST", "/reload", &[]).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["changed"], &answer["generation"]), (200, &false.into(), &1.into()));

    files.write(&format!("{CONFIG}\n[[routes]]\nselector = \"t.S.M\"\nget = \"/m\"\n"));
    let (status, body) = ask(&router, "POST", "/reload", &[]).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["changed"], &answer["generation"]), (200, &true.into(), &2.into()));
    assert_eq!(answer["routes"], 2);

    files.write(&CONFIG.replace("endpoints", "endpoinds"));
    let (status, body) = ask(&router, "POST", "/reload", &[]).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 422);
    let problems = answer["problems"].as_array().unwrap();
    let unknown = problems.iter().find(|problem| problem["key"] == "upstreams.t.endpoinds").unwrap();
    assert_eq!((&unknown["line"], &unknown["column"]), (&6.into(), &1.into()), "{answer}");
    let (_, body) = ask(&router, "GET", "/routes", &[]).await;
    assert!(body.contains("/m"), "the old configuration serves on: {body}");

    assert_eq!(ask(&router, "GET", "/reload", &[]).await.0, 405);
}

#[tokio::test]
async fn addresses_change_with_a_restart_only_and_the_reload_says_so() {
    let files = Files::new();
    let (router, _drain) = admin(&files.path(), true);
    files.write(&format!("[server]\nlisten = \"127.0.0.1:1\"\n{CONFIG}"));
    let (status, body) = ask(&router, "POST", "/reload", &[]).await;
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["warnings"][0]["severity"], "warning");
    assert_eq!(answer["warnings"][0]["line"], 2);
}

#[tokio::test]
async fn web_pages_are_refused() {
    let files = Files::new();
    let (router, _drain) = admin(&files.path(), true);
    for host in ["localhost:9901", "LOCALHOST", "127.0.0.1:9901", "[::1]:9901", "10.0.0.1"] {
        assert_eq!(ask(&router, "GET", "/livez", &[("host", host)]).await.0, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
        assert_eq!(ask(&router, "GET", "/livez", &[("host", host)]).await.0, 421, "{host}");
    }
    let pages: &[(&str, &str)] = &[
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for page in pages {
        assert_eq!(ask(&router, "POST", "/reload", &[*page]).await.0, 403, "{page:?}");
    }
    assert_eq!(ask(&router, "POST", "/reload", &[("sec-fetch-site", "none")]).await.0, 200);
}

#[tokio::test]
async fn away_from_loopback_any_name_may_be_its_own() {
    let files = Files::new();
    let (router, _drain) = admin(&files.path(), false);
    assert_eq!(ask(&router, "GET", "/livez", &[("host", "transom.internal")]).await.0, 200);
}
