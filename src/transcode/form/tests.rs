//! What fields of forms become, and what is refused.

use std::sync::Arc;

use super::*;
use crate::route::Template;
use crate::schema::fixture;
use crate::transcode::WriteOptions;
use crate::transcode::query::QueryOptions;
use crate::transcode::request::{Parts, RequestError, RequestPlan};

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/api/httpbody.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";

message Request {
  string name = 1;
  Inner inner = 2;
  repeated int32 ids = 3;
  map<string, int64> labels = 4;
  oneof choice { string left = 5; Inner right = 6; }
  google.protobuf.Timestamp at = 7;
  bytes data = 8;
  google.protobuf.FieldMask update_mask = 9;
  google.api.HttpBody raw = 10;
  repeated google.api.HttpBody files = 11;
  map<string, bytes> blobs = 12;
  string text = 13;
}
message Inner { string title = 1; bytes cover = 2; Inner inner = 3; repeated string tags = 4; }
"#;

fn codec() -> Codec {
    Codec::new(Arc::new(fixture::compile_text(PROTO)))
}

/// The message of a form, as JSON.
fn bound(template: &str, body: &str, captures: &[&str], form: &Form) -> Result<String, RequestError> {
    let codec = codec();
    let template = Template::parse(template).unwrap();
    let variables: Vec<_> = template.variables().iter().map(|variable| variable.path.as_slice()).collect();
    let message = codec.schema().message_by_name("t.Request").unwrap();
    let plan = RequestPlan::new(message, variables, Some(body), true).unwrap();
    assert!(plan.takes_form(&codec));
    let parts = Parts { captures, query: "", body: &[], content_type: "" };
    let wire = plan.encode_form(&codec, parts, form, &ReadOptions::default(), &QueryOptions::default())?;
    let mut json = Vec::new();
    codec.write(message.id(), &wire, &WriteOptions::default(), &mut json).unwrap();
    Ok(String::from_utf8(json).unwrap())
}

fn encoded(text: &'static str) -> Form {
    Form::UrlEncoded(Bytes::from_static(text.as_bytes()))
}

fn part(name: &str, filename: Option<&str>, content_type: &str, data: &[u8]) -> Part {
    Part {
        name: name.into(),
        filename: filename.map(str::to_owned),
        content_type: content_type.into(),
        data: data.into(),
    }
}

