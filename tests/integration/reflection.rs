//! `[[schema]] reflection`: a gateway that asks its upstream for the schema, and upstreams that tell it
//! badly, or not at all.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tonic::transport::Server;

use crate::support::reflecting::{
    Answer, Described, Question, Reflection, Running, compile, file, files, list, not_found, router, serve,
    serve_at,
};
use crate::support::script::Script;
use crate::support::shop::{self, PROTO};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

fn site(url: &str) -> Site {
    Site::new(&format!("[[schema]]\nreflection = \"shop\"\n\n[upstreams.shop]\nendpoints = [\"{url}\"]\n"))
}

/// What `transom check` says of an upstream at which there is something wrong.
async fn problem(url: &str) -> (String, String) {
    let ran = site(url).run(&["check", "--format", "json"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let found: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    let place = (found[0]["line"].as_u64(), found[0]["column"].as_u64(), found[0]["key"].as_str());
    assert_eq!(place, (Some(2), Some(14), Some("schema[0].reflection")), "{found:#?}");
    let text = |key: &str| found[0][key].as_str().unwrap().to_owned();
    (text("message"), text("help"))
}

async fn said_of(answers: impl Fn(Question) -> Option<Answer> + Send + Sync + 'static) -> String {
    let running = serve(router(Reflection::by(answers))).await;
    problem(&running.url).await.0
}

fn routes(ran: &crate::support::site::Ran) -> Vec<serde_json::Value> {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[tokio::test]
async fn the_samples_are_served_by_what_they_say_of_themselves() {
    let samples = transom::demo::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let gateway = site(&format!("http://{}", samples.addr)).serve().await;
    let book = gateway.get("/v1/shelves/2/books/1").fetch().await.ok();
    assert_eq!(book["title"], "The Left Hand of Darkness");
    let cover = gateway.get("/v1/shelves/1/books/1/cover").fetch().await;
    assert_eq!((cover.status, cover.header("content-type")), (200, "image/svg+xml"));
    let asked = gateway.grpc("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[]).fetch().await;
    let refused = asked.grpc().unwrap_err();
    assert_eq!(refused.code, transom::rpc::Code::Unimplemented, "nobody reflects through the gateway");
}

#[tokio::test]
async fn reflection_gives_the_routes_that_the_descriptor_set_gives() {
    let set = compile("shop.proto", PROTO);
    let reflection = Reflection::of(&set);
    let running = serve(router(reflection.clone())).await;
    let reflected = site(&running.url).run(&["routes", "--format", "json"]).await;
    let config = format!(
        "[[schema]]\ndescriptor_set = \"shop.binpb\"\n\n[upstreams.shop]\nendpoints = [\"{}\"]\n",
        running.url
    );
    let read = Site::new(&config).file("shop.binpb", set).run(&["routes", "--format", "json"]).await;
    assert_eq!(routes(&reflected), routes(&read));
    assert!(routes(&read).iter().any(|row| row["source"] == "annotation"));
    let asked = reflection.asked.lock().unwrap().clone();
    let names: Vec<_> = asked.iter().map(|question| format!("{question:?}")).collect();
    assert!(
        names.iter().collect::<std::collections::HashSet<_>>().len() == names.len(),
        "asked once: {names:#?}"
    );
}

#[tokio::test]
async fn tonics_reflection_is_understood_in_both_versions() {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(transom::demo::DESCRIPTORS)
    };
    let v1 = serve(Server::builder().add_service(builder().build_v1().unwrap())).await;
    let alpha = serve(Server::builder().add_service(builder().build_v1alpha().unwrap())).await;
    for running in [v1, alpha] {
        let rows = routes(&site(&running.url).run(&["routes", "--format", "json"]).await);
        let book = |row: &serde_json::Value| row["template"] == "/v1/{name=shelves/*/books/*}";
        assert!(rows.iter().any(book), "{rows:#?}");
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_told_at_its_place() {
    let (message, help) = problem("http://127.0.0.1:1").await;
    assert!(message.contains("`shop` does not tell its schema"), "{message}");
    assert!(message.contains("127.0.0.1:1: ") && message.contains("refused"), "{message}");
    assert!(help.contains("start it first") && help.contains("descriptor_set"), "{help}");
    let ran = site("http://127.0.0.1:1").run(&["serve"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("gateway.toml:2:14"), "{ran:?}");
}

#[tokio::test]
async fn an_upstream_without_reflection_is_told_so() {
    // The conversation never ends by itself, so nobody waits for all of it.
    for script in [Script::new().trailers(&[("grpc-status", "12")]), Script::http(404, "text/html", "no")] {
        let upstream = Upstream::start(move |_| script.clone()).await;
        let (message, help) = problem(&upstream.url()).await;
        assert!(message.contains("no reflection, neither grpc.reflection.v1 nor v1alpha"), "{message}");
        assert!(help.contains("add the reflection service"), "{help}");
        let paths: Vec<_> = upstream.calls().iter().map(|seen| seen.path.clone()).collect();
        assert_eq!(
            paths,
            [
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
            ]
        );
    }
}

#[tokio::test]
async fn upstreams_that_answer_what_they_like_are_told() {
    for (script, part) in [
        (
            Script::new().trailers(&[("grpc-status", "7"), ("grpc-message", "not for%1B[31m you")]),
            "not for\\u{1b}[31m you",
        ),
        (Script::new().head().message("\u{8}garbage").ok(), "does not tell its schema: "),
        (Script::new().head().ok(), "answers something that was not asked"),
        (Script::http(200, "text/html", "<html>"), "text/html"),
        (Script::new().head().data(vec![2, 0, 0, 0, 0]).ok(), "no valid messages"),
        (Script::new().head().data(vec![0, 255, 255, 255, 255]).stall(), "larger than the limit"),
        (Script::new().step(crate::support::script::Step::HangUp), "does not tell its schema: "),
    ] {
        let upstream = Upstream::start(move |_| script.clone()).await;
        let (message, _) = problem(&upstream.url()).await;
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[tokio::test]
async fn silent_upstreams_are_not_waited_for_long() {
    let upstream = Upstream::start(|_| Script::new().stall()).await;
    let headless = problem(&upstream.url()).await.0;
    assert!(headless.contains("it has not answered within 5 s"), "{headless}");
    let answers = |question| matches!(question, Question::ListServices(_)).then(|| list(["a.v1.Sa"]));
    let later = said_of(answers).await;
    assert!(later.contains("it has not answered within 5 s"), "{later}");
}

#[tokio::test]
async fn an_endless_schema_ends() {
    // Each file imports one that nobody has seen; so many come at a time.
    let next = |name: &str| {
        let first: u32 = name.trim_end_matches(".proto").parse().unwrap_or(0);
        let named = |number| file(&format!("{number}.proto"), &[&format!("{}.proto", number + 1)]);
        let told: Vec<_> = (first..first + 50).map(named).collect();
        files(&told.iter().collect::<Vec<_>>())
    };
    let said = said_of(move |question| {
        Some(match question {
            Question::ListServices(_) => list(["a.v1.S0"]),
            Question::FileByFilename(name) => next(&name),
            _ => next("0.proto"),
        })
    })
    .await;
    assert!(said.contains("more than 10000 files"), "{said}");
    let names: Vec<_> = (0..10_001).map(|number| format!("a.v1.S{number}")).collect();
    let services = said_of(move |_| Some(list(names.iter().map(String::as_str)))).await;
    assert!(services.contains("more than 10000 services"), "{services}");
}

#[tokio::test]
async fn schemas_that_cannot_be_are_told() {
    let asked = |answer: fn(&str) -> Answer| {
        said_of(move |question| {
            Some(match question {
                Question::ListServices(_) => list(["a.v1.Sa"]),
                Question::FileByFilename(name) => answer(&name),
                _ => answer("a.proto"),
            })
        })
    };
    let circle = asked(|name| {
        let other = if name == "a.proto" { "b.proto" } else { "a.proto" };
        files(&[&file(name, &[other])])
    });
    assert!(circle.await.contains("import one another in a circle"));
    let hole =
        asked(|name| if name == "a.proto" { files(&[&file(name, &["b.proto"])]) } else { not_found() });
    assert!(hole.await.contains("it has no file b.proto, which a.proto imports"));
    let other_name = asked(|_| files(&[&file("a.proto", &["b.proto"])]));
    assert!(other_name.await.contains("it has no file b.proto"));
    let garbage = asked(|_| files(&[&Bytes::from_static(b"\xff\xff")]));
    assert!(garbage.await.contains("cannot be read"));
    let nothing = asked(|_| files(&[]));
    assert!(nothing.await.contains("it declares no service"));
    let said = said_of(|_| Some(list(["a.v1.\u{7}"]))).await;
    assert!(said.contains("`a.v1.\\u{7}`, which is no name"), "{said}");
    let said = said_of(|_| Some(list(["grpc.health.v1.Health"]))).await;
    assert!(said.contains("it declares no service but gRPC's own"), "{said}");
}

#[tokio::test]
async fn a_service_that_no_file_declares_is_left_out_with_a_warning() {
    let running = serve(router(Reflection::by(|question| {
        Some(match question {
            Question::ListServices(_) => list(["a.v1.Sa", "a.v1.Lost"]),
            Question::FileContainingSymbol(name) if name == "a.v1.Sa" => files(&[&file("a.proto", &[])]),
            _ => not_found(),
        })
    })))
    .await;
    let ran = site(&running.url).run(&["check"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("a.v1.Lost") && ran.stdout.contains("1 warning"), "{ran:?}");
}

#[tokio::test]
async fn an_upstream_that_is_none_is_told_with_the_nearest() {
    let config =
        "[[schema]]\nreflection = \"shpo\"\n\n[upstreams.shop]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    let ran = Site::new(config).run(&["check"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.contains("there is no upstream `shpo`") && ran.stdout.contains("did you mean \"shop\"?"),
        "{ran:?}"
    );
}

/// A server whose schema can be changed.
async fn changing(source: &str) -> (Running, Arc<Mutex<Option<Described>>>) {
    let current = Arc::new(Mutex::new(Some(described(source))));
    let shared = Arc::clone(&current);
    let answer = move |question| Some(shared.lock().unwrap().as_ref()?.answer(&question));
    (serve(router(Reflection::by(answer))).await, current)
}

fn described(source: &str) -> Described {
    Described::new(&compile("shop.proto", source))
}

#[tokio::test]
async fn a_reload_asks_again_and_a_failing_one_changes_nothing() {
    let (running, current) = changing(PROTO).await;
    let gateway = site(&running.url).serve().await;
    let status = async |path: &str| gateway.get(path).fetch().await.status;
    // It has no such service: the route is what matters.
    assert_eq!((status("/v1/items/1").await, status("/v9/items/1").await), (501, 404));
    let same = gateway.admin("POST", "/reload").fetch().await;
    assert_eq!((same.status, &same.json()["changed"]), (200, &false.into()), "{}", same.text());

    let moved = shop::PROTO.replace("get: \"/v1/{name=items/*}\"\n", "get: \"/v9/{name=items/*}\"\n");
    *current.lock().unwrap() = Some(described(&moved));
    let changed = gateway.admin("POST", "/reload").fetch().await;
    assert_eq!((changed.status, &changed.json()["generation"]), (200, &2.into()), "{}", changed.text());
    assert_eq!((status("/v1/items/1").await, status("/v9/items/1").await), (405, 501));

    drop(running);
    let failed = gateway.admin("POST", "/reload").fetch().await;
    assert_eq!(failed.status, 422, "{}", failed.text());
    assert!(failed.text().contains("does not tell its schema"), "{}", failed.text());
    gateway.signal("HUP").await;
    gateway.log.find(|line| line.to_string().contains("the old configuration serves on")).await;
    assert_eq!((status("/v1/items/1").await, status("/v9/items/1").await), (405, 501));
}

#[tokio::test]
async fn a_change_that_fails_for_a_server_alone_is_tried_again() {
    let reflection = Reflection::of(&compile("shop.proto", PROTO));
    let running = serve(router(reflection.clone())).await;
    let (url, address) = (running.url.clone(), running.url.trim_start_matches("http://").to_owned());
    let gateway = site(&url).serve().await;
    drop(running);
    let config = std::fs::read_to_string(gateway.site.path("gateway.toml")).unwrap();
    let extra = "[[routes]]\nselector = \"shop.v1.Shop.Get\"\nget = \"/extra/{name}\"\n";
    gateway.site.write("gateway.toml", config + extra);
    gateway.log.find(|line| line["cause"] == "a file changed" && line["level"] == "ERROR").await;
    assert_eq!(gateway.get("/extra/1").fetch().await.status, 404);
    let _running = serve_at(router(reflection), &address).await;
    let waiting = async {
        while gateway.get("/extra/1").fetch().await.status == 404 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(6 * crate::support::upstream::PATIENCE, waiting).await.expect("it is tried again");
    gateway.log.find(|line| line["cause"] == "another try" && line["changed"] == true).await;
}
