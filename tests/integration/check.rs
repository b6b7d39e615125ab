//! `transom check`: every mistake at once, each with its place and remedy, and exit codes to rely on.

use crate::support::script::Script;
use crate::support::shop::{self, site};
use crate::support::site::{Ran, Site};
use crate::support::upstream::Upstream;

async fn problems(site: &Site) -> Vec<serde_json::Value> {
    let ran = site.run(&["check", "--format", "json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    serde_json::from_str::<Vec<serde_json::Value>>(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn text(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[tokio::test]
async fn a_good_configuration_is_good() {
    let upstream = Upstream::start(|_| Script::new()).await;
    let ran = site(&upstream, "").run(&["check"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("ok: "), "{ran:?}");
    assert_eq!(upstream.connections(), 0, "nobody is called");
}

#[tokio::test]
async fn mistakes_of_routes_have_their_places() {
    let config = r#"[[schema]]
protos = ["shop.proto"]
exclude = ["shop.v1.Internall"]

[upstreams.shop]
endpoints = ["http://127.0.0.1:1"]
services = ["shop.v1.Shop", "shop.v1.Shopp"]

[[policies]]
selector = "shop.v2.*"
timeout = "1s"

[[routes]]
selector = "shop.v1.Shop.Gett"
get = "/a"

[[routes]]
selector = "shop.v1.Shop.Get"
get = "/b/{nmae}"

[[routes]]
selector = "shop.v1.Shop.Create"
post = "/c"
body = "itm"

[[routes]]
selector = "shop.v1.Shop.List"
get = "/d"
response_body = "itms"

[[routes]]
selector = "shop.v1.Internal.Secret"
get = "/e"

[[routes]]
selector = "shop.v1.Shop.Read"
get = "/f/{name}"

[[routes]]
selector = "shop.v1.Shop.Get"
get = "/f/{name}"
"#;
    let site = Site::new(config).file("shop.proto", shop::PROTO);
    let found = problems(&site).await;
    let places: Vec<_> = found
        .iter()
        .map(|problem| (problem["line"].as_u64().unwrap(), problem["message"].as_str().unwrap()))
        .collect();
    let expected = [
        (3, "shop.v1.Internall"),
        (7, "shop.v1.Shopp"),
        (10, "shop.v2"),
        (14, "shop.v1.Shop.Gett"),
        (19, "nmae"),
        (24, "itm"),
        (29, "itms"),
        (32, "shop.v1.Internal.Secret"),
        (41, "collides"),
    ];
    for (line, part) in expected {
        assert!(
            places.iter().any(|(at, message)| *at == line && message.contains(part)),
            "{line} {part}: {places:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{places:#?}");
    assert!(found.iter().all(|problem| problem["column"].is_u64() && problem["file"].is_string()));
    assert_eq!(found[3]["help"], "did you mean shop.v1.Shop.Get?");
}

#[tokio::test]
async fn ten_mistakes_are_found_at_once() {
    let config = r#"colisions = "warn"

[server]
listen = "127.0.0.1:x"
workers = "2"

[admin]
listen = 9901

[upstreams.shop]
endpoints = ["ftp://a"]
prefix = "shop"
timeout = "15"
limits = { body = "4 apples", mesage = "1MiB" }

[[routes]]
selector = "shop.v1.Shop.Get"
get = "/v1/{name"
post = "/v1/x"
"#;
    let ran = Site::new(config).run(&["check"]).await;
    assert_eq!(ran.code, Some(1));
    let found = problems(&Site::new(config)).await;
    assert!(found.len() >= 10, "{found:#?}");
    assert!(found.iter().all(|problem| problem["message"].as_str().is_some_and(|text| !text.is_empty())));
    let placed =
        found.iter().filter(|problem| problem["line"].is_u64() && problem["column"].is_u64()).count();
    assert!(placed >= 10, "{found:#?}");
}

#[tokio::test]
async fn an_annotation_that_names_nothing_is_told_in_its_own_file() {
    let proto = shop::PROTO.replace("get: \"/v1/{name=items/*}\"\n", "get: \"/v1/{nmae=items/*}\"\n");
    let upstream = Upstream::start(|_| Script::new()).await;
    let site = site(&upstream, "").file("shop.proto", proto);
    let found = problems(&site).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["key"], "shop.v1.Shop.Get");
    assert!(found[0]["file"].as_str().unwrap().ends_with("shop.proto"), "{found:#?}");
    assert!(found[0]["line"].is_u64() && found[0]["column"].is_u64());
    assert!(found[0]["help"].as_str().unwrap().contains("name"), "{found:#?}");
}

#[tokio::test]
async fn files_that_cannot_be_read_are_clear_sentences() {
    let missing = Site::new("").run(&["check", "--config", "nothing.toml"]).await;
    assert_eq!(missing.code, Some(1));
    assert!(text(&missing).contains("nothing.toml"), "{missing:?}");
    let broken = Site::new("[server\nlisten = 1").run(&["check"]).await;
    assert_eq!(broken.code, Some(1));
    assert!(text(&broken).contains("gateway.toml:1:"), "{broken:?}");
    let config =
        "[[schema]]\ndescriptor_set = \"set.binpb\"\n[upstreams.a]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    let absent = Site::new(config).run(&["check"]).await;
    assert!(text(&absent).contains("set.binpb"), "{absent:?}");
    // A FileDescriptorSet of one file `a` that imports `b`.
    let set = [0x0a, 6, 0x0a, 1, b'a', 0x1a, 1, b'b'];
    let holes = Site::new(config).file("set.binpb", set).run(&["check"]).await;
    assert_eq!(holes.code, Some(1));
    assert!(text(&holes).contains("a imports b"), "{holes:?}");
    assert!(text(&holes).contains("include_imports"), "{holes:?}");
    let garbage = Site::new(config).file("set.binpb", "no descriptors").run(&["check"]).await;
    assert!(text(&garbage).contains("FileDescriptorSet"), "{garbage:?}");
}

#[tokio::test]
async fn wrong_usage_is_exit_code_2() {
    for arguments in [&["chekc"][..], &["check", "--nothing"], &["explain"], &["check", "--format", "xml"]] {
        let ran = Site::new("").run(arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
    }
}
