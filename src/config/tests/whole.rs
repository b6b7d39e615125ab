//! Right configurations, and what becomes of each key.

use std::time::Duration;

use super::super::model::{Address, Balance, HashKey, Hosts, Listen, SchemaSource, Selector, Timeout};
use super::super::policy::{self, StreamForm, Unknown};
use super::*;

const LEAST: &str = "
    [[schema]]
    descriptor_set = 'files/set.binpb'
    [upstreams.shop]
    endpoints = ['http://127.0.0.1:50051']
";

fn right(text: &str, env: &[(&str, &str)]) -> super::super::model::Config {
    load_text(text, env).unwrap_or_else(|problems| panic!("{problems:#?}")).config
}

#[test]
fn defaults_are_filled_in() {
    let config = right(LEAST, &[]);
    assert_eq!(config.server.listen[0].value, Listen::Tcp("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(config.server.workers, std::thread::available_parallelism().unwrap().get());
    assert_eq!(config.admin.listen.value, "127.0.0.1:9901".parse().unwrap());
    let shop = &config.upstreams[0];
    assert!(shop.auto_routes && shop.services.is_none() && shop.prefix.is_none());
    assert_eq!((&shop.hosts, &shop.balance.value), (&Hosts::Any, &Balance::P2c));
    assert_eq!(shop.endpoints[0].value.weight, 1);
}

#[test]
fn every_key_arrives() {
    let config = right(
        r#"
        collisions = "warn"
        [server]
        listen = ["0.0.0.0:80", "unix:run/transom.sock"]
        workers = 3
        accept = "shared"
        tls = { cert = "files/ca.pem", key = "files/ca.pem" }
        [admin]
        listen = "127.0.0.1:0"
        [[schema]]
        protos = ["files/proto/**/*.proto"]
        include = ["files/proto"]
        exclude = ["shop.v1.Internal.*"]
        [upstreams.zebra]
        endpoints = [{ url = "https://Zoo.example", weight = 10 }, "dns:///zoo:1", "unix:a.sock", "unix:///b.sock"]
        services = ["zoo.v1.Zoo"]
        hosts = ["Zoo.Example"]
        prefix = "/zoo"
        auto_routes = false
        balance = { hash = "header:X-User" }
        tls = { ca = "files/ca.pem", cert = "files/ca.pem", key = "files/ca.pem", server_name = "zoo.internal" }
        timeout = "none"
        [upstreams.ape]
        endpoints = ["http://[::1]:50051"]
        hosts = "annotated"
        balance = "round_robin"
        [[routes]]
        selector = "zoo.v1.Zoo.Get"
        custom = { kind = "HEAD", path = "/v1/{id}" }
        body = "*"
        response_body = "animal"
        replace = true
        additional_bindings = [{ patch = "/v2/{id}", body = "animal" }]
        "#,
        &[],
    );
    let base = folder();
    assert_eq!(config.server.listen[1].value, Listen::Unix(base.join("run/transom.sock")));
    assert_eq!(config.server.workers, 3);
    assert_eq!(config.server.tls.unwrap().cert.value, base.join("files/ca.pem"));
    let SchemaSource::Protos { patterns, include } = &config.schema[0].source else { panic!() };
    assert_eq!(patterns[0].value, base.join("files/proto/**/*.proto"));
    assert_eq!(include[0].value, base.join("files/proto"));
    assert_eq!(config.schema[0].exclude[0].value, Selector::Prefix("shop.v1.Internal".to_owned()));
    let [zebra, ape] = config.upstreams.as_slice() else { panic!("in the order of the file") };
    assert_eq!((&*zebra.name, &*ape.name), ("zebra", "ape"));
    let addresses: Vec<_> = zebra.endpoints.iter().map(|endpoint| endpoint.value.address.clone()).collect();
    assert_eq!(
        addresses,
        [
            Address::Https { host: "zoo.example".to_owned(), port: 443 },
            Address::Dns { name: "zoo".to_owned(), port: 1 },
            Address::Unix(base.join("a.sock")),
            Address::Unix("/b.sock".into()),
        ]
    );
    assert_eq!(zebra.endpoints[0].value.weight, 10);
    let Hosts::Names(hosts) = &zebra.hosts else { panic!() };
    assert_eq!(hosts[0].value, "zoo.example");
    assert_eq!(zebra.prefix.as_ref().unwrap().value, "/zoo");
    assert!(!zebra.auto_routes);
    assert_eq!(zebra.balance.value, Balance::Hash(HashKey::Header("x-user".to_owned())));
    let tls = zebra.tls.as_ref().unwrap();
    assert_eq!(tls.server_name.as_ref().unwrap().value, "zoo.internal");
    assert!(tls.client.is_some());
    assert_eq!(zebra.policy.timeout.as_ref().unwrap().value, Timeout::None);
    assert_eq!(ape.endpoints[0].value.address, Address::Http { host: "::1".to_owned(), port: 50051 });
    assert_eq!((&ape.hosts, &ape.balance.value), (&Hosts::Annotated, &Balance::RoundRobin));
    let route = &config.routes[0];
    assert!(route.replace);
    let bindings: Vec<_> =
        route.bindings.iter().map(|b| (b.method.as_str(), b.template.value.as_str())).collect();
    assert_eq!(bindings, [("HEAD", "/v1/{id}"), ("PATCH", "/v2/{id}")]);
    assert_eq!(route.bindings[0].response_body.as_ref().unwrap().value, "animal");
    assert_eq!(route.bindings[1].body.as_ref().unwrap().value, "animal");
}

#[test]
fn the_environment_wins_and_is_parsed_to_the_type_of_the_key() {
    let config = right(
        LEAST,
        &[
            ("TRANSOM_SERVER__LISTEN", "0.0.0.0:8080, unix:/run/a.sock"),
            ("TRANSOM_SERVER__WORKERS", "7"),
            ("TRANSOM_UPSTREAMS__SHOP__TIMEOUT", "3s"),
            ("TRANSOM_UPSTREAMS__SHOP__AUTO_ROUTES", "false"),
            ("TRANSOM_UPSTREAMS__SHOP__ENDPOINTS", "http://a:1,http://b:2"),
            ("TRANSOM_UPSTREAMS__SHOP__LIMITS__BODY", "1MiB"),
            ("TRANSOM_UPSTREAMS__PETS__ENDPOINTS", "http://pets:1"),
            ("TRANSOM_UPSTREAMS__PETS__SERVICES", "pets.v1.Pets"),
            ("TRANSOM_DEFAULTS__QUERY__IGNORE", "utm_source,utm_medium"),
            ("TRANSOM_LOG", "debug"),
            ("HOME", "/"),
        ],
    );
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.workers, 7);
    let [shop, pets] = config.upstreams.as_slice() else { panic!() };
    assert_eq!(shop.policy.timeout.as_ref().unwrap().value, Timeout::After(Duration::from_secs(3)));
    assert_eq!(shop.policy.timeout.as_ref().unwrap().at.to_string(), "TRANSOM_UPSTREAMS__SHOP__TIMEOUT");
    assert_eq!(shop.policy.limits.body.as_ref().unwrap().value, 1 << 20);
    assert!(!shop.auto_routes);
    assert_eq!(shop.endpoints.len(), 2);
    assert_eq!(&*pets.name, "pets");
    assert_eq!(config.defaults.query.ignore.as_ref().unwrap().value, ["utm_source", "utm_medium"]);
}

#[test]
fn the_nearest_level_wins_key_by_key() {
    let text = format!(
        "{LEAST}
        timeout = '2s'
        limits = {{ body = '2MiB', message = '2MiB' }}
        [defaults]
        timeout = '1s'
        stream = 'sse'
        query = {{ unknown = 'ignore' }}
        [[policies]]
        selector = 'shop.*'
        limits = {{ body = '3MiB' }}
        stream = 'array'
        [[policies]]
        selector = 'shop.v1.Shop.Get'
        stream = 'ndjson'
        [[policies]]
        selector = 'other.*'
        timeout = '9s'
        [[routes]]
        selector = 'shop.v1.Shop.Get'
        get = '/'
        timeout = '5s'"
    );
    let config = right(&text, &[]);
    let shop = Some(&config.upstreams[0]);
    let by_annotation = policy::resolve(&config.levels("shop.v1.Shop.Get", shop, None));
    assert_eq!(by_annotation.timeout, Timeout::After(Duration::from_secs(2)));
    assert_eq!(by_annotation.stream_timeout, Timeout::None, "only a route ends a stream");
    assert_eq!(by_annotation.stream, StreamForm::Ndjson);
    assert_eq!((by_annotation.limits.body, by_annotation.limits.message), (3 << 20, 2 << 20));
    assert_eq!(by_annotation.query.unknown, Unknown::Ignore);
    let levels = config.levels("shop.v1.Shop.Get", shop, Some(&config.routes[0]));
    let by_route = policy::resolve(&levels);
    assert_eq!(by_route.stream_timeout, Timeout::After(Duration::from_secs(5)));
    assert_eq!(by_route.timeout, by_route.stream_timeout);
    let told = policy::effective(&levels);
    let told = |key: &str| told.iter().find(|row| row.key == key).unwrap().clone();
    assert_eq!(told("limits.body").value, "\"3MiB\"");
    assert_eq!(told("limits.body").at.unwrap().key, "policies[0].limits.body");
    assert_eq!(
        told("json.int64"),
        policy::Effective { key: "json.int64".into(), value: "\"string\"".into(), at: None }
    );
    let elsewhere = policy::resolve(&config.levels("x.Y.Z", None, None));
    assert_eq!(elsewhere.timeout, Timeout::After(Duration::from_secs(1)));
}

#[test]
fn descriptors_that_come_with_a_text_are_its_schema() {
    let kind = Kind::Text {
        name: "demo".to_owned(),
        text: "upstreams.demo.endpoints = ['http://127.0.0.1:1']".to_owned(),
        base: folder(),
        descriptors: Some(b"set"),
    };
    let config = load(&Source { kind, env: Vec::new() }).unwrap().config;
    assert!(matches!(config.schema[0].source, SchemaSource::Embedded(b"set")));
}

#[test]
fn the_files_to_watch_are_told() {
    let kind = Kind::File(folder().join("include-merges.toml"));
    let config = load(&Source { kind, env: Vec::new() }).unwrap().config;
    let names = ["include-merges.toml", "more/a.toml", "more/b.toml"].map(|name| folder().join(name));
    assert_eq!(config.files, names);
    assert!(config.include.contains(&folder().join("later/*.toml")));
    assert_eq!(
        config.upstreams[0].tls.as_ref().unwrap().ca.as_ref().unwrap().value,
        folder().join("more/../files/ca.pem")
    );
    assert_eq!(config.routes.len(), 2);
}
