//! What must hold of the parts of a request that become a message, whatever bytes come.

use std::sync::LazyLock;

use transom::transcode::form::Form;
use transom::transcode::multipart::{Multipart, MultipartError, Part};
use transom::transcode::query::QueryOptions;
use transom::transcode::request::{Parts, RequestError, RequestPlan};
use transom::transcode::{ReadOptions, WriteOptions};

use super::codec::CODEC;

/// Wire is at most so many times as long as the text that it is made of: a double of one digit is eight
/// bytes behind its tag.
const FACTOR: usize = 8;

fn plan(body: Option<&str>) -> RequestPlan {
    let message = CODEC.schema().message_by_name("test.All").unwrap();
    RequestPlan::new(message, [["string_value".to_owned()].as_slice()], body, false).unwrap()
}

/// The text is a query.
pub fn query(input: &[u8]) {
    static PLAN: LazyLock<RequestPlan> = LazyLock::new(|| plan(None));
    let Ok(query) = std::str::from_utf8(input) else { return };
    let parts = Parts { captures: &["captured"], query, body: &[], content_type: "" };
    let options = QueryOptions::default();
    check(input, PLAN.encode(&CODEC, parts, &ReadOptions::default(), &options));
    // What is ignored changes nothing about the rest.
    let lenient = QueryOptions { ignore_unknown: true, ..options };
    check(input, PLAN.encode(&CODEC, parts, &ReadOptions::default(), &lenient));
}

/// The bytes are a URL-encoded form: of the whole message or, by the first byte, of one field.
pub fn form(input: &[u8]) {
    let Some((&selector, text)) = input.split_first() else { return };
    bind(selector, text, &Form::UrlEncoded(text.to_vec().into()));
}

/// The first byte says how the rest is cut: cuts make no difference.
pub fn multipart(input: &[u8]) {
    let Some((&selector, body)) = input.split_first() else { return };
    let whole = parts(std::iter::once(body));
    let cut = parts(body.chunks(usize::from(selector % 32) + 1));
    match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
        (Err(_), Err(_)) => {}
        _ => panic!("{whole:?} {cut:?}"),
    }
    if let Ok(parts) = whole {
        assert!(parts.iter().map(|part| part.name.len() + part.data.len()).sum::<usize>() <= body.len());
        bind(selector, body, &Form::Multipart(parts));
    }
}

fn parts<'i>(pieces: impl Iterator<Item = &'i [u8]>) -> Result<Vec<Part>, MultipartError> {
    let mut multipart = Multipart::new("b");
    for piece in pieces {
        multipart.push(piece)?;
    }
    multipart.finish()
}

fn bind(selector: u8, input: &[u8], form: &Form) {
    static PLANS: LazyLock<[RequestPlan; 2]> = LazyLock::new(|| [plan(Some("*")), plan(Some("child"))]);
    let plan = &PLANS[usize::from(selector >> 7)];
    let parts = Parts { captures: &["captured"], query: "", body: &[], content_type: "" };
    let options = QueryOptions::default();
    check(input, plan.encode_form(&CODEC, parts, form, &ReadOptions::default(), &options));
}

/// What was bound is a message, not much longer than what it was made of, and the path won.
fn check(input: &[u8], encoded: Result<Vec<u8>, RequestError>) {
    let Ok(wire) = encoded else { return };
    assert!(wire.len() <= FACTOR * input.len() + 32, "{} bytes of {}", wire.len(), input.len());
    let message = CODEC.schema().message_by_name("test.All").unwrap().id();
    let mut json = Vec::new();
    CODEC.write(message, &wire, &WriteOptions::default(), &mut json).expect("what was bound can be written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("what was written is JSON");
    assert_eq!(json["stringValue"], "captured");
}
