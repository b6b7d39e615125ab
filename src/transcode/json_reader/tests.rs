//! Tests of reading JSON: what is accepted, what is refused and where.

use crate::transcode::ReadOptions;
use crate::transcode::fixture::{CODEC, all, message, read, read_as, read_field, read_text, round, write};

/// What is wrong and where.
fn wrong(json: &str) -> (String, String) {
    let error = read(json).unwrap_err();
    (error.path, error.description)
}

#[test]
fn every_kind_comes_back_as_it_was() {
    let texts = [
        "{}",
        r#"{"doubleValue":1.5,"floatValue":0.1,"int32Value":-1,"int64Value":"-9223372036854775808","uint32Value":4294967295,"uint64Value":"18446744073709551615","sint32Value":-2147483648,"sint64Value":"-1","fixed32Value":1,"fixed64Value":"2","sfixed32Value":-3,"sfixed64Value":"-4","boolValue":true,"stringValue":"é","bytesValue":"+/8=","color":"COLOR_RED"}"#,
        r#"{"child":{"child":{"child":{}}}}"#,
        r#"{"doubles":[1,-0,"NaN","-Infinity",1e+300],"ints":[1,0,-1],"longs":["5"],"bools":[true,false],"strings":["","a"],"blobs":["","AA=="],"colors":["COLOR_UNSPECIFIED","COLOR_DEEP_BLUE",77],"children":[{},{"ints":[3]}],"loose":["1","0"]}"#,
        r#"{"counts":{"":0,"a":1},"labels":{"-1":"x","0":""},"byFlag":{"false":{},"true":{"maybe":0}},"palette":{"18446744073709551615":"COLOR_2"},"values":{"n":null,"o":{"a":[1]}},"files":{"-5":"AA=="}}"#,
        r#"{"maybe":0,"maybeText":"","name":""}"#,
        r#"{"nothing":null}"#,
        r#"{"anything":null}"#,
        r#"{"time":"2000-02-29T12:34:56.120Z","duration":"-1.500s","mask":"a.bC,d","structure":{"a":null,"b":[true,"x",{"c":1.25}]},"value":[[],{}],"list":[1,[2]],"empty":{},"manyValues":[null,1],"times":["1970-01-01T00:00:00Z"]}"#,
        r#"{"any":{"@type":"x.y/test.All","ints":[1]},"anys":[{},{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"},{"@type":"/google.protobuf.Any","value":{"@type":"a/google.protobuf.Value","value":null}}]}"#,
        r#"{"doubleWrapper":0,"floatWrapper":1,"int64Wrapper":"0","uint64Wrapper":"1","int32Wrapper":0,"uint32Wrapper":0,"boolWrapper":false,"stringWrapper":"","bytesWrapper":"","wrappers":[0,1]}"#,
        r#"{"a \"new\" name":"x","aNameThatIsLongerThanTwoWordsOfSixteenBytes":"y"}"#,
    ];
    for text in texts {
        assert_eq!(round(text), text);
    }
}

