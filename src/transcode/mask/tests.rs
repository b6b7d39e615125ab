//! What masks select of messages in and out of order, and which texts are none.

use super::*;
use crate::transcode::WriteOptions;
use crate::transcode::fixture::{CODEC, all, number, read, write};

fn selected(text: &str, wire: &[u8], options: &WriteOptions) -> Result<String, String> {
    let mask = Mask::of_message(&CODEC, all(), text).map_err(|error| error.0)?;
    let mut out = Vec::new();
    CODEC.write_selected(all(), wire, options, &mask, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn what_is_selected_is_written_and_nothing_else() {
    let wire = read(
        r#"{"int32Value":1,"stringValue":"s","child":{"int32Value":2,"ints":[3],"child":{"maybe":4}},
            "ints":[5,6],"children":[{"maybe":7,"ints":[8]},{"name":"n"}],"counts":{"a":1},
            "byFlag":{"true":{"maybe":9,"name":"m"}},"name":"choice","time":"1970-01-01T00:00:01Z",
            "structure":{"a":{"b":1}},"any":{"@type":"type.googleapis.com/test.All","maybe":1,"name":"x"}}"#,
    )
    .unwrap();
    let cases = [
        ("int32Value", r#"{"int32Value":1}"#),
        ("int32_value,string_value", r#"{"int32Value":1,"stringValue":"s"}"#),
        ("string_value,int32_value,stringValue", r#"{"int32Value":1,"stringValue":"s"}"#),
        ("child(ints)", r#"{"child":{"ints":[3]}}"#),
        ("child.ints,child/int32Value", r#"{"child":{"int32Value":2,"ints":[3]}}"#),
        ("child.child.maybe", r#"{"child":{"child":{"maybe":4}}}"#),
        ("child(child(maybe),ints)", r#"{"child":{"child":{"maybe":4},"ints":[3]}}"#),
        ("child.maybe", r#"{"child":{}}"#),
        ("child.maybe,child", r#"{"child":{"int32Value":2,"child":{"maybe":4},"ints":[3]}}"#),
        ("child(*),child.maybe", r#"{"child":{"int32Value":2,"child":{"maybe":4},"ints":[3]}}"#),
        ("children(maybe)", r#"{"children":[{"maybe":7},{}]}"#),
        ("children.name,ints", r#"{"ints":[5,6],"children":[{},{"name":"n"}]}"#),
        ("byFlag(name)", r#"{"byFlag":{"true":{"name":"m"}}}"#),
        ("counts", r#"{"counts":{"a":1}}"#),
        ("time,structure", r#"{"time":"1970-01-01T00:00:01Z","structure":{"a":{"b":1}}}"#),
        ("any", r#"{"any":{"@type":"type.googleapis.com/test.All","maybe":1,"name":"x"}}"#),
        ("doubles", "{}"),
    ];
    for (text, expected) in cases {
        assert_eq!(selected(text, &wire, &WriteOptions::default()).as_deref(), Ok(expected), "{text}");
        // The same out of order: what comes first is then known only at the end.
        let disorder = [read(r#"{"time":"1970-01-01T00:00:00Z"}"#).unwrap(), wire.clone()].concat();
        assert_eq!(selected(text, &disorder, &WriteOptions::default()).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(selected("*", &wire, &WriteOptions::default()).ok(), write(&wire).ok());
    assert_eq!(selected("maybe,*", &wire, &WriteOptions::default()).ok(), write(&wire).ok());
}

#[test]
fn a_member_of_a_oneof_that_lost_stays_hidden() {
    let wire = [read(r#"{"name":"first"}"#).unwrap(), read(r#"{"number":2}"#).unwrap()].concat();
    assert_eq!(selected("name", &wire, &WriteOptions::default()).as_deref(), Ok("{}"));
    assert_eq!(selected("number", &wire, &WriteOptions::default()).as_deref(), Ok(r#"{"number":2}"#));
}

#[test]
fn defaults_are_printed_where_they_are_selected() {
    let options = WriteOptions { print_defaults: true, ..WriteOptions::default() };
    let wire = read(r#"{"child":{"ints":[1]},"name":"n"}"#).unwrap();
    let expected = r#"{"int32Value":0,"child":{"boolValue":false,"ints":[1]},"counts":{}}"#;
    assert_eq!(
        selected("int32Value,counts,maybe,child(boolValue,ints)", &wire, &options).as_deref(),
        Ok(expected)
    );
}

#[test]
fn what_is_not_selected_is_not_read() {
    // Field 14 is a string that is no UTF-8, field 17 a message whose content is cut short.
    let wire = [0x18, 1, 0x72, 1, 0xff, 0x8a, 1, 1, 0x18];
    assert!(write(&wire).is_err());
    assert_eq!(selected("int32Value", &wire, &WriteOptions::default()).as_deref(), Ok(r#"{"int32Value":1}"#));
    assert!(selected("child.name", &wire, &WriteOptions::default()).is_err());
}

#[test]
fn masks_of_a_field_select_from_its_values() {
    let wire =
        read(r#"{"children":[{"maybe":1,"name":"n"}],"byFlag":{"true":{"maybe":2,"name":"m"}}}"#).unwrap();
    for (field, expected) in [("children", r#"[{"maybe":1}]"#), ("by_flag", r#"{"true":{"maybe":2}}"#)] {
        let number = number(all(), field);
        let mask = Mask::of_field(&CODEC, all(), number, "maybe").unwrap();
        let mut out = Vec::new();
        CODEC
            .write_field_selected((all(), number), &wire, &WriteOptions::default(), &mask, &mut out)
            .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    assert!(Mask::of_field(&CODEC, all(), number(all(), "ints"), "maybe").is_err());
    assert!(Mask::of_field(&CODEC, all(), 5000, "maybe").is_err());
}

#[test]
fn texts_that_are_no_masks_are_refused_in_words() {
    let cases = [
        ("", "a name is missing: write fields of test.All as in `a,b(c,d)`"),
        ("maybe,", "a name is missing: write fields of test.All as in `a,b(c,d)`"),
        ("(maybe)", "a name is missing: write fields of test.All as in `a,b(c,d)`"),
        ("child()", "a name is missing: write fields of test.All as in `a,b(c,d)`"),
        ("nope", "test.All has no field \"nope\""),
        ("maybe ", "test.All has no field \"maybe \""),
        ("child(nope)", "test.All has no field \"nope\""),
        ("child.nope", "test.All has no field \"nope\""),
        ("child(maybe", "a closing parenthesis is missing"),
        ("maybe)", "')' is not expected before \")\""),
        ("*.maybe", "'.' is not expected before \".maybe\""),
        ("child(maybe)x", "'x' is not expected before \"x\""),
        ("int32Value.x", "\"int32_value\" has no fields to select from"),
        ("ints(x)", "\"ints\" has no fields to select from"),
        ("counts.a", "\"counts\" has no fields to select from"),
        ("time.seconds", "\"time\" has no fields to select from"),
        ("any(maybe)", "\"any\" has no fields to select from"),
        ("structure.fields", "\"structure\" has no fields to select from"),
    ];
    for (text, expected) in cases {
        assert_eq!(Mask::of_message(&CODEC, all(), text), Err(MaskError(expected.to_owned())), "{text}");
    }
}

#[test]
fn masks_are_bounded() {
    let dotted = |levels: usize| format!("{}maybe", "child.".repeat(levels - 1));
    let nested = |levels: usize| format!("{}maybe{}", "child(".repeat(levels - 1), ")".repeat(levels - 1));
    for text in [dotted, nested] as [fn(usize) -> String; 2] {
        assert!(Mask::of_message(&CODEC, all(), &text(DEFAULT_MAX_DEPTH)).is_ok());
        assert!(Mask::of_message(&CODEC, all(), &text(DEFAULT_MAX_DEPTH + 1)).is_err());
    }
    let many = "maybe,".repeat(MAX_LENGTH / 6);
    assert!(Mask::of_message(&CODEC, all(), &many[..many.len() - 1]).is_ok());
    assert!(Mask::of_message(&CODEC, all(), &format!("{many}maybe,maybe")).is_err());
}
