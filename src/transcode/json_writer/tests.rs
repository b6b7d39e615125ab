//! Tests of writing JSON from wire bytes in and out of order.

use crate::transcode::WriteOptions;
use crate::transcode::fixture::{CODEC, all, read, write, write_as, write_field};

fn wrong(wire: &[u8]) -> (String, String) {
    let error = write(wire).unwrap_err();
    (error.path, error.description)
}

fn join(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| read(text).unwrap()).collect()
}

#[test]
fn a_message_in_parts_is_merged() {
    let cases: [(&[&str], &str); 12] = [
        (&[r#"{"int32Value":1}"#, r#"{"int32Value":2}"#], r#"{"int32Value":2}"#),
        (&[r#"{"maybe":1}"#, r#"{"int32Value":2}"#], r#"{"int32Value":2,"maybe":1}"#),
        (
            &[r#"{"child":{"ints":[1]}}"#, r#"{"child":{"ints":[2],"maybe":3}}"#],
            r#"{"child":{"ints":[1,2],"maybe":3}}"#,
        ),
        (
            &[r#"{"ints":[1]}"#, r#"{"longs":["5"]}"#, r#"{"ints":[2,3]}"#],
            r#"{"ints":[1,2,3],"longs":["5"]}"#,
        ),
        (
            &[r#"{"children":[{}]}"#, r#"{"maybe":1}"#, r#"{"children":[{"maybe":2}]}"#],
            r#"{"children":[{},{"maybe":2}],"maybe":1}"#,
        ),
        (&[r#"{"counts":{"a":1,"b":2}}"#, r#"{"counts":{"a":3}}"#], r#"{"counts":{"b":2,"a":3}}"#),
        (&[r#"{"name":"x"}"#, r#"{"number":1}"#], r#"{"number":1}"#),
        (&[r#"{"number":1}"#, r#"{"name":"x"}"#], r#"{"name":"x"}"#),
        (
            &[r#"{"other":{"maybe":1}}"#, r#"{"number":1}"#, r#"{"other":{"ints":[1]}}"#],
            r#"{"other":{"ints":[1]}}"#,
        ),
        (&[r#"{"other":{"maybe":1}}"#, r#"{"other":{"ints":[1]}}"#], r#"{"other":{"ints":[1],"maybe":1}}"#),
        (&[r#"{"structure":{"a":1,"b":2}}"#, r#"{"structure":{"a":[]}}"#], r#"{"structure":{"b":2,"a":[]}}"#),
        (&[r#"{"value":[1]}"#, r#"{"value":[2]}"#], r#"{"value":[1,2]}"#),
    ];
    for (parts, merged) in cases {
        assert_eq!(write(&join(parts)).as_deref(), Ok(merged), "{parts:?}");
        // The same deep within, behind and before fields in order.
        let deep: Vec<String> =
            parts.iter().map(|part| format!(r#"{{"child":{{"child":{part}}},"ints":[7]}}"#)).collect();
        let wire = join(&deep.iter().map(String::as_str).collect::<Vec<_>>());
        let ints = vec!["7"; parts.len()].join(",");
        assert_eq!(write(&wire), Ok(format!(r#"{{"child":{{"child":{merged}}},"ints":[{ints}]}}"#)));
    }
}

#[test]
fn well_known_types_in_parts_are_merged() {
    let wire = join(&[r#"{"time":"1970-01-01T00:00:01Z"}"#, r#"{"time":"1970-01-01T00:00:00.5Z"}"#]);
    assert_eq!(write(&wire).as_deref(), Ok(r#"{"time":"1970-01-01T00:00:01.500Z"}"#));
    let wire =
        join(&[r#"{"mask":"a"}"#, r#"{"mask":"bC"}"#, r#"{"int32Wrapper":1}"#, r#"{"int32Wrapper":2}"#]);
    assert_eq!(write(&wire).as_deref(), Ok(r#"{"mask":"a,bC","int32Wrapper":2}"#));
    let wire = join(&[
        r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s"}}"#,
        r#"{"any":{"@type":"a/google.protobuf.Timestamp","value":"1970-01-01T00:00:02Z"}}"#,
    ]);
    assert_eq!(
        write(&wire).as_deref(),
        Ok(r#"{"any":{"@type":"a/google.protobuf.Timestamp","value":"1970-01-01T00:00:02Z"}}"#)
    );
}

#[test]
fn disorder_is_read_twice_at_most_however_messages_nest() {
    // In each level a field after the child that should stand before it: a pass that began each level again
    // would take 2^60 steps.
    let mut wire = vec![];
    for _ in 0..60 {
        let mut outer = vec![0x8a, 1];
        let mut length = wire.len();
        while length >= 0x80 {
            outer.push(length.to_le_bytes()[0] | 0x80);
            length >>= 7;
        }
        outer.push(length.to_le_bytes()[0]);
        outer.extend(&wire);
        outer.extend([0x18, 1]);
        wire = outer;
    }
    let json = write(&wire).unwrap();
    assert_eq!(json.matches(r#""int32Value":1"#).count(), 60);
}

#[test]
fn both_forms_of_repeated_scalars_are_read() {
    assert_eq!(write(&[0xb0, 1, 1, 0xb0, 1, 2]).as_deref(), Ok(r#"{"ints":[1,2]}"#));
    assert_eq!(write(&[0xb0, 1, 1, 0xb2, 1, 2, 2, 3]).as_deref(), Ok(r#"{"ints":[1,2,3]}"#));
    assert_eq!(write(&[0xb2, 1, 1, 1, 0xb0, 1, 2]).as_deref(), Ok(r#"{"ints":[1,2]}"#));
    assert_eq!(write(&[0xb2, 1, 0]).as_deref(), Ok("{}"));
    let packed = [0xea, 1, 8, 5, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(write(&packed).as_deref(), Ok(r#"{"loose":["5"]}"#));
}

#[test]
fn unknown_fields_and_wrong_wire_types_are_skipped() {
    // 2000: varint; 2001: bytes; 2002: a group; int32_value as bytes; string_value as varint.
    let wire = [0x80, 0x7d, 1, 0x8a, 0x7d, 1, 9, 0x93, 0x7d, 8, 1, 0x94, 0x7d, 0x1a, 1, 9, 0x70, 1, 0x18, 5];
    assert_eq!(write(&wire).as_deref(), Ok(r#"{"int32Value":5}"#));
}

#[test]
fn a_map_entry_may_lack_anything_and_be_in_any_order() {
    let counts = |entry: &[u8]| {
        let mut wire = vec![0xfa, 1, u8::try_from(entry.len()).unwrap()];
        wire.extend(entry);
        write(&wire).unwrap()
    };
    assert_eq!(counts(&[]), r#"{"counts":{"":0}}"#);
    assert_eq!(counts(&[0x10, 5]), r#"{"counts":{"":5}}"#);
    assert_eq!(counts(&[0x10, 5, 0x0a, 1, b'k']), r#"{"counts":{"k":5}}"#);
    assert_eq!(counts(&[0x0a, 1, b'j', 0x0a, 1, b'k', 0x10, 5, 0x10, 6, 0x18, 1]), r#"{"counts":{"k":6}}"#);
    // A message that comes twice in an entry is merged.
    let twice = [0x8a, 2, 8, 0x12, 2, 0x18, 1, 0x12, 2, 0x40, 2];
    assert_eq!(write(&twice).as_deref(), Ok(r#"{"byFlag":{"false":{"int32Value":1,"sint64Value":"1"}}}"#));
}

#[test]
fn the_last_of_equal_map_keys_wins_however_it_is_encoded() {
    // labels: { 1: "a", overlong 1: "b" }.
    let wire = [0x82, 2, 5, 8, 1, 0x12, 1, b'a', 0x82, 2, 6, 8, 0x81, 0, 0x12, 1, b'b'];
    assert_eq!(write(&wire).as_deref(), Ok(r#"{"labels":{"1":"b"}}"#));
}

#[test]
fn what_has_no_form_in_json_is_an_error_with_its_place() {
    assert_eq!(wrong(&[0x72, 1, 0xff]), ("stringValue".into(), "the string is not valid UTF-8".into()));
    assert_eq!(
        wrong(&[0x8a, 1, 3, 0x72, 1, 0xff]),
        ("child.stringValue".into(), "the string is not valid UTF-8".into())
    );
    assert_eq!(wrong(&[0xca, 1, 0, 0xca, 1, 1, 0xff]).0, "strings[1]");
    // time: seconds -1 << 62; duration: 1 s, -1 ns; mask: "fooBar"; value: NaN.
    let cases: [(&[u8], &str, &str); 5] = [
        (
            &[0x9a, 3, 10, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
            "time",
            "the timestamp is out of range",
        ),
        (
            &[0xa2, 3, 13, 8, 1, 16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            "duration",
            "the duration is out of range or of two signs",
        ),
        (&[0xaa, 3, 3, 10, 1, b'A'], "mask", "the field mask has a path that lowerCamelCase cannot hold"),
        (
            &[0xba, 3, 9, 17, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
            "value",
            "google.protobuf.Value cannot hold NaN or Infinity in JSON",
        ),
        (&[0xca, 3, 5, 10, 3, b'a', b'/', b'b'], "any", "the type \"a/b\" is not in the schema"),
    ];
    for (wire, path, description) in cases {
        assert_eq!(wrong(wire), (path.to_owned(), description.to_owned()));
    }
    assert_eq!(wrong(&[0xca, 3, 3, 0x12, 1, 0]).1, "the Any has a value but no type");
    assert_eq!(write(&[0xba, 3, 0]).as_deref(), Ok(r#"{"value":null}"#));
}

#[test]
fn broken_wire_is_an_error_with_its_place() {
    assert_eq!(
        wrong(&[0x8a, 1, 2, 0x72, 5]),
        ("child.stringValue".into(), "the message ends within a value".into())
    );
    assert_eq!(wrong(&[0x8a, 1, 4, 0x8a, 1, 5, 0]).0, "child.child");
    let whole = join(&[
        r#"{"int32Value":300,"stringValue":"abc","child":{"ints":[1]},"counts":{"k":1},"structure":{"a":[1]},"any":{"@type":"a/test.All","maybe":1}}"#,
    ]);
    // A cut between two fields leaves a shorter message; any other is an error.
    let whole_fields = (0..whole.len()).filter(|end| write(&whole[..*end]).is_ok()).count();
    assert_eq!(whole_fields, 6);
    for byte in 0..=u8::MAX {
        for place in 0..whole.len() {
            let mut broken = whole.clone();
            broken[place] = byte;
            if let Ok(json) = write(&broken) {
                assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
            }
        }
    }
}

#[test]
fn depth_is_limited_as_in_json() {
    let nest =
        |depth: usize| read(&(r#"{"child":"#.repeat(depth - 1) + "{}" + &"}".repeat(depth - 1))).unwrap();
    assert!(write(&nest(64)).is_ok());
    let mut deep = vec![0x8a, 1];
    let inner = nest(64);
    deep.push(u8::try_from(inner.len() & 0x7f).unwrap() | 0x80);
    deep.push(u8::try_from(inner.len() >> 7).unwrap());
    deep.extend(inner);
    assert_eq!(wrong(&deep).1, "the message is nested deeper than 64 levels");
}

#[test]
fn options_change_what_is_written() {
    let wire = read(r#"{"int64Value":"5","color":"COLOR_RED","colors":["COLOR_2"],"labels":{"1":""},"palette":{"7":"COLOR_GREEN"},"longs":["1"]}"#).unwrap();
    let written = |options: WriteOptions| write_as("test.All", &wire, &options).unwrap();
    assert_eq!(
        written(WriteOptions { int64_as_number: true, ..WriteOptions::default() }),
        r#"{"int64Value":5,"color":"COLOR_RED","longs":[1],"colors":["COLOR_2"],"labels":{"1":""},"palette":{"7":"COLOR_GREEN"}}"#
    );
    assert_eq!(
        written(WriteOptions { enums_as_numbers: true, proto_names: true, ..WriteOptions::default() }),
        r#"{"int64_value":"5","color":1,"longs":["1"],"colors":[3],"labels":{"1":""},"palette":{"7":2}}"#
    );
    assert_eq!(
        written(WriteOptions { enum_strip_prefix: true, ..WriteOptions::default() }),
        r#"{"int64Value":"5","color":"RED","longs":["1"],"colors":["COLOR_2"],"labels":{"1":""},"palette":{"7":"GREEN"}}"#
    );
}

#[test]
fn defaults_are_printed_in_order_by_option() {
    let print = WriteOptions { print_defaults: true, ..WriteOptions::default() };
    let defaults = concat!(
        r#"{"doubleValue":0,"floatValue":0,"int32Value":0,"int64Value":"0","uint32Value":0,"uint64Value":"0","sint32Value":0,"#,
        r#""sint64Value":"0","fixed32Value":0,"fixed64Value":"0","sfixed32Value":0,"sfixed64Value":"0","boolValue":false,"#,
        r#""stringValue":"","bytesValue":"","color":"COLOR_UNSPECIFIED","doubles":[],"ints":[],"longs":[],"bools":[],"#,
        r#""strings":[],"blobs":[],"colors":[],"children":[],"loose":[],"counts":{},"labels":{},"byFlag":{},"palette":{},"#,
        r#""values":{},"files":{},"nullValue":null,"manyValues":[],"times":[],"anys":[],"wrappers":[],"a \"new\" name":"","#,
        r#""aNameThatIsLongerThanTwoWordsOfSixteenBytes":""}"#
    );
    assert_eq!(write_as("test.All", &[], &print).as_deref(), Ok(defaults));
    let wire = join(&[r#"{"ints":[1]}"#, r#"{"int32Value":5}"#, r#"{"maybe":0}"#]);
    let some = defaults
        .replace(r#""int32Value":0"#, r#""int32Value":5"#)
        .replace(r#""ints":[]"#, r#""ints":[1]"#)
        .replace(r#""nullValue""#, r#""maybe":0,"nullValue""#);
    assert_eq!(write_as("test.All", &wire, &print), Ok(some));
}

#[test]
fn an_unknown_any_is_shown_in_base64_by_option() {
    let options = WriteOptions { unknown_any_as_base64: true, ..WriteOptions::default() };
    let wire = [0xca, 3, 9, 10, 3, b'a', b'/', b'b', 0x12, 2, 1, 2];
    assert_eq!(
        write_as("test.All", &wire, &options).as_deref(),
        Ok(r#"{"any":{"@type":"a/b","value":"AQI="}}"#)
    );
}

#[test]
fn an_any_may_be_of_a_standard_type_that_the_schema_lacks() {
    assert!(CODEC.schema().message_by_name("google.rpc.RetryInfo").is_none());
    let json = r#"{"any":{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"},"empty":{}}"#;
    assert_eq!(write(&read(json).unwrap()).as_deref(), Ok(json));
}

#[test]
fn closed_enums_take_declared_numbers_only() {
    let old = |wire: &[u8]| write_as("test2.Old", wire, &WriteOptions::default()).unwrap();
    assert_eq!(
        old(&[0x28, 1, 0x30, 1, 0x30, 9, 0x30, 2]),
        r#"{"shape":"ROUND","shapes":["ROUND","SQUARE"]}"#
    );
    assert_eq!(old(&[0x28, 9]), "{}");
    assert_eq!(old(&[0x28, 1, 0x28, 9]), r#"{"shape":"ROUND"}"#);
    assert_eq!(
        old(&[0x3a, 5, 0x0a, 1, b'a', 0x10, 9, 0x3a, 5, 0x0a, 1, b'b', 0x10, 1]),
        r#"{"byName":{"b":"ROUND"}}"#
    );
}

#[test]
fn groups_and_extensions_are_members() {
    let old = |wire: &[u8]| write_as("test2.Old", wire, &WriteOptions::default());
    let wire = [0x43, 8, 5, 0x44, 0x4b, 10, 1, b'a', 0x4c, 0x4b, 0x4c, 0xa0, 6, 1, 0xaa, 6, 2, 8, 7];
    assert_eq!(
        old(&wire).as_deref(),
        Ok(
            r#"{"pair":{"left":5},"item":[{"text":"a"},{}],"[test2.weight]":1,"[test2.relatives]":[{"id":7}]}"#
        )
    );
    assert_eq!(old(&[0x43, 8, 5]).unwrap_err().path, "pair");
    assert!(old(&[0x44]).is_err());
    // A group in two parts is merged.
    assert_eq!(
        old(&[0x43, 8, 5, 0x44, 8, 1, 0x43, 0x12, 2, 8, 2, 0x44]).as_deref(),
        Ok(r#"{"id":1,"pair":{"left":5,"right":{"id":2}}}"#)
    );
}

#[test]
fn a_field_alone_is_its_value_or_what_stands_for_none() {
    let wire = join(&[
        r#"{"ints":[1]}"#,
        r#"{"child":{"maybe":1},"name":"x","color":"COLOR_RED"}"#,
        r#"{"ints":[2],"number":3}"#,
    ]);
    assert_eq!(write_field("ints", &wire).as_deref(), Ok("[1,2]"));
    assert_eq!(write_field("child", &wire).as_deref(), Ok(r#"{"maybe":1}"#));
    assert_eq!(write_field("color", &wire).as_deref(), Ok("\"COLOR_RED\""));
    assert_eq!(write_field("name", &wire).as_deref(), Ok("null"));
    assert_eq!(write_field("number", &wire).as_deref(), Ok("3"));
    let none = [
        ("string_value", "\"\""),
        ("int32_value", "0"),
        ("color", "\"COLOR_UNSPECIFIED\""),
        ("child", "{}"),
        ("ints", "[]"),
        ("counts", "{}"),
        ("maybe", "null"),
        ("time", "null"),
        ("structure", "{}"),
        ("list", "[]"),
        ("value", "null"),
        ("any", "{}"),
        ("int32_wrapper", "null"),
        ("empty", "{}"),
    ];
    for (field, json) in none {
        assert_eq!(write_field(field, &[]).as_deref(), Ok(json), "{field}");
    }
    assert_eq!(write_field("child", &[0x8a, 1, 3, 0x72, 1, 0xff]).unwrap_err().path, "child.stringValue");
    let mut out = Vec::new();
    assert!(CODEC.write_field(all(), 9999, &[], &WriteOptions::default(), &mut out).is_err());
}

#[test]
fn a_packed_list_without_elements_is_none_wherever_it_is() {
    // Field 22 is packed, 29 is not; both may come either way.
    for (wire, expected) in [
        (&[0xb2, 1, 0][..], "{}"),
        (&[0xea, 1, 0], "{}"),
        (&[0xea, 1, 0, 0xea, 1, 0], "{}"),
        (&[0xea, 1, 0, 0xb2, 1, 0], "{}"),
        (&[0xea, 1, 0, 0xb2, 1, 1, 5], r#"{"ints":[5]}"#),
        (&[0xb2, 1, 0, 0xb2, 1, 1, 5, 0xb2, 1, 0], r#"{"ints":[5]}"#),
    ] {
        assert_eq!(write(wire).as_deref(), Ok(expected), "{wire:?}");
    }
}

#[test]
fn a_zero_in_the_bits_that_count_is_no_value() {
    let write = |wire: &[u8]| write_as("test.All", wire, &WriteOptions::default());
    let wide = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x74];
    // int32, uint32, sint32, an enum: 32 bits of the varint count; of an int64 all.
    for tag in [0x18, 0x28, 0x38] {
        assert_eq!(write(&[&[tag][..], &wide].concat()).as_deref(), Ok("{}"), "{tag:#x}");
    }
    assert_eq!(write(&[&[0x80, 0x01][..], &wide].concat()).as_deref(), Ok("{}"));
    assert!(write(&[&[0x20][..], &wide].concat()).unwrap().starts_with("{\"int64Value\":"));
}

#[test]
fn a_list_or_map_of_unknown_numbers_of_a_closed_enum_is_none() {
    let write = |wire: &[u8]| write_as("test2.Old", wire, &WriteOptions::default());
    for (wire, expected) in [
        (&[0x30, 99][..], "{}"),
        (&[0x32, 1, 99], "{}"),
        (&[0x32, 1, 99, 0x30, 98], "{}"),
        (&[0x32, 2, 99, 1], r#"{"shapes":["ROUND"]}"#),
        (&[0x32, 1, 99, 0x08, 5], r#"{"id":5}"#),
        (&[0x32, 1, 99, 0x08, 5, 0x30, 1], r#"{"id":5,"shapes":["ROUND"]}"#),
        (&[0x3a, 5, 0x0a, 1, b'a', 0x10, 99], "{}"),
        (&[0x3a, 5, 0x0a, 1, b'a', 0x10, 99, 0x08, 5], r#"{"id":5}"#),
        (&[0x3a, 5, 0x0a, 1, b'a', 0x10, 99, 0x3a, 5, 0x0a, 1, b'b', 0x10, 1], r#"{"byName":{"b":"ROUND"}}"#),
        // An unknown field beside the value does not take its place, wherever it stands.
        (&[0x3a, 4, 0x10, 1, 0x10, 99], r#"{"byName":{"":"ROUND"}}"#),
        (&[0x3a, 4, 0x10, 99, 0x10, 2], r#"{"byName":{"":"SQUARE"}}"#),
        // Nor does an unknown entry that of one with the same key.
        (&[0x3a, 2, 0x10, 1, 0x3a, 2, 0x10, 99], r#"{"byName":{"":"ROUND"}}"#),
        (&[0x3a, 2, 0x10, 1, 0x3a, 2, 0x10, 2, 0x3a, 2, 0x10, 99], r#"{"byName":{"":"SQUARE"}}"#),
    ] {
        assert_eq!(write(wire).as_deref(), Ok(expected), "{wire:?}");
    }
}
