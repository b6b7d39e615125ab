//! Cursors of every type, there and back; and fields that carry none.

use std::sync::Arc;

use super::*;
use crate::route::Template;
use crate::schema::fixture;

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/protobuf/timestamp.proto";

message Request {
  string text = 1;
  bytes data = 2;
  int32 int = 3;
  int64 long = 4;
  uint32 unsigned = 5;
  fixed64 fixed = 6;
  google.protobuf.Timestamp time = 7;
  Page page = 8;
  oneof start { string token = 9; Page other = 10; }
  repeated string texts = 11;
  bool flag = 12;
  double number = 13;
  optional int64 maybe = 14;
  sint32 zigzag = 15;
}
message Page { string name = 1; int64 after = 2; }
"#;

fn codec() -> Codec {
    Codec::new(Arc::new(fixture::compile_text(PROTO)))
}

fn plan(codec: &Codec, template: &str, response: &str, request: &str) -> Result<ResumePlan, String> {
    let message = codec.schema().message_by_name("t.Request").unwrap();
    let template = Template::parse(template).unwrap();
    let variables = template.variables().iter().map(|variable| variable.path.as_slice());
    let requests = RequestPlan::new(message, variables, None, false).unwrap();
    ResumePlan::new((message, message), &requests, response, request).map_err(|error| match error {
        ResumeError::Response(error) => format!("response: {}", error.message),
        ResumeError::Request(error) => format!("request: {}", error.message),
    })
}

fn wire(codec: &Codec, json: &str) -> Bytes {
    let message = codec.schema().message_by_name("t.Request").unwrap().id();
    let mut out = Vec::new();
    codec.read(message, json.as_bytes(), &ReadOptions::default(), &mut out).unwrap();
    out.into()
}