fn violations(form: &Form) -> Vec<(String, String)> {
    match bound("/v1", "*", &[], form) {
        Err(RequestError::Form(violations)) => {
            violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_are_what_parameters_are() {
    let cases = [
        ("", "{}"),
        ("name=a+b%26c&ids=1&ids=2", r#"{"name":"a b&c","ids":[1,2]}"#),
        ("inner.title=t&inner.inner.title=u", r#"{"inner":{"title":"t","inner":{"title":"u"}}}"#),
        ("labels[a]=1&labels%5Bb%5D=2", r#"{"labels":{"a":"1","b":"2"}}"#),
        ("at=1970-01-01T00:00:01Z&data=AQI%3D", r#"{"at":"1970-01-01T00:00:01Z","data":"AQI="}"#),
        ("name=ä", r#"{"name":"ä"}"#),
    ];
    for (form, expected) in cases {
        assert_eq!(bound("/v1", "*", &[], &encoded(form)).as_deref(), Ok(expected), "{form}");
    }
}

#[test]
fn the_form_can_be_one_field_of_the_message() {
    let form = encoded("title=t&tags=a&tags=b");
    let expected = r#"{"name":"n","inner":{"title":"t","tags":["a","b"]},"updateMask":"title,tags"}"#;
    assert_eq!(bound("/v1/{name}", "inner", &["n"], &form).as_deref(), Ok(expected));
    assert_eq!(bound("/v1/{name}", "inner", &["n"], &encoded("")).as_deref(), Ok(r#"{"name":"n"}"#));
}

#[test]
fn the_path_wins_over_the_form() {
    let form = encoded("name=forged&text=x");
    assert_eq!(bound("/v1/{name}", "*", &["real"], &form).as_deref(), Ok(r#"{"name":"real","text":"x"}"#));
    let form = encoded("left=forged");
    let real = bound("/v1/{right.title}", "*", &["real"], &form);
    assert_eq!(real.as_deref(), Ok(r#"{"right":{"title":"real"}}"#));
}

#[test]
fn parts_become_text_bytes_bodies_and_json() {
    let form = Form::Multipart(vec![
        part("name", None, "", b"n"),
        part("text", None, "text/plain; charset=utf-8", "ä".as_bytes()),
        part("data", Some("d.bin"), "", b"\x00\xff"),
        part("raw", Some("r.png"), "image/png", b"\x01"),
        part("files", None, "", b"plain"),
        part("files", Some("f"), "text/csv", b"a,b"),
        part("blobs[x.y]", Some("x.y"), "application/octet-stream", b"\x02"),
        part("inner", None, "application/json", br#"{"title":"t"}"#),
        part("ids", None, "application/json", b"[1,2]"),
        part("ids", None, "", b"3"),
        // A file that was not chosen.
        part("right.cover", Some(""), "application/octet-stream", b""),
    ]);
    let expected = concat!(
        r#"{"name":"n","inner":{"title":"t"},"ids":[1,2,3],"data":"AP8=","#,
        r#""raw":{"contentType":"image/png","data":"AQ=="},"#,
        r#""files":[{"contentType":"text/plain","data":"cGxhaW4="},{"contentType":"text/csv","data":"YSxi"}],"#,
        r#""blobs":{"x.y":"Ag=="},"text":"ä"}"#,
    );
    assert_eq!(bound("/v1", "*", &[], &form).as_deref(), Ok(expected));
    let cover = Form::Multipart(vec![part("cover", Some("c"), "image/png", b"\x03")]);
    let expected = r#"{"inner":{"cover":"Aw=="},"updateMask":"cover"}"#;
    assert_eq!(bound("/v1", "inner", &[], &cover).as_deref(), Ok(expected));
    // Text for bytes is base64 in all forms; a file of JSON for bytes is its own text.
    let base64 = Form::Multipart(vec![part("data", None, "", b"AQI=")]);
    assert_eq!(bound("/v1", "*", &[], &base64).as_deref(), Ok(r#"{"data":"AQI="}"#));
    let json = Form::Multipart(vec![part("data", Some("j"), "application/json", b"{}")]);
    assert_eq!(bound("/v1", "*", &[], &json).as_deref(), Ok(r#"{"data":"e30="}"#));
}

#[test]
fn what_does_not_fit_is_named() {
    let one = |part| violations(&Form::Multipart(vec![part])).remove(0);
    let cases = [
        (one(part("name", Some("f"), "text/plain", b"x")), "name", "a file can only be"),
        (one(part("inner", Some("f"), "image/png", b"x")), "inner", "a file can only be"),
        (one(part("name", None, "", b"\xff")), "name", "not valid UTF-8"),
        (one(part("inner", None, "", b"x")), "inner", ""),
        (one(part("inner", None, "application/json", b"{")), "inner", ""),
        (one(part("nope", None, "", b"x")), "nope", "has no field"),
        (violations(&encoded("name=a&name=b")).remove(0), "name", "given twice"),
        (violations(&encoded("left=a&right.title=b")).remove(0), "right.title", "oneof"),
        (violations(&encoded("name=%f")).remove(0), "name=%f", "percent-encoding"),
        (violations(&encoded("ids=x")).remove(0), "ids", ""),
    ];
    for ((field, description), expected, words) in cases {
        assert_eq!(field, expected);
        assert!(description.contains(words), "{field}: {description}");
    }
    assert!(violations(&Form::UrlEncoded(Bytes::from_static(b"name=\xff"))).remove(0).1.contains("UTF-8"));
}

#[test]
fn fields_and_what_is_said_of_them_are_limited() {
    let form = |count: usize| Form::UrlEncoded(vec!["ids=1"; count].join("&").into());
    assert!(bound("/v1", "*", &[], &form(MAX_FIELDS)).is_ok());
    assert!(violations(&form(MAX_FIELDS + 1)).remove(0).1.contains("more than 1000 fields"));
    let wrong = Form::UrlEncoded(vec!["x"; MAX_FIELDS].join("&").into());
    assert_eq!(violations(&wrong).len(), MAX_VIOLATIONS);
}
