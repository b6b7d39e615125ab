//! Every body against everything that may become of a call, for both kinds of client streams and both
//! versions of HTTP.

use std::time::Duration;

use futures_util::future::join_all;
use h2::Reason;

use crate::support::client::{Answer, Request};
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{HttpBody, behind, item, scripted, wire};
use crate::support::upstream::{PATIENCE, Upstream};

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Ndjson,
    Array,
    Raw,
}

/// The kind of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Bidi,
}

use Form::{Array, Ndjson, Raw};
use Kind::{Bidi, Client};

/// One place in the product.
#[derive(Clone, Copy, Debug)]
struct Case {
    form: Form,
    kind: Kind,
    http2: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let forms = [Ndjson, Array, Raw].into_iter();
        forms.flat_map(|form| {
            [Client, Bidi]
                .into_iter()
                .flat_map(move |kind| [false, true].into_iter().map(move |http2| Self { form, kind, http2 }))
        })
    }

    fn request(self, gateway: &Gateway) -> Request {
        let target = match (self.form, self.kind) {
            (Raw, Client) => "/v1/store/x",
            (Raw, Bidi) => "/v1/pipe",
            (_, Client) => "/v1/items:collect",
            (_, Bidi) => "/shop.v1.Shop/Talk",
        };
        let (media_type, accept) = match self.form {
            Ndjson => ("application/x-ndjson", "application/x-ndjson"),
            Array => ("application/json", "application/json"),
            Raw => ("text/plain", "*/*"),
        };
        let accept = if self.kind == Client { "*/*" } else { accept };
        let request = gateway.request("POST", target).header("content-type", media_type).accept(accept);
        if self.http2 { request.http2() } else { request }
    }

    /// A body of these items.
    fn body(self, names: &[&str]) -> String {
        let elements: Vec<_> = names.iter().map(|name| format!("{{\"name\":\"{name}\"}}")).collect();
        match self.form {
            Ndjson => elements.iter().map(|element| format!("{element}\n")).collect(),
            Array => format!("[{}]", elements.join(",")),
            Raw => names.concat(),
        }
    }

    /// A message of an upstream.
    fn message(self, name: &str) -> Vec<u8> {
        match (self.form, self.kind) {
            (Raw, Bidi) => wire(&HttpBody { content_type: "text/plain".into(), data: name.into() }),
            _ => wire(&item(name)),
        }
    }

    /// The whole answer with these messages.
    fn answer(self, names: &[&str]) -> String {
        match self.kind {
            Client => format!("{{\"name\":\"{}\"}}", names[0]),
            Bidi => self.body(names),
        }
    }

    async fn fetch(self, script: Script, names: &[&str]) -> (Answer, Upstream) {
        // A slow machine makes no answer of what is none.
        let patient = "stream_headers_after = \"60s\"";
        let (upstream, gateway) = scripted(patient, move |_| script.clone()).await;
        let answer = self.request(&gateway).body(self.body(names)).fetch().await;
        (answer, upstream)
    }
}

