//! Every body of the table, whole and at every two cuts.

use super::*;

const LIMIT: usize = 20;

/// What a body gives in these chunks: its elements, and how it ends.
fn read<'b>(
    form: Form,
    chunks: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<String>, Result<(), ElementsError>) {
    let mut elements = Elements::new(form, LIMIT);
    let mut found = Vec::new();
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    for chunk in chunks {
        elements.push(Bytes::copy_from_slice(chunk));
        loop {
            match elements.take() {
                Ok(Some(element)) => {
                    found.push(text(element));
                    assert_eq!(elements.number(), found.len() as u64);
                }
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
            assert!(elements.held.len() <= LIMIT);
        }
    }
    match elements.finish() {
        Ok(last) => {
            found.extend(last.map(text));
            (found, Ok(()))
        }
        Err(error) => (found, Err(error)),
    }
}

/// A body, its elements, and the error behind them.
type Case = (Form, &'static str, &'static [&'static str], Result<(), ElementsError>);

fn cases() -> Vec<Case> {
    use Form::{Json, Lines};
    let malformed = |element, what| Err(ElementsError::Malformed { element, what });
    let truncated = |element| Err(ElementsError::Truncated { element });
    let too_large = |element| Err(ElementsError::TooLarge { element, limit: LIMIT });
    let (no_value, no_comma) = ("a value is missing", "there is no comma before it");
    vec![
        (Lines, "", &[], Ok(())),
        (Lines, " \n\r\n\t\n", &[], Ok(())),
        (Lines, "{}\n{}\n", &["{}", "{}"], Ok(())),
        (Lines, "{}\r\n\r\n[1,\t2]", &["{}\r", "[1,\t2]"], Ok(())),
        (Lines, "{\"a\":\"\\n\\\"}\"}\n  1", &["{\"a\":\"\\n\\\"}\"}", "1"], Ok(())),
        // What a line holds is for the codec to judge.
        (Lines, "{}{}\n{\nx", &["{}{}", "{", "x"], Ok(())),
        (Lines, "12345678901234567890\n", &["12345678901234567890"], Ok(())),
        (Lines, "1\n123456789012345678901\n", &["1"], too_large(2)),
        (Lines, "1\n123456789012345678901", &["1"], too_large(2)),
        (Lines, "                              1", &["1"], Ok(())),
        (Json, "", &[], Ok(())),
        (Json, " \n ", &[], Ok(())),
        (Json, "[]", &[], Ok(())),
        (Json, " [ ] \n", &[], Ok(())),
        (Json, "[{}]", &["{}"], Ok(())),
        (
            Json,
            "[ {\"a\":[1,{}]} ,\n\"x,]\" , 1,true ,null]",
            &["{\"a\":[1,{}]}", "\"x,]\"", "1", "true", "null"],
            Ok(()),
        ),
        (Json, "[[],[[]],\"\\\\\",\"\\\"\"]", &["[]", "[[]]", "\"\\\\\"", "\"\\\"\""], Ok(())),
        (Json, "[12345678901234567890]", &["12345678901234567890"], Ok(())),
        (Json, "[1,123456789012345678901]", &["1"], too_large(2)),
        (Json, "[[[[[[[[[[[[[[[[[[[[[[[[", &[], too_large(1)),
        (Json, "[,]", &[], malformed(1, no_value)),
        (Json, "[{},]", &["{}"], malformed(2, no_value)),
        (Json, "[{},,{}]", &["{}"], malformed(2, no_value)),
        (Json, "[}", &[], malformed(1, no_value)),
        (Json, "[{}{}]", &["{}"], malformed(2, no_comma)),
        (Json, "[1 2]", &["1"], malformed(2, no_comma)),
        (Json, "[1}", &["1"], malformed(2, no_comma)),
        // Brackets of the wrong sort close, and the codec refuses them.
        (Json, "[{]]", &["{]"], Ok(())),
        (Json, "[]]", &[], Err(ElementsError::Behind)),
        (Json, "[] {}", &[], Err(ElementsError::Behind)),
        (Json, "[", &[], truncated(1)),
        (Json, "[{}", &["{}"], truncated(2)),
        (Json, "[{},", &["{}"], truncated(2)),
        (Json, "[{},{", &["{}"], truncated(2)),
        (Json, "[{},12", &["{}"], truncated(2)),
        (Json, "[\"", &[], truncated(1)),
        (Json, "{}", &["{}"], Ok(())),
        (Json, "{}{} \"a\"\"b\"1 2\n[3]", &["{}", "{}", "\"a\"", "\"b\"", "1", "2", "[3]"], Ok(())),
        (Json, "{\n \"a\" : {}\n}\n", &["{\n \"a\" : {}\n}"], Ok(())),
        (Json, "{} ]", &["{}"], malformed(2, no_value)),
        (Json, "{},{}", &["{}"], malformed(2, no_value)),
        (Json, "{} x", &["{}", "x"], Ok(())),
        (Json, "{} {", &["{}"], truncated(2)),
        (Json, "\"", &[], truncated(1)),
    ]
}

#[test]
fn bodies_are_what_the_table_says_at_every_two_cuts() {
    for (form, body, elements, end) in cases() {
        let expected = (elements.iter().map(ToString::to_string).collect::<Vec<_>>(), end);
        let bytes = body.as_bytes();
        assert_eq!(read(form, [bytes]), expected, "{body:?}");
        assert_eq!(read(form, bytes.chunks(1)), expected, "{body:?} byte by byte");
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(read(form, chunks), expected, "{body:?} cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn an_element_is_there_with_its_last_byte() {
    for (form, body) in [
        (Form::Lines, "{}\n"),
        (Form::Json, "[{}"),
        (Form::Json, "[1,"),
        (Form::Json, "[\"a\""),
        (Form::Json, "{}"),
        (Form::Json, "1 "),
    ] {
        let (last, before) = body.as_bytes().split_last().unwrap();
        let mut elements = Elements::new(form, LIMIT);
        elements.push(Bytes::copy_from_slice(before));
        assert_eq!(elements.take(), Ok(None), "{body}");
        elements.push(Bytes::copy_from_slice(&[*last]));
        assert!(elements.take().unwrap().is_some(), "{body}");
    }
}

#[test]
fn an_element_that_comes_whole_is_not_copied() {
    let chunk = Bytes::from_static(b"[{\"a\":1},2]");
    let mut elements = Elements::new(Form::Json, LIMIT);
    elements.push(chunk.clone());
    assert_eq!(elements.take().unwrap().unwrap().as_ptr(), chunk[1..].as_ptr());
}
