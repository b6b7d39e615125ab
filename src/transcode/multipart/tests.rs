//! Forms whole and in every pair and triple of pieces, and bodies that are none.

use super::*;

fn read(pieces: &[&[u8]]) -> Result<Vec<Part>, MultipartError> {
    let mut multipart = Multipart::new("b-1");
    for piece in pieces {
        multipart.push(piece)?;
    }
    multipart.finish()
}

fn part(name: &str, content_type: &str, data: &[u8]) -> Part {
    Part { name: name.into(), filename: None, content_type: content_type.into(), data: data.into() }
}

const FORM: &[u8] = b"preamble\r\n--b-1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b-\r\n\
    \r\n--b-1  \r\ncontent-type: image/png\r\nX-Other: 1\r\nCONTENT-DISPOSITION: Form-Data; filename=\"q.png\"; name=f\r\n\
    \r\n\x00\xff\r\n\r\n-\r\r\n--b-1\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b-1--\r\nepilogue";

fn expected() -> Vec<Part> {
    vec![
        part("a", "", b"x\r\n--b-\r\n"),
        Part { filename: Some("q.png".into()), ..part("f", "image/png", b"\x00\xff\r\n\r\n-\r") },
        part("empty", "", b""),
    ]
}

#[test]
fn a_form_is_the_same_whatever_its_pieces() {
    assert_eq!(read(&[FORM]), Ok(expected()));
    for first in 0..=FORM.len() {
        let (head, tail) = FORM.split_at(first);
        for second in 0..=tail.len() {
            let (middle, end) = tail.split_at(second);
            assert_eq!(read(&[head, middle, end]), Ok(expected()), "cut at {first} and {}", first + second);
        }
    }
    let bytes: Vec<&[u8]> = FORM.chunks(1).collect();
    assert_eq!(read(&bytes), Ok(expected()));
}

#[test]
fn every_beginning_of_a_form_is_incomplete() {
    let end = FORM.len() - "\r\nepilogue".len();
    assert!(read(&[&FORM[..end]]).is_ok());
    for cut in 0..end {
        assert!(read(&[&FORM[..cut]]).is_err(), "cut at {cut}");
    }
}

#[test]
fn an_empty_form_has_no_parts() {
    assert_eq!(read(&[b"--b-1--"]), Ok(vec![]));
    assert_eq!(read(&[b"--b-1--\r\n"]), Ok(vec![]));
}

#[test]
fn names_are_written_in_several_ways() {
    let cases = [
        ("name=\"a\"", "a"),
        ("name=a", "a"),
        ("  NAME = a ; x=y", "a"),
        ("x=\"name=b\"; name=\"a;b\"", "a;b"),
        ("name=\"a\\\"b\\\\c\"", "a\"b\\c"),
        ("name=\"m[%22k%22]\"", "m[\"k\"]"),
        ("name=\"C:\\dir%\"", "C:\\dir%"),
        ("name=\"näme\"", "näme"),
    ];
    for (parameters, name) in cases {
        let body = format!("--b-1\r\nContent-Disposition: form-data; {parameters}\r\n\r\nv\r\n--b-1--");
        assert_eq!(read(&[body.as_bytes()]), Ok(vec![part(name, "", b"v")]), "{parameters}");
    }
}

#[test]
fn what_is_no_form_is_refused() {
    let header = |header: &str| format!("--b-1\r\n{header}\r\n\r\nv\r\n--b-1--").into_bytes();
    let cases: [(Vec<u8>, &str); 14] = [
        (b"".to_vec(), "nowhere in the body"),
        (b"{}".to_vec(), "nowhere in the body"),
        (b"--other--".to_vec(), "nowhere in the body"),
        (b"--b-1x\r\n".to_vec(), "is no delimiter"),
        (b"--b-1\r\n\r\nv\r\n--b-1--".to_vec(), "no name"),
        (header("Content-Type: text/plain"), "no name"),
        (header("Content-Disposition: form-data"), "no name"),
        (header("Content-Disposition: form-data; name=\"\""), "no name"),
        (header("Content-Disposition: attachment; name=a"), "not `Content-Disposition"),
        (header("Content-Disposition: form-data; name=a; name=b"), "two names"),
        (header("Content-Disposition: form-data; name=\"a"), "not closed"),
        (header("Content-Disposition: form-data; name"), "no value"),
        (header("nonsense"), "no colon"),
        (header("Content-Transfer-Encoding: base64"), "Content-Transfer-Encoding"),
    ];
    for (body, words) in cases {
        let error = read(&[&body]).unwrap_err();
        assert!(error.0.contains(words), "{:?}: {}", String::from_utf8_lossy(&body), error.0);
    }
    assert!(read(&[b"--b-1\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n"]).is_err());
}

#[test]
fn headers_and_parts_are_limited() {
    let padding = "x".repeat(MAX_HEADERS);
    let long = format!("--b-1\r\nX: {padding}");
    assert!(read(&[long.as_bytes()]).unwrap_err().0.contains("longer than"));
    let lines = format!("--b-1\r\n{}", "X: y\r\n".repeat(MAX_HEADERS / 6 + 1));
    assert!(read(&[lines.as_bytes()]).unwrap_err().0.contains("longer than"));
    let one = "--b-1\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    let most = format!("{}--b-1--", one.repeat(MAX_PARTS));
    assert_eq!(read(&[most.as_bytes()]).unwrap().len(), MAX_PARTS);
    let more = format!("{}--b-1--", one.repeat(MAX_PARTS + 1));
    assert!(read(&[more.as_bytes()]).unwrap_err().0.contains("more than 1000 parts"));
}

#[test]
fn boundaries_are_found_among_parameters() {
    let cases = [
        ("boundary=abc", Some("abc")),
        ("charset=utf-8; Boundary=\"a b\"", Some("a b")),
        (" boundary=----WebKitFormBoundary7MA4 ", Some("----WebKitFormBoundary7MA4")),
        ("", None),
        ("boundary=", None),
        ("boundary=\"a \"", None),
        ("boundary=é", None),
        ("boundary", None),
    ];
    for (parameters, expected) in cases {
        assert_eq!(boundary(parameters).ok().as_deref(), expected, "{parameters}");
    }
    assert!(boundary(&format!("boundary={}", "x".repeat(70))).is_ok());
    assert!(boundary(&format!("boundary={}", "x".repeat(71))).is_err());
}
