//! Requests in, messages out: one table, with what binds where and what is refused.

use std::sync::Arc;

use super::*;
use crate::route::Template;
use crate::schema::fixture;
use crate::transcode::WriteOptions;

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/api/httpbody.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

message Request {
  string name = 1;
  Inner inner = 2;
  repeated int32 ids = 3;
  map<string, int64> labels = 4;
  oneof choice { string left = 5; Inner right = 6; }
  Color color = 7;
  google.protobuf.Timestamp at = 8;
  google.protobuf.Int32Value wrapped = 9;
  bytes data = 10;
  google.protobuf.FieldMask update_mask = 11;
  google.api.HttpBody raw = 12;
  optional bool flag = 13;
  repeated Inner inners = 14;
}
message Inner { string title = 1; int64 big_number = 2; Inner inner = 3; }
enum Color { COLOR_UNSPECIFIED = 0; RED = 1; }
"#;

fn codec() -> Codec {
    Codec::new(Arc::new(fixture::compile_text(PROTO)))
}

fn plan(
    codec: &Codec,
    template: &str,
    body: Option<&str>,
    fills_mask: bool,
) -> Result<RequestPlan, PlanError> {
    let template = Template::parse(template).unwrap();
    let variables: Vec<_> = template.variables().iter().map(|variable| variable.path.as_slice()).collect();
    RequestPlan::new(codec.schema().message_by_name("t.Request").unwrap(), variables, body, fills_mask)
}

struct Case {
    template: &'static str,
    captures: &'static [&'static str],
    query: &'static str,
    body_is: Option<&'static str>,
    body: &'static str,
}

const PLAIN: Case = Case { template: "/v1", captures: &[], query: "", body_is: None, body: "" };

fn encode(codec: &Codec, case: &Case, fills_mask: bool) -> Result<Vec<u8>, RequestError> {
    let plan = plan(codec, case.template, case.body_is, fills_mask).unwrap();
    let parts = Parts {
        captures: case.captures,
        query: case.query,
        body: case.body.as_bytes(),
        content_type: "text/plain",
    };
    plan.encode(codec, parts, &ReadOptions::default(), &QueryOptions::default())
}