#[test]
fn values_have_more_spellings_than_one() {
    let cases = [
        (
            r#"{"int32_value":"1e2","int64Value":-5.0,"uint32Value":"7"}"#,
            r#"{"int32Value":100,"int64Value":"-5","uint32Value":7}"#,
        ),
        (r#"{"doubleValue":"1.5","floatValue":"NaN"}"#, r#"{"doubleValue":1.5,"floatValue":"NaN"}"#),
        (r#"{"int32Value":"\u0031"}"#, r#"{"int32Value":1}"#),
        (r#"{"color":1,"colors":["COLOR_2",9]}"#, r#"{"color":"COLOR_RED","colors":["COLOR_2",9]}"#),
        (
            r#"{"bytesValue":"-_","time":"1970-01-01T01:00:00+01:00"}"#,
            r#"{"bytesValue":"+w==","time":"1970-01-01T00:00:00Z"}"#,
        ),
        (r#"{"nullValue":"NULL_VALUE","nothing":0}"#, r#"{"nothing":null}"#),
        (r#"{"\u0069nts":[1],"a \"new\" name":"x"}"#, r#"{"ints":[1],"a \"new\" name":"x"}"#),
        (r#"{"any":{"ints":[1],"@type":"a/test.All"}}"#, r#"{"any":{"@type":"a/test.All","ints":[1]}}"#),
        (
            r#"{"any":{"@type":"a/google.protobuf.Empty","value":{}}}"#,
            r#"{"any":{"@type":"a/google.protobuf.Empty"}}"#,
        ),
        ("\t{\r\n \"ints\" : [ 1 ,\n          2 ] , \"empty\":{ } }  \n", r#"{"ints":[1,2],"empty":{}}"#),
    ];
    for (text, canonical) in cases {
        assert_eq!(round(text), canonical);
    }
}

#[test]
fn null_is_absence_but_where_it_is_a_value() {
    assert_eq!(
        round(
            r#"{"int32Value":null,"child":null,"ints":null,"counts":null,"color":null,"time":null,"int32Wrapper":null,"any":null,"manyValues":null}"#
        ),
        "{}"
    );
    assert_eq!(round(r#"{"value":null,"name":null,"number":1}"#), r#"{"number":1,"value":null}"#);
    assert_eq!(wrong(r#"{"ints":[1,null]}"#), ("ints[1]".into(), "expected a number, found null".into()));
    assert_eq!(wrong(r#"{"counts":{"a":null}}"#).1, "null is no value of a map");
    assert_eq!(wrong(r#"{"children":[null]}"#).1, "expected an object, found null");
    assert_eq!(wrong(r#"{"wrappers":[null]}"#).1, "expected a number, found null");
    assert_eq!(wrong("null").1, "expected an object, found null");
}

#[test]
fn default_values_are_left_out_where_they_are_none() {
    assert_eq!(
        read(
            r#"{"doubleValue":0,"floatValue":0.0,"int32Value":0,"sint64Value":"0","fixed32Value":0,"boolValue":false,"stringValue":"","bytesValue":"","color":"COLOR_UNSPECIFIED","ints":[],"counts":{},"strings":[]}"#
        ),
        Ok(vec![])
    );
    assert_eq!(read(r#"{"doubleValue":-0.0}"#).unwrap().len(), 9);
    assert_eq!(read(r#"{"maybe":0}"#), Ok(vec![0xc8, 2, 0]));
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    assert_eq!(wrong(r#"{"int32Value":1,"int32_value":1}"#).1, "duplicate field \"int32Value\"");
    assert_eq!(
        wrong(r#"{"child":{"ints":[1],"ints":[]}}"#),
        ("child.ints".into(), "duplicate field \"ints\"".into())
    );
    assert_eq!(wrong(r#"{"ints":null,"ints":[1]}"#).1, "duplicate field \"ints\"");
    let oneof = "another field of the same oneof is set already";
    assert_eq!(wrong(r#"{"name":"a","number":1}"#), ("number".into(), oneof.into()));
    assert_eq!(wrong(r#"{"nothing":null,"other":{}}"#), ("other".into(), oneof.into()));
    for json in [
        r#"{"counts":{"a":1,"\u0061":2}}"#,
        r#"{"labels":{"1":"","1.0":""}}"#,
        r#"{"structure":{"x":1,"y":2,"x":3}}"#,
    ] {
        assert_eq!(wrong(json).1, "the map has the same key twice", "{json}");
    }
    assert_eq!(
        wrong(r#"{"any":{"@type":"a/test.All","@type":"a/test.All"}}"#).1,
        "duplicate member \"@type\""
    );
    // The same key in two maps, one within the other, is none twice.
    assert_eq!(round(r#"{"structure":{"a":{"a":{"a":1}}}}"#), r#"{"structure":{"a":{"a":{"a":1}}}}"#);
}

#[test]
fn errors_name_the_place_and_what_is_expected() {
    let cases = [
        (r#"{"x":1}"#, "x", "test.All has no field \"x\""),
        (r#"{"child":{"children":[{},{"y":1}]}}"#, "child.children[1].y", "test.All has no field \"y\""),
        (r#"{"int32Value":2147483648}"#, "int32Value", "the number is out of range"),
        (r#"{"int32Value":1.5}"#, "int32Value", "expected a whole number"),
        (r#"{"int32Value":"x"}"#, "int32Value", "expected a number, found a string"),
        (r#"{"int32Value":" 1"}"#, "int32Value", "expected a number, found a string"),
        (r#"{"int32Value":01}"#, "int32Value", "the number is not valid JSON"),
        (r#"{"int32Value":true}"#, "int32Value", "expected a number, found a boolean"),
        (r#"{"uint64Value":-1}"#, "uint64Value", "the number is out of range"),
        (r#"{"floatValue":3.5e38}"#, "floatValue", "the number is out of range"),
        (r#"{"doubleValue":NaN}"#, "doubleValue", "expected a number, found \"N\""),
        (r#"{"boolValue":"true"}"#, "boolValue", "expected a boolean, found a string"),
        (r#"{"stringValue":1}"#, "stringValue", "expected a string, found a number"),
        (r#"{"bytesValue":"*"}"#, "bytesValue", "the string is not valid base64"),
        (r#"{"color":"RED"}"#, "color", "test.Color has no value \"RED\""),
        (r#"{"colors":["COLOR_RED","x"]}"#, "colors[1]", "test.Color has no value \"x\""),
        (r#"{"labels":{"x":""}}"#, "labels", "the key is no valid number: the number is not valid JSON"),
        (r#"{"labels":{"3":5}}"#, "labels[\"3\"]", "expected a string, found a number"),
        (r#"{"byFlag":{"TRUE":{}}}"#, "byFlag", "expected \"true\" or \"false\" as a key"),
        (r#"{"time":"yesterday"}"#, "time", "the string is no valid timestamp of RFC 3339"),
        (r#"{"duration":1}"#, "duration", "expected a string, found a number"),
        (r#"{"structure":{"a":[{"b":tru}]}}"#, "structure[\"a\"][0][\"b\"]", "expected \"true\""),
        (r#"{"any":{"a":1}}"#, "any", "the object has no \"@type\""),
        (r#"{"any":{"@type":"a/b.C"}}"#, "any", "the type \"a/b.C\" is not in the schema"),
        (r#"{"any":{"@type":"test.All"}}"#, "any", "the type \"test.All\" is not in the schema"),
        (r#"{"any":{"@type":"a/google.protobuf.Duration"}}"#, "any", "the Any has no \"value\""),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"x"}}"#,
            "any.value",
            "the string is no valid duration such as \"1.5s\"",
        ),
        (
            r#"{"any":{"@type":"a/google.protobuf.Duration","v":"1s"}}"#,
            "any",
            "an Any of google.protobuf.Duration has no member \"v\"",
        ),
        (r#"{"ints":1}"#, "ints", "expected an array, found a number"),
        (r#"{"ints":[1 2]}"#, "ints", "expected \",\" or \"]\", found a number"),
        (r#"{"ints":[1,]}"#, "ints[1]", "expected a number, found \"]\""),
        (r#"{"ints":[1],}"#, "", "expected a string, found \"}\""),
        (r#"{"ints" [1]}"#, "", "expected \":\", found an array"),
        (r#"{"ints":[1]"#, "", "expected \",\" or \"}\", found the end of the text"),
        ("{} {}", "", "expected the end of the text, found an object"),
        ("", "", "expected an object, found the end of the text"),
        ("{\"stringValue\":\"a\nb\"}", "stringValue", "a control character in a string must be escaped"),
        (
            r#"{"stringValue":"\ud800"}"#,
            "stringValue",
            "the string has a lone surrogate, which is no character",
        ),
    ];
    for (json, path, description) in cases {
        assert_eq!(wrong(json), (path.to_owned(), description.to_owned()), "{json}");
    }
    assert_eq!(read(r#"{"ints":[1,x]}"#).unwrap_err().offset, 11);
}

#[test]
fn every_beginning_of_a_text_is_refused() {
    let text = r#"{"stringValue":"a\u0041é","doubleValue":-1.5e3,"child":{"ints":[1,2]},"counts":{"k":1},"structure":{"a":[null,true]},"any":{"@type":"a/test.All","maybe":1},"time":"1970-01-01T00:00:00Z","color":"COLOR_RED"}"#;
    assert!(read(text).is_ok());
    for end in 0..text.len() {
        let cut = &text.as_bytes()[..end];
        let mut out = Vec::new();
        assert!(CODEC.read(all(), cut, &ReadOptions::default(), &mut out).is_err(), "{end}");
        assert!(out.is_empty());
    }
}

#[test]
fn depth_is_limited_in_objects_and_arrays() {
    let nest = |depth: usize| format!("{}{}", r#"{"child":"#.repeat(depth - 1) + "{}", "}".repeat(depth - 1));
    assert!(read(&nest(64)).is_ok());
    assert_eq!(wrong(&nest(65)).1, "the text is nested deeper than 64 levels");
    for open in [
        r#"{"value":"#.to_owned() + &"[".repeat(100_000),
        r#"{"structure":"#.to_owned() + &r#"{"a":"#.repeat(100_000),
    ] {
        assert_eq!(wrong(&open).1, "the text is nested deeper than 64 levels");
    }
    let ignore = ReadOptions { ignore_unknown: true, max_depth: 10, ..ReadOptions::default() };
    let unknown = r#"{"x":"#.to_owned() + &"[".repeat(100_000);
    let error = read_as("test.All", &unknown, &ignore).unwrap_err();
    assert_eq!(error.description, "the text is nested deeper than 10 levels");
}

#[test]
fn unknown_members_and_enum_names_are_skipped_by_option() {
    let ignore = ReadOptions { ignore_unknown: true, ..ReadOptions::default() };
    let json = r#"{"x":{"y":[1,"a\n",null,true,{}]},"color":"PINK","colors":["PINK","COLOR_RED"],"palette":{"1":"PINK","2":"COLOR_RED"},"maybe":1,"any":{"@type":"a/google.protobuf.Duration","value":"1s","z":1}}"#;
    let wire = read_as("test.All", json, &ignore).unwrap();
    assert_eq!(
        write(&wire).unwrap(),
        r#"{"colors":["COLOR_RED"],"palette":{"2":"COLOR_RED"},"maybe":1,"any":{"@type":"a/google.protobuf.Duration","value":"1s"}}"#
    );
    // What is skipped must be JSON all the same.
    for json in [r#"{"x":tru}"#, r#"{"x":[1,]}"#, r#"{"x":"\ud800"}"#, r#"{"x":01}"#] {
        assert!(read_as("test.All", json, &ignore).is_err(), "{json}");
    }
}

#[test]
fn enum_names_may_lack_their_prefix_and_case_by_option() {
    let read = |name: &str, enum_ignore_case, enum_strip_prefix| {
        let options = ReadOptions { enum_ignore_case, enum_strip_prefix, ..ReadOptions::default() };
        read_as("test.All", &format!(r#"{{"color":"{name}"}}"#), &options).is_ok()
    };
    assert!(read("color_red", true, false) && !read("color_red", false, true));
    assert!(read("RED", false, true) && !read("RED", true, false));
    assert!(read("deep_Blue", true, true) && !read("deep_Blue", false, true));
    // What is left of COLOR_2 would be no name.
    assert!(!read("2", true, true) && read("COLOR_2", false, true));
}

#[test]
fn output_is_packed_and_groups_are_groups() {
    assert_eq!(read(r#"{"ints":[1,300]}"#), Ok(vec![0xb2, 1, 3, 1, 0xac, 2]));
    assert_eq!(read(r#"{"loose":["1"]}"#), Ok(vec![0xe9, 1, 1, 0, 0, 0, 0, 0, 0, 0]));
    let old = |json: &str| read_as("test2.Old", json, &ReadOptions::default()).unwrap();
    assert_eq!(old(r#"{"loose":[1,2],"tight":[1,2]}"#), [0x18, 1, 0x18, 2, 0x22, 2, 1, 2]);
    assert_eq!(old(r#"{"pair":{"left":5},"item":[{},{}]}"#), [0x43, 8, 5, 0x44, 0x4b, 0x4c, 0x4b, 0x4c]);
    assert_eq!(old(r#"{"[test2.weight]":1,"[test2.Scope.color]":"x"}"#), [0xa0, 6, 1, 0xb2, 6, 1, b'x']);
    assert!(read_as("test2.Old", r#"{"test2.weight":1}"#, &ReadOptions::default()).is_err());
}

#[test]
fn lengths_grow_and_shrink() {
    for size in [0, 1, 100, 127, 128, 129, 20_000, 3] {
        let text = "x".repeat(size);
        let json = format!(r#"{{"children":[{{"stringValue":"{text}"}},{{}}],"strings":["\n{text}"]}}"#);
        let wire = read(&json).unwrap();
        let json = write(&wire).unwrap();
        assert!(json.contains(&format!("\"\\n{text}\"")));
        assert!(json.matches(&text).count() >= 2);
    }
}

#[test]
fn a_field_alone_is_read_as_a_member_would_be() {
    assert_eq!(read_field("ints", " [1,2] "), read(r#"{"ints":[1,2]}"#));
    assert_eq!(read_field("child", "{}"), read(r#"{"child":{}}"#));
    assert_eq!(read_field("counts", r#"{"a":1}"#), read(r#"{"counts":{"a":1}}"#));
    assert_eq!(read_field("string_value", r#""x""#), read(r#"{"stringValue":"x"}"#));
    assert_eq!(read_field("child", "null"), Ok(vec![]));
    assert_eq!(read_field("value", "null"), read(r#"{"value":null}"#));
    let error = read_field("child", r#"{"ints":[x]}"#).unwrap_err();
    assert_eq!((error.path.as_str(), error.offset), ("child.ints[0]", 9));
    assert!(read_field("child", "{} 1").is_err());
}

#[test]
fn text_is_read_in_every_form_that_a_query_may_have() {
    let same = [
        ("double_value", "-1.5e3", "doubleValue", "-1500"),
        ("double_value", "NaN", "doubleValue", "\"NaN\""),
        ("float_value", "Infinity", "floatValue", "\"Infinity\""),
        ("int32_value", "-7", "int32Value", "-7"),
        ("uint64_value", "18446744073709551615", "uint64Value", "\"18446744073709551615\""),
        ("sfixed64_value", "1e3", "sfixed64Value", "1000"),
        ("bool_value", "true", "boolValue", "true"),
        ("string_value", "a\"b\\ é\n", "stringValue", r#""a\"b\\ é\n""#),
        ("bytes_value", "-_8", "bytesValue", "\"+/8=\""),
        ("color", "COLOR_RED", "color", "1"),
        ("color", "-5", "color", "-5"),
        ("nothing", "null", "nothing", "null"),
        ("time", "1970-01-01T00:00:01.5Z", "time", "\"1970-01-01T00:00:01.5Z\""),
        ("duration", "1.5s", "duration", "\"1.5s\""),
        ("mask", "a,bC", "mask", "\"a,bC\""),
        ("structure", r#"{"a":1}"#, "structure", r#"{"a":1}"#),
        ("value", "[1]", "value", "[1]"),
        ("list", " [1] ", "list", "[1]"),
        ("int64_wrapper", "5", "int64Wrapper", "5"),
        ("string_wrapper", "x", "stringWrapper", "\"x\""),
        ("strings", "x", "strings", "[\"x\"]"),
        ("loose", "5", "loose", "[5]"),
        ("times", "1970-01-01T00:00:01.5Z", "times", "[\"1970-01-01T00:00:01.5Z\"]"),
    ];
    for (field, text, name, json) in same {
        assert_eq!(read_text(field, text), read(&format!("{{\"{name}\":{json}}}")), "{field}={text}");
    }
    // An element of a packed field has its own tag.
    assert_eq!(read_text("ints", "5"), Ok(vec![0xb0, 1, 5]));
}

#[test]
fn text_of_a_default_value_is_written() {
    assert_eq!(read_text("int32_value", "0"), Ok(vec![0x18, 0]));
    assert_eq!(read_text("string_value", ""), Ok(vec![0x72, 0]));
    assert_eq!(read_text("bytes_value", ""), Ok(vec![0x7a, 0]));
    assert_eq!(read_text("bool_value", "false"), Ok(vec![0x68, 0]));
    assert_eq!(read_text("color", "COLOR_UNSPECIFIED"), Ok(vec![0x80, 1, 0]));
    assert_eq!(read_text("double_value", "0").unwrap().len(), 9);
    assert_eq!(read_text("int32_wrapper", "0"), Ok(vec![0xda, 4, 2, 8, 0]));
    assert_eq!(read_text("duration", "0s"), Ok(vec![0xa2, 3, 4, 8, 0, 16, 0]));
}

#[test]
fn text_that_is_no_value_is_refused() {
    let wrong = [
        ("int32_value", ""),
        ("int32_value", " 1"),
        ("int32_value", "1 "),
        ("int32_value", "+1"),
        ("int32_value", "2147483648"),
        ("int32_value", "\"1\""),
        ("uint32_value", "-1"),
        ("bool_value", "1"),
        ("bool_value", "True"),
        ("color", "RED"),
        ("color", "1.5"),
        ("bytes_value", "*"),
        ("float_value", "1e39"),
        ("time", "now"),
        ("time", "\"1970-01-01T00:00:01Z\""),
        ("structure", "[]"),
        ("value", "1 2"),
        ("list", ""),
        ("child", "{}"),
        ("any", "[]"),
        ("counts", "{}"),
        ("empty", ""),
        ("duration", "1"),
    ];
    for (field, text) in wrong {
        let error = read_text(field, text).unwrap_err();
        assert!(!error.path.is_empty(), "{field}={text}");
    }
}

#[test]
fn field_paths_stop_where_a_mask_cannot_go() {
    let paths = |json: &str| CODEC.field_paths(all(), json.as_bytes(), &ReadOptions::default());
    assert_eq!(
        paths(
            r#"{"int32Value":1,"child":{"string_value":"","child":{"maybe":null}},"children":[{"ints":[1]}],"counts":{"a":1},"structure":{"x":1},"time":null,"any":{"@type":"?"},"empty":{}}"#
        ),
        Ok([
            "int32_value",
            "child.string_value",
            "child.child.maybe",
            "children",
            "counts",
            "structure",
            "time",
            "any",
            "empty"
        ]
        .map(String::from)
        .to_vec())
    );
    assert_eq!(paths(r#"{"child":{},"other":null}"#), Ok(vec!["child".into(), "other".into()]));
    assert_eq!(paths("{}"), Ok(vec![]));
    for wrong in ["", "[]", r#"{"x":1}"#, r#"{"ints":[}"#, "{} 1"] {
        assert!(paths(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn types_with_a_form_of_their_own_stand_alone() {
    let read = |name: &str, json: &str| read_as(name, json, &ReadOptions::default());
    assert_eq!(read("google.protobuf.Timestamp", "\"1970-01-01T00:00:01Z\""), Ok(vec![8, 1]));
    assert_eq!(read("google.protobuf.Int32Value", "5"), Ok(vec![8, 5]));
    assert_eq!(read("google.protobuf.Value", "null"), Ok(vec![8, 0]));
    assert_eq!(read("google.protobuf.ListValue", "[null]"), Ok(vec![10, 2, 8, 0]));
    assert!(read("google.protobuf.Int32Value", "null").is_err());
    assert!(message("google.protobuf.Empty") != all());
}

#[test]
fn floods_end_in_an_answer() {
    let long = "9".repeat(1 << 20);
    assert_eq!(wrong(&format!(r#"{{"int32Value":{long}}}"#)).1, "the number is out of range");
    assert_eq!(wrong(&format!(r#"{{"doubleValue":{long}}}"#)).1, "the number is out of range");
    let escapes = "\\u0041".repeat(1 << 17);
    assert_eq!(round(&format!(r#"{{"stringValue":"{escapes}"}}"#)).len(), (1 << 17) + 18);
    let keys: Vec<String> = (0..100_000).map(|key| format!("\"{key}\":{key},")).collect();
    let keys = keys.concat();
    assert!(read(&format!(r#"{{"counts":{{{keys}"x":1}}}}"#)).is_ok());
    assert_eq!(wrong(&format!(r#"{{"counts":{{{keys}"7":1}}}}"#)).1, "the map has the same key twice");
}
