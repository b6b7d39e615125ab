//! Tests of the schema as a whole: sources in, tables out, problems with their places.

use std::path::{Path, PathBuf};

use super::*;
use crate::config::model::{Schema as Source, SchemaSource};
use crate::config::problem::{Located, Location, Problem};
use crate::rpc::Kind;

fn located<T>(value: T) -> Located<T> {
    Located { value, at: Location::default() }
}

/// Compiles sources, given as (name, text), from a folder of their own.
fn compile(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<load::Loaded, Vec<Problem>>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let loaded = load::load(&[protos(folder.path())], &load::Reflected::new());
    (folder, loaded)
}

fn protos(folder: &Path) -> Source {
    Source {
        source: SchemaSource::Protos {
            patterns: vec![located(folder.join("**/*.proto"))],
            include: vec![located(folder.to_path_buf())],
        },
        exclude: Vec::new(),
        at: Location::default(),
    }
}

fn descriptor_set(path: PathBuf) -> Source {
    Source {
        source: SchemaSource::DescriptorSet(located(path)),
        exclude: Vec::new(),
        at: Location::default(),
    }
}

const SHOP: &str = r#"
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/api/client.proto";
import "google/protobuf/timestamp.proto";

service Shop {
  option (google.api.default_host) = "shop.example.com";
  // Gives one item.
  rpc GetItem(GetItemRequest) returns (Item) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {
      get: "/v1/{name=items/*}"
      additional_bindings { post: "/v1/items:get" body: "*" response_body: "tags" }
    };
  }
  rpc Watch(GetItemRequest) returns (stream Item);
}
message GetItemRequest { string name = 1; }
message Item {
  string item_name = 1;
  optional int32 price = 2;
  repeated int32 sizes = 3;
  repeated string tags = 4;
  map<string, Item> parts = 5;
  oneof maker { string person = 6; int64 company = 7; }
  Color color = 8;
  google.protobuf.Timestamp made = 9;
  enum Color { COLOR_UNSPECIFIED = 0; RED = 1; }
}
"#;

#[test]
fn sources_become_tables() {
    let (_folder, loaded) = compile(&[("shop/v1/shop.proto", SHOP)]);
    let schema = loaded.unwrap().schema;
    let item = schema.message_by_name("shop.v1.Item").unwrap();
    let summary: Vec<_> = item
        .fields()
        .map(|field| (field.number(), field.json_name(), field.cardinality(), field.oneof()))
        .collect();
    assert_eq!(
        summary,
        [
            (1, "itemName", Cardinality::Implicit, None),
            (2, "price", Cardinality::Explicit, None),
            (3, "sizes", Cardinality::Repeated, None),
            (4, "tags", Cardinality::Repeated, None),
            (5, "parts", Cardinality::Map, None),
            (6, "person", Cardinality::Explicit, Some(0)),
            (7, "company", Cardinality::Explicit, Some(0)),
            (8, "color", Cardinality::Implicit, None),
            (9, "made", Cardinality::Explicit, None),
        ]
    );
    assert!(item.field("sizes").unwrap().is_packed());
    assert!(!item.field("tags").unwrap().is_packed());
    assert_eq!(item.field("item_name").unwrap().number(), item.field("itemName").unwrap().number());
    let FieldType::Enum(color) = item.field("color").unwrap().field_type() else { panic!("an enum") };
    assert_eq!(
        schema.enumeration(color).values().collect::<Vec<_>>(),
        [("COLOR_UNSPECIFIED", 0), ("RED", 1)]
    );
}

#[test]
fn without_include_imports_start_from_the_folder_of_the_pattern() {
    let (folder, _) =
        compile(&[("a/b.proto", "syntax = \"proto3\"; import \"a/c.proto\";"), ("a/c.proto", "")]);
    let mut source = protos(folder.path());
    if let SchemaSource::Protos { include, .. } = &mut source.source {
        include.clear();
    }
    assert_eq!(load::load(&[source], &load::Reflected::new()).unwrap().files.len(), 2);
}

#[test]
fn methods_keep_their_options_and_comments() {
    let (folder, loaded) = compile(&[("shop/v1/shop.proto", SHOP)]);
    let loaded = loaded.unwrap();
    assert!(loaded.files.contains(&folder.path().join("shop/v1/shop.proto")));
    let schema = loaded.schema;
    let method = schema.method_by_name("shop.v1.Shop.GetItem").unwrap();
    assert_eq!(method.path(), "/shop.v1.Shop/GetItem");
    assert_eq!(method.idempotency(), Idempotency::NoSideEffects);
    assert_eq!(method.default_host(), Some("shop.example.com"));
    let rules: Vec<_> = method.http().iter().map(|rule| (&*rule.method, &*rule.template)).collect();
    assert_eq!(rules, [("GET", "/v1/{name=items/*}"), ("POST", "/v1/items:get")]);
    assert_eq!(method.http()[1].response_body.as_deref(), Some("tags"));
    let source = comments::of_method(&schema, method);
    assert_eq!(source.file, "shop/v1/shop.proto");
    assert_eq!(source.comment.as_deref(), Some("Gives one item."));
    assert_eq!(source.position, Some((11, 3)));
    assert_eq!(schema.method_by_name("shop.v1.Shop.Watch").unwrap().kind(), Kind::ServerStreaming);
}

