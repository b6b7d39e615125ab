//! Response bodies that are fields at any depth, in parts and in groups.

use std::sync::Arc;

use super::*;
use crate::schema::fixture;
use crate::transcode::ReadOptions;

const PROTO: &str = r#"
syntax = "proto2";
package t;
import "google/api/httpbody.proto";

message Answer {
  optional Inner inner = 1;
  optional group Group = 2 {
    optional google.api.HttpBody raw = 1;
    optional string title = 2;
    optional Inner inner = 4;
  }
  optional google.api.HttpBody raw = 3;
  repeated google.api.HttpBody raws = 4;
  optional string name = 5;
}
message Inner {
  optional google.api.HttpBody raw = 1;
  optional string title = 2;
  repeated int64 numbers = 3;
  optional Inner inner = 4;
}
"#;

fn codec() -> Codec {
    Codec::new(Arc::new(fixture::compile_text(PROTO)))
}

fn wire(codec: &Codec, json: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    let message = codec.schema().message_by_name("t.Answer").unwrap();
    codec.read(message.id(), json.as_bytes(), &ReadOptions::default(), &mut wire).unwrap();
    wire
}

fn plan(codec: &Codec, name: &str) -> ResponsePlan {
    ResponsePlan::new(codec.schema().message_by_name("t.Answer").unwrap(), Some(name)).unwrap()
}

fn json(codec: &Codec, name: &str, wire: &[u8]) -> String {
    let mut out = Vec::new();
    plan(codec, name).write_json(codec, wire, &WriteOptions::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_body_is_a_field_at_any_depth() {
    let codec = codec();
    let wire =
        wire(&codec, r#"{"inner":{"title":"t","inner":{"numbers":["1"]}},"group":{"title":"g"},"name":"n"}"#);
    for (name, expected) in [
        ("name", r#""n""#),
        ("inner.title", r#""t""#),
        ("inner.inner.numbers", r#"["1"]"#),
        ("inner.numbers", "[]"),
        ("group.title", r#""g""#),
        ("group.inner", "{}"),
        ("inner.inner", r#"{"numbers":["1"]}"#),
        ("raws", "[]"),
    ] {
        assert_eq!(json(&codec, name, &wire), expected, "{name}");
    }
    let output = codec.schema().message_by_name("t.Answer").unwrap();
    for name in ["nope", "inner.nope", "name.x", "raws.data", ""] {
        assert!(matches!(ResponsePlan::new(output, Some(name)), Err(PlanError::ResponseBody(_))), "{name}");
    }
}

#[test]
fn raw_bodies_are_found_at_any_depth_and_in_parts() {
    let codec = codec();
    for (name, first, second) in [
        ("raw", r#"{"raw":{"contentType":"image/png"}}"#, r#"{"name":"n","raw":{"data":"AQI="}}"#),
        (
            "inner.raw",
            r#"{"inner":{"raw":{"contentType":"image/png"}}}"#,
            r#"{"inner":{"title":"t","raw":{"data":"AQI="}}}"#,
        ),
        (
            "group.raw",
            r#"{"group":{"raw":{"contentType":"image/png"}}}"#,
            r#"{"group":{"raw":{"data":"AQI="}}}"#,
        ),
        (
            "group.inner.raw",
            r#"{"group":{"inner":{"raw":{"contentType":"image/png"}}}}"#,
            r#"{"group":{"inner":{"raw":{"data":"AQI="}}}}"#,
        ),
    ] {
        let plan = plan(&codec, name);
        assert!(plan.is_raw());
        let parts = [wire(&codec, first), wire(&codec, second)].concat();
        let body = plan.raw(parts.clone().into()).unwrap();
        assert_eq!((body.content_type.as_str(), &*body.data), ("image/png", &[1, 2][..]), "{name}");
        assert_eq!(plan.raw(Bytes::new()).unwrap(), HttpBody::default());
        for cut in 0..parts.len() {
            // Whatever is left of it: an answer or an error, but no panic.
            let _ = plan.raw(parts[..cut].to_vec().into());
        }
    }
    assert!(!plan(&codec, "raws").is_raw());
}