fn json(codec: &Codec, case: &Case, fills_mask: bool) -> String {
    let wire = encode(codec, case, fills_mask).unwrap_or_else(|error| panic!("{}: {error:?}", case.query));
    let message = codec.schema().message_by_name("t.Request").unwrap().id();
    let mut out = Vec::new();
    codec.write(message, &wire, &WriteOptions::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn query_parameters_find_their_fields() {
    let codec = codec();
    let cases = [
        ("", "{}"),
        ("name=a+b%26c", r#"{"name":"a b&c"}"#),
        (
            "inner.title=x&inner.bigNumber=9007199254740993",
            r#"{"inner":{"title":"x","bigNumber":"9007199254740993"}}"#,
        ),
        ("inner.big_number=1&inner.inner.title=y", r#"{"inner":{"bigNumber":"1","inner":{"title":"y"}}}"#),
        ("ids=1&ids=-2", r#"{"ids":[1,-2]}"#),
        ("labels[a]=1&labels[b.c]=2", r#"{"labels":{"a":"1","b.c":"2"}}"#),
        ("color=RED", r#"{"color":"RED"}"#),
        ("color=1", r#"{"color":"RED"}"#),
        ("at=2024-01-02T03:04:05Z", r#"{"at":"2024-01-02T03:04:05Z"}"#),
        ("wrapped=7", r#"{"wrapped":7}"#),
        ("data=_-8", r#"{"data":"/+8="}"#),
        ("updateMask=name,inner.bigNumber", r#"{"updateMask":"name,inner.bigNumber"}"#),
        ("left=l", r#"{"left":"l"}"#),
        ("right.title=a&right.big_number=2", r#"{"right":{"title":"a","bigNumber":"2"}}"#),
        ("flag=false", r#"{"flag":false}"#),
        ("name=", "{}"),
        ("name&", "{}"),
        ("ids=0", r#"{"ids":[0]}"#),
        ("color=0&data=", "{}"),
    ];
    for (query, expected) in cases {
        assert_eq!(json(&codec, &Case { query, ..PLAIN }, false), expected, "{query}");
    }
}

#[test]
fn query_parameters_that_do_not_fit_are_refused_by_name() {
    let codec = codec();
    let cases = [
        ("nmae=x", "nmae", "did you mean \"name\"?"),
        ("inner.nothing=x", "inner.nothing", "no field"),
        ("name=a&name=b", "name", "given twice"),
        ("name=a&name=a", "name", "given twice"),
        ("inner.title=a&inner.title=b", "inner.title", "given twice"),
        ("left=a&right.title=b", "right.title", "oneof"),
        ("inners.title=a", "inners.title", "no singular message"),
        ("labels=1", "labels", "labels[KEY]=VALUE"),
        ("name[a]=1", "name[a]", "only maps"),
        ("labels[a]=x", "labels[a]", ""),
        ("ids=1.5", "ids", ""),
        ("flag=yes", "flag", ""),
        ("name=%zz", "name=%zz", "percent-encoding"),
        ("name=%ff", "name=%ff", "percent-encoding"),
        ("inner=x", "inner", ""),
        ("=x", "", "no field"),
    ];
    for (query, field, description) in cases {
        let error = encode(&codec, &Case { query, ..PLAIN }, false).unwrap_err();
        let RequestError::Parameters(violations) = error else { panic!("{query}: {error:?}") };
        assert_eq!(violations[0].field, field, "{query}");
        assert!(violations[0].description.contains(description), "{query}: {violations:?}");
    }
}

#[test]
fn a_oneof_that_the_path_binds_is_bound() {
    let codec = codec();
    let left = Case { template: "/v1/{left}", captures: &["l"], ..PLAIN };
    let right = || Case { template: "/v1/{right.title}", captures: &["r"], ..PLAIN };
    for (path, query) in [(left, "right.title=x"), (right(), "left=x")] {
        let error = encode(&codec, &Case { query, ..path }, false).unwrap_err();
        let RequestError::Parameters(violations) = error else { panic!("{query}: {error:?}") };
        assert!(violations[0].description.contains("oneof"), "{query}: {violations:?}");
    }
    let beside = Case { query: "right.big_number=1", ..right() };
    assert_eq!(json(&codec, &beside, false), r#"{"right":{"title":"r","bigNumber":"1"}}"#);
}

#[test]
fn all_wrong_parameters_are_told_at_once() {
    let codec = codec();
    let case = Case { template: "/v1/{inner.big_number}", captures: &["x"], query: "a=1&ids=z", ..PLAIN };
    let Err(RequestError::Parameters(violations)) = encode(&codec, &case, false) else { panic!() };
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["a", "ids", "inner.big_number"]);
}

#[test]
fn the_path_wins_over_the_body_and_bars_the_query() {
    let codec = codec();
    let path =
        Case { template: "/v1/{name}/{inner.title}", captures: &["p", "t"], body_is: Some("*"), ..PLAIN };
    let body = r#"{"name":"b","inner":{"title":"b","bigNumber":"2"},"ids":[1]}"#;
    let expected = r#"{"name":"p","inner":{"title":"t","bigNumber":"2"},"ids":[1]}"#;
    assert_eq!(json(&codec, &Case { body, ..path }, false), expected);
    let barred = Case { template: "/v1/{name}", captures: &["p"], query: "name=q", ..PLAIN };
    assert!(matches!(encode(&codec, &barred, false), Err(RequestError::Parameters(_))));
    let below =
        Case { template: "/v1/{inner.title}", captures: &["p"], query: "inner.big_number=1", ..PLAIN };
    assert_eq!(json(&codec, &below, false), r#"{"inner":{"title":"p","bigNumber":"1"}}"#);
}

#[test]
fn the_body_is_everything_a_field_or_nothing() {
    let codec = codec();
    let whole = Case { body_is: Some("*"), ..PLAIN };
    assert_eq!(json(&codec, &Case { body: "", ..whole }, false), "{}");
    let barred = Case { body_is: Some("*"), query: "name=q", body: "{}", ..PLAIN };
    assert!(matches!(encode(&codec, &barred, false), Err(RequestError::Parameters(_))));
    let field = Case { body_is: Some("inner"), query: "name=q", body: r#"{"title":"t"}"#, ..PLAIN };
    assert_eq!(json(&codec, &field, false), r#"{"name":"q","inner":{"title":"t"}}"#);
    let nested =
        Case { body_is: Some("inner.inner"), query: "inner.title=q", body: r#"{"title":"t"}"#, ..PLAIN };
    assert_eq!(json(&codec, &nested, false), r#"{"inner":{"title":"q","inner":{"title":"t"}}}"#);
    let list = Case { body_is: Some("inners"), body: r#"[{"title":"a"},{}]"#, ..PLAIN };
    assert_eq!(json(&codec, &list, false), r#"{"inners":[{"title":"a"},{}]}"#);
    let in_body = Case { body_is: Some("inner"), query: "inner.title=q", body: "{}", ..PLAIN };
    assert!(matches!(encode(&codec, &in_body, false), Err(RequestError::Parameters(_))));
}

#[test]
fn raw_bodies_are_taken_as_they_are() {
    let codec = codec();
    let raw = Case { body_is: Some("raw"), body: "{not json", query: "name=q", ..PLAIN };
    assert_eq!(
        json(&codec, &raw, false),
        r#"{"name":"q","raw":{"contentType":"text/plain","data":"e25vdCBqc29u"}}"#
    );
}

#[test]
fn a_patch_fills_its_mask_from_the_body() {
    let codec = codec();
    let patch = Case { body_is: Some("inner"), body: r#"{"title":"t","inner":{"bigNumber":"1"}}"#, ..PLAIN };
    let filled = json(&codec, &patch, true);
    assert!(filled.contains(r#""updateMask":"title,inner.bigNumber""#), "{filled}");
    let given = json(&codec, &Case { query: "update_mask=title", ..patch }, true);
    assert!(given.contains(r#""updateMask":"title""#), "{given}");
    assert!(!json(&codec, &patch, false).contains("updateMask"));
}

#[test]
fn bindings_that_name_nothing_are_refused_when_they_are_loaded() {
    let codec = codec();
    assert!(matches!(plan(&codec, "/v1/{nothing}", None, false), Err(PlanError::Variable(0, _))));
    assert!(matches!(plan(&codec, "/v1/{name}/{ids}", None, false), Err(PlanError::Variable(1, _))));
    assert!(matches!(plan(&codec, "/v1", Some("nothing"), false), Err(PlanError::Body(_))));
}

#[test]
fn the_path_replaces_all_of_a_well_known_value() {
    let codec = codec();
    let body_is = Some("*");
    for (template, captures, body, expected) in [
        (
            "/v1/{at}",
            &["1970-01-01T00:00:05Z"],
            r#"{"at":"1970-01-01T00:00:01.5Z"}"#,
            r#"{"at":"1970-01-01T00:00:05Z"}"#,
        ),
        ("/v1/{wrapped}", &["0"], r#"{"wrapped":5}"#, r#"{"wrapped":0}"#),
    ] {
        let case = Case { template, captures, body_is, body, ..PLAIN };
        assert_eq!(json(&codec, &case, false), expected, "{template}");
    }
    // Of these a part of the body's value would remain.
    for template in ["/v1/{update_mask}", "/v1/{inner}", "/v1/{raw}"] {
        assert!(
            matches!(plan(&codec, template, body_is, false), Err(PlanError::Variable(0, _))),
            "{template}"
        );
    }
}

#[test]
fn a_flood_of_wrong_parameters_is_told_in_part() {
    let codec = codec();
    let query = "nope&".repeat(5000);
    let case = Case { query: query.leak(), ..PLAIN };
    match encode(&codec, &case, false) {
        Err(RequestError::Parameters(violations)) => assert_eq!(violations.len(), query::MAX_VIOLATIONS),
        other => panic!("{other:?}"),
    }
}