#[test]
fn field_paths_go_through_singular_messages_only() {
    let (_folder, loaded) = compile(&[("shop/v1/shop.proto", SHOP)]);
    let schema = loaded.unwrap().schema;
    let item = schema.message_by_name("shop.v1.Item").unwrap();
    let path = field_path::resolve(item, ["made", "seconds"]).unwrap();
    assert_eq!(path.iter().map(|field| field.name()).collect::<Vec<_>>(), ["made", "seconds"]);
    let unknown = field_path::resolve(item, ["made", "minutes"]).unwrap_err();
    assert_eq!(unknown.message, "google.protobuf.Timestamp has no field \"minutes\"");
    assert_eq!(unknown.candidates, ["seconds", "nanos"]);
    let through_map = field_path::resolve(item, ["parts", "item_name"]).unwrap_err();
    assert!(through_map.message.contains("no singular message"), "{through_map:?}");
}

#[test]
fn mistakes_in_sources_have_their_line_and_column() {
    let (folder, loaded) = compile(&[
        ("a.proto", "syntax = \"proto3\";\nmessage A {\n  Missing m = 1;\n}\n"),
        ("b.proto", "syntax = \"proto3\";\nimport \"nowhere.proto\";\n"),
        ("c.proto", "edition = \"2023\";\nmessage C {}\n"),
    ]);
    let problems = loaded.unwrap_err();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| {
            (
                problem.at.file.as_deref().unwrap().strip_prefix(folder.path()).unwrap().to_owned(),
                problem.at.position,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("a.proto".into(), Some((3, 3))),
            ("b.proto".into(), Some((2, 1))),
            ("c.proto".into(), Some((1, 1)))
        ]
    );
    assert!(problems[2].help.as_deref().unwrap().contains("descriptor_set"), "{problems:?}");
}

#[test]
fn a_pattern_that_matches_nothing_is_a_problem() {
    let (_folder, loaded) = compile(&[]);
    assert!(loaded.unwrap_err()[0].message.starts_with("no file matches"));
}

/// The bytes of a `FileDescriptorProto`, as a set.
fn set_of(files: Vec<descriptor::FileDescriptor>) -> Vec<u8> {
    use prost::Message as _;
    let file = files.into_iter().map(|file| file.encode_to_vec().into()).collect();
    descriptor::FileSet { file }.encode_to_vec()
}

fn load_set(bytes: &[u8]) -> Result<load::Loaded, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    std::fs::write(&path, bytes).unwrap();
    load::load(&[descriptor_set(path)], &load::Reflected::new())
}

#[test]
fn a_set_without_its_imports_is_a_problem_but_standard_files_are_at_hand() {
    let file = |import: &str| descriptor::FileDescriptor {
        name: Some("a.proto".into()),
        dependency: vec![import.into()],
        ..Default::default()
    };
    let problems = load_set(&set_of(vec![file("other.proto")])).unwrap_err();
    assert_eq!(problems[0].message, "a.proto imports other.proto, which is in no schema");
    let schema = load_set(&set_of(vec![file("google/rpc/status.proto")])).unwrap().schema;
    assert!(schema.message_by_name("google.rpc.Status").is_some());
    assert!(schema.message_by_name("google.protobuf.Any").is_some(), "imports of standard files follow");
}

#[test]
fn damaged_sets_are_problems() {
    assert!(load_set(b"\xff\xff\xff").unwrap_err()[0].message.starts_with("this is no FileDescriptorSet"));
    let field = descriptor::FieldDescriptor {
        name: Some("f".into()),
        number: Some(0),
        r#type: Some(9),
        oneof_index: Some(7),
        ..Default::default()
    };
    let message =
        descriptor::MessageDescriptor { name: Some("M".into()), field: vec![field], ..Default::default() };
    let file = descriptor::FileDescriptor {
        name: Some("a.proto".into()),
        message_type: vec![message.clone(), message],
        ..Default::default()
    };
    let problems = load_set(&set_of(vec![file])).unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("field number 0")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.message.contains("declared twice")), "{problems:?}");
}

#[test]
fn editions_in_a_set_have_their_features() {
    let field = |name: &str, features| descriptor::FieldDescriptor {
        name: Some(name.into()),
        number: Some(1),
        r#type: Some(5),
        label: Some(1),
        options: Some(descriptor::FieldOptions { packed: None, features }),
        ..Default::default()
    };
    let implicit = descriptor::FeatureSet { field_presence: Some(2), ..Default::default() };
    let message = descriptor::MessageDescriptor {
        name: Some("M".into()),
        field: vec![field("explicit", None), field("implicit", Some(implicit))],
        ..Default::default()
    };
    let file = descriptor::FileDescriptor {
        name: Some("a.proto".into()),
        syntax: Some("editions".into()),
        edition: Some(1000),
        message_type: vec![message],
        ..Default::default()
    };
    let schema = load_set(&set_of(vec![file])).unwrap().schema;
    let fields: Vec<_> = schema.message_by_name("M").unwrap().fields().map(Field::cardinality).collect();
    assert_eq!(fields, [Cardinality::Explicit, Cardinality::Implicit]);
}

#[test]
fn the_standard_schema_knows_error_details() {
    assert!(standard().message_by_name("google.rpc.BadRequest").is_some());
    assert!(standard().message_by_name("google.api.HttpBody").is_some());
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = load_set(&bytes);
    }
}
