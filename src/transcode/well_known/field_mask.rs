//! FieldMask paths ↔ lowerCamelCase, joined by commas (google/protobuf/field_mask.proto, "JSON Encoding").

use crate::transcode::room::Room;

/// The paths of a text, in snake_case and with the commas between them; none where a name could not have been
/// written so.
pub(in crate::transcode) fn parse(text: &[u8]) -> Option<Vec<u8>> {
    let mut paths = Vec::with_capacity(text.len() + 8);
    let mut begins = !text.is_empty();
    for &byte in text {
        match byte {
            b',' if begins => return None,
            b'_' | b'"' | b'\\' | 0..=b' ' | 0x7f.. => return None,
            b'A'..=b'Z' => paths.extend_from_slice(&[b'_', byte.to_ascii_lowercase()]),
            _ => paths.push(byte),
        }
        begins = byte == b',';
    }
    (!begins).then_some(paths)
}

/// Appends one path in lowerCamelCase; false where it would not come back the same.
pub(in crate::transcode) fn write(out: &mut Room, mut at: usize, path: &[u8]) -> Option<usize> {
    let mut after_underscore = false;
    for &byte in path {
        match (after_underscore, byte) {
            (true, b'a'..=b'z') => at = out.byte(at, byte.to_ascii_uppercase()),
            (true, _) | (false, b'A'..=b'Z' | b',' | b'"' | b'\\' | 0..=b' ' | 0x7f..) => return None,
            (false, b'_') => {}
            (false, _) => at = out.byte(at, byte),
        }
        after_underscore = byte == b'_';
    }
    (!after_underscore).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::super::text_of;
    use super::*;

    fn paths(text: &str) -> Option<Vec<String>> {
        let paths = String::from_utf8(parse(text.as_bytes())?).unwrap();
        Some(paths.split_terminator(',').map(str::to_owned).collect())
    }

    #[test]
    fn paths_go_to_and_fro() {
        let cases =
            [("foo", "foo"), ("fooBar.bazQux", "foo_bar.baz_qux"), ("a1B", "a1_b"), ("fooB2", "foo_b2")];
        for (camel, snake) in cases {
            assert_eq!(paths(camel), Some(vec![snake.to_owned()]));
            assert_eq!(text_of(|out, at| write(out, at, snake.as_bytes())).as_deref(), Some(camel));
        }
        assert_eq!(paths(""), Some(vec![]));
        assert_eq!(paths("a,bC"), Some(vec!["a".into(), "b_c".into()]));
    }

    #[test]
    fn what_would_not_come_back_is_refused() {
        for text in ["foo_bar", "a,", ",", "a,,b", ",a", "a b", "é", "a\"", "a\\"] {
            assert_eq!(paths(text), None, "{text}");
        }
        for path in ["fooBar", "foo_3", "foo__bar", "foo_", "a,b", "a\"", "é"] {
            assert_eq!(text_of(|out, at| write(out, at, path.as_bytes())), None, "{path}");
        }
    }
}