#[test]
fn a_cursor_goes_from_an_answer_into_a_request() {
    let codec = codec();
    let cases = [
        ("text", "text", r#"{"text":"a\r\n \u0000é\"\\"}"#, "a\r\n \0é\"\\"),
        ("text", "text", r#"{"text":"0"}"#, "0"),
        ("data", "data", r#"{"data":"+/8="}"#, "+/8="),
        ("data", "text", r#"{"data":"+/8="}"#, "+/8="),
        ("int", "long", r#"{"int":-7}"#, "-7"),
        ("zigzag", "int", r#"{"zigzag":-7}"#, "-7"),
        ("long", "long", r#"{"long":"9223372036854775807"}"#, "9223372036854775807"),
        ("long", "text", r#"{"long":"12"}"#, "12"),
        ("unsigned", "long", r#"{"unsigned":4294967295}"#, "4294967295"),
        ("unsigned", "fixed", r#"{"unsigned":1}"#, "1"),
        ("time", "time", r#"{"time":"2026-01-02T03:04:05.678Z"}"#, "2026-01-02T03:04:05.678Z"),
        ("time", "text", r#"{"time":"2026-01-02T03:04:05Z"}"#, "2026-01-02T03:04:05Z"),
        ("page.after", "page.after", r#"{"page":{"after":"3"}}"#, "3"),
        ("maybe", "maybe", r#"{"maybe":"0"}"#, "0"),
        ("maybe", "long", r#"{"maybe":"0"}"#, "0"),
    ];
    for (response, request, json, expected) in cases {
        let plan = plan(&codec, "/x", response, request).unwrap();
        // A field without presence cannot tell zero from nothing.
        let told = Some(expected).filter(|_| (expected, request) != ("0", "long"));
        let cursor = plan.cursor(&codec, &wire(&codec, json)).unwrap();
        assert_eq!(cursor.as_deref(), Some(expected), "{response}");
        let mut out = Vec::new();
        plan.write(&codec, expected, &mut out).unwrap();
        let back = self::plan(&codec, "/x", request, "text").unwrap();
        assert_eq!(back.cursor(&codec, &out.into()).unwrap().as_deref(), told, "{request}");
    }
}

#[test]
fn what_is_not_there_is_no_cursor() {
    let codec = codec();
    for field in ["text", "data", "int", "long", "time", "page.after", "maybe"] {
        let plan = plan(&codec, "/x", field, "text").unwrap();
        assert_eq!(plan.cursor(&codec, &Bytes::new()).unwrap(), None, "{field}");
    }
    let plan = plan(&codec, "/x", "long", "long").unwrap();
    assert_eq!(plan.cursor(&codec, &Bytes::from_static(&[0x20, 0])).unwrap(), None);
}

#[test]
fn of_a_field_that_is_there_twice_the_last_counts() {
    let codec = codec();
    let one_by_one = [wire(&codec, r#"{"long":"1"}"#), wire(&codec, r#"{"long":"2"}"#)].concat();
    let flat = plan(&codec, "/x", "long", "long").unwrap();
    assert_eq!(flat.cursor(&codec, &one_by_one.into()).unwrap().as_deref(), Some("2"));
    let parts =
        [wire(&codec, r#"{"page":{"after":"1"}}"#), wire(&codec, r#"{"page":{"name":"x"}}"#)].concat();
    let nested = plan(&codec, "/x", "page.after", "long").unwrap();
    assert_eq!(nested.cursor(&codec, &parts.into()).unwrap().as_deref(), Some("1"));
}

#[test]
fn a_cursor_wins_over_what_the_request_said_before() {
    let codec = codec();
    let plan = plan(&codec, "/x", "page.after", "page.after").unwrap();
    let mut out = wire(&codec, r#"{"page":{"after":"1","name":"x"}}"#).to_vec();
    plan.write(&codec, "9", &mut out).unwrap();
    let mut json = Vec::new();
    let message = codec.schema().message_by_name("t.Request").unwrap().id();
    codec.write(message, &out, &WriteOptions::default(), &mut json).unwrap();
    assert_eq!(String::from_utf8(json).unwrap(), r#"{"page":{"name":"x","after":"9"}}"#);
}

#[test]
fn broken_messages_and_texts_are_errors() {
    let codec = codec();
    let nested = plan(&codec, "/x", "page.after", "long").unwrap();
    assert!(nested.cursor(&codec, &Bytes::from_static(&[0x42, 9, 1])).is_err());
    for text in ["", "x", "1.5", "9223372036854775808", " 1"] {
        let mut out = b"before".to_vec();
        assert!(nested.write(&codec, text, &mut out).is_err(), "{text}");
        assert_eq!(out, b"before");
    }
}

#[test]
fn fields_that_carry_no_cursor_are_refused() {
    let codec = codec();
    let cases = [
        ("/x", "absent", "long", "response: t.Request has no field \"absent\""),
        ("/x", "long", "page.absent", "request: t.Page has no field \"absent\""),
        ("/x", "texts", "long", "response: \"texts\" is repeated"),
        ("/x", "token", "text", "response: \"token\" is in a oneof"),
        ("/x", "text", "other.name", "request: \"other\" is in a oneof"),
        (
            "/x",
            "flag",
            "text",
            "response: \"flag\" is no string, bytes, integer or google.protobuf.Timestamp",
        ),
        (
            "/x",
            "text",
            "number",
            "request: \"number\" is no string, bytes, integer or google.protobuf.Timestamp",
        ),
        (
            "/x",
            "page",
            "page",
            "response: \"page\" is no string, bytes, integer or google.protobuf.Timestamp",
        ),
        (
            "/x",
            "text",
            "long",
            "request: \"long\" is signed integer of 64 bits, and takes no string as \"text\" is",
        ),
        (
            "/x",
            "long",
            "int",
            "request: \"int\" is signed integer of 32 bits, and takes no signed integer of 64 bits as \"long\" is",
        ),
        (
            "/x",
            "fixed",
            "long",
            "request: \"long\" is signed integer of 64 bits, and takes no unsigned integer of 64 bits as \"fixed\" is",
        ),
        ("/x/{text}", "text", "text", "request: \"text\" is bound by the path, which does not change"),
    ];
    for (template, response, request, expected) in cases {
        assert_eq!(plan(&codec, template, response, request).unwrap_err(), expected);
    }
}