#[tokio::test]
async fn whole_and_empty_bodies_are_answered() {
    for case in Case::all() {
        let script = Script::new().step(Step::Request).head().message(case.message("a"));
        let script = if case.kind == Bidi { script.message(case.message("b")) } else { script };
        for names in [&["x", "y", "z"][..], &[]] {
            let (answer, upstream) = case.fetch(script.clone().ok(), names).await;
            assert_eq!((answer.status, answer.complete), (200, true), "{case:?}: {}", answer.text());
            assert_eq!(answer.text(), case.answer(&["a", "b"]), "{case:?}");
            let count = upstream.call(0).await.messages().len();
            match (case.form, names.len()) {
                // Its content type is a message, and bytes come as they come.
                (Raw, 0) => assert_eq!(count, 1, "{case:?}"),
                (Raw, _) => assert!(count >= 1, "{case:?}"),
                (_, expected) => assert_eq!(count, expected, "{case:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_messages_is_empty_or_none() {
    for case in Case::all() {
        let (answer, _upstream) = case.fetch(Script::new().step(Step::Request).head().ok(), &["x"]).await;
        if case.kind == Client {
            assert_eq!(answer.status, 502, "{case:?}");
        } else {
            assert_eq!((answer.status, answer.complete), (200, true), "{case:?}");
            assert_eq!(answer.text(), case.answer(&[]), "{case:?}");
        }
    }
}

#[tokio::test]
async fn a_failure_before_the_answer_has_its_real_status() {
    for case in Case::all() {
        let started = Script::new().step(Step::Request).head();
        for (script, status) in [
            (Script::status(5, "gone"), 404),
            (Script::new().trailers(&[("grpc-status", "8")]), 429),
            (started.clone().trailers(&[("grpc-status", "16")]), 401),
            (started.clone().step(Step::Reset(Reason::INTERNAL_ERROR)), 500),
            (started.clone().step(Step::End), 500),
            (Script::http(200, "text/html", "<p>"), 500),
        ] {
            let (answer, _upstream) = case.fetch(script.clone(), &["x", "y"]).await;
            assert!(answer.complete, "{case:?} {script:?}");
            assert_eq!(answer.header("content-type"), "application/json", "{case:?} {script:?}");
            if status == 500 {
                assert!((500..=504).contains(&answer.status), "{case:?} {script:?}: {}", answer.text());
            } else {
                assert_eq!(answer.status, status, "{case:?} {script:?}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_failure_behind_the_first_message_is_no_end() {
    for case in Case::all() {
        let started = Script::new().step(Step::Request).head().message(case.message("a"));
        for (script, code) in [
            (started.clone().trailers(&[("grpc-status", "9")]), 9),
            (started.clone().sleep(Duration::from_millis(400)).step(Step::Reset(Reason::INTERNAL_ERROR)), 13),
            (started.clone().step(Step::End), 0),
            (started.clone().message(vec![0x0a, 200]).ok(), 13),
        ] {
            let (answer, _upstream) = case.fetch(script.clone(), &["x", "y"]).await;
            match case.kind {
                Client => {
                    assert!(
                        answer.status >= 400 && answer.complete,
                        "{case:?} {script:?}: {}",
                        answer.text()
                    );
                }
                Bidi => {
                    assert_eq!((answer.status, answer.complete), (200, false), "{case:?} {script:?}");
                    let begins = case.answer(&["a"]);
                    assert!(
                        answer.text().starts_with(begins.trim_end_matches(']')),
                        "{case:?}: {}",
                        answer.text()
                    );
                    if case.form != Raw && code > 0 {
                        let separator = if case.form == Array { "," } else { "\n" };
                        let error = format!("{separator}{{\"error\":{{\"code\":{code},");
                        assert!(answer.text().contains(&error), "{case:?}: {}", answer.text());
                    }
                    if case.form == Raw {
                        assert_eq!(answer.text(), begins, "{case:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_or_large_element_is_told_before_the_answer_and_in_it() {
    let limits = "limits = { message = \"1KiB\" }\nstream_headers_after = \"60s\"";
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(2000));
    for case in Case::all().filter(|case| case.form != Raw) {
        let opening = if case.form == Array { "[{}" } else { "{}\n" };
        let separator = if case.form == Array { "," } else { "\n" };
        for (wrong, status, code) in [("{\"nothing\":1}", 400, 3), (&*large, 413, 8)] {
            let body = format!("{opening}{separator}{wrong}{separator}");
            let (upstream, gateway) =
                scripted(limits, |_| Script::new().step(Step::Request).head().ok()).await;
            let answer = case.request(&gateway).body(body).fetch().await;
            assert_eq!((answer.status, answer.complete), (status, true), "{case:?}: {}", answer.text());
            assert!(answer.text().contains("element 2 of the request body"), "{case:?}: {}", answer.text());
            assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);

            if case.kind == Bidi {
                let (upstream, gateway) = scripted(limits, |_| Script::echo()).await;
                let (upload, answer) = case.request(&gateway).upload();
                upload.send(opening).await;
                let mut response = answer.await.unwrap();
                response.until("{}").await;
                upload.send(format!("{separator}{wrong}{separator}")).await;
                let answer = response.whole().await;
                assert!(!answer.complete, "{case:?}");
                if case.form == Ndjson {
                    let error =
                        format!("{{\"error\":{{\"code\":{code},\"message\":\"element 2 of the request body");
                    assert!(answer.text().contains(&error), "{case:?}: {}", answer.text());
                }
                assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
            }
        }
    }
}

/// How every case ends whose client sends one message and whose upstream never answers, where nothing but the
/// end of the call brings an answer.
async fn unanswered(limits: &str, timeout: Option<&str>) -> Vec<(Case, Answer)> {
    let config = format!("stream_headers_after = \"60s\"\n{limits}");
    let (upstream, gateway) = scripted(&config, |_| Script::new().stall()).await;
    let ended = join_all(Case::all().map(async |case| {
        let request = case.request(&gateway);
        let request =
            if let Some(timeout) = timeout { request.header("grpc-timeout", timeout) } else { request };
        let (upload, answer) = request.upload();
        upload.send(if case.form == Array { "[{}" } else { "{}\n" }).await;
        let response = tokio::time::timeout(2 * PATIENCE, answer).await.expect("the call ends").unwrap();
        (case, response.whole().await)
    }))
    .await;
    for call in upstream.calls() {
        assert_eq!(call.reset().await, Reason::CANCEL);
    }
    ended
}

#[tokio::test]
async fn uploads_end_when_their_time_is_over_though_their_client_goes_on() {
    for (limits, timeout, status, reason) in [
        ("", Some("1S"), 504, "DEADLINE_EXCEEDED"),
        ("limits = { idle = \"1s\" }", None, 504, "STREAM_IDLE"),
        ("limits = { age = \"1s\" }", None, 503, "STREAM_TOO_OLD"),
    ] {
        for (case, answer) in unanswered(limits, timeout).await {
            assert_eq!((answer.status, answer.complete), (status, true), "{case:?}: {}", answer.text());
            assert!(answer.text().contains(reason), "{case:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn messages_of_the_client_keep_a_stream_alive() {
    let (_upstream, gateway) =
        scripted("limits = { idle = \"1s\" }", |_| Script::unary(wire(&item("sum")))).await;
    let case = Case { form: Ndjson, kind: Client, http2: true };
    let (upload, answer) = case.request(&gateway).upload();
    for _ in 0..12 {
        upload.send("{}\n").await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    drop(upload);
    assert_eq!(answer.await.unwrap().status, 200);
}

#[tokio::test]
async fn clients_that_leave_cancel_at_once() {
    for case in Case::all() {
        let (upstream, gateway) = behind(Script::new().stall()).await;
        let (upload, answer) = case.request(&gateway).upload();
        upload.send(if case.form == Array { "[{}" } else { "{}\n" }).await;
        let seen = upstream.call(0).await;
        upload.abort().await;
        assert_eq!(seen.reset().await, Reason::CANCEL, "{case:?}");
        answer.abort();
    }
}

#[tokio::test]
async fn uploads_are_waited_for_when_the_process_drains_but_streams_of_json_both_ways() {
    for case in Case::all() {
        let script = Script::new().step(Step::Request).head().message(case.message("a")).ok();
        let (upstream, gateway) = behind(script).await;
        let (upload, answer) = case.request(&gateway).upload();
        let (first, rest) = match case.form {
            Ndjson => ("{}\n{", "}\n"),
            Array => ("[{},{", "}]"),
            Raw => ("{", "}"),
        };
        upload.send(first).await;
        upstream.call(0).await;
        gateway.signal("TERM").await;
        gateway.log.find(|line| line["message"].as_str().is_some_and(|text| text.contains("drain"))).await;
        if case.form == Raw || case.kind == Client {
            upload.send(rest).await;
            drop(upload);
            let answer = answer.await.unwrap().whole().await;
            assert_eq!((answer.status, answer.complete), (200, true), "{case:?}: {}", answer.text());
            assert_eq!(answer.text(), case.answer(&["a"]), "{case:?}");
        } else {
            let answer = answer.await.unwrap().whole().await;
            assert!(answer.text().contains("DRAINING"), "{case:?}: {}", answer.text());
            assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL, "{case:?}");
        }
    }
}
