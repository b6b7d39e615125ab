//! What must hold of the elements of a streamed body, whatever bytes come.

use serde_json::value::RawValue;
use transom::transcode::elements::{Elements, ElementsError, Form};

/// No input is longer.
const ALL: usize = 1 << 20;

/// The first byte says the form, and how the rest is cut: cuts make no difference, and what other readers of
/// JSON find is found.
pub fn elements(input: &[u8]) {
    let Some((&selector, body)) = input.split_first() else { return };
    let form = if selector & 0x80 == 0 { Form::Json } else { Form::Lines };
    let piece = usize::from(selector % 32) + 1;
    let (found, end) = read(form, ALL, std::iter::once(body));
    assert_eq!((&found, end), as_ref(&read(form, ALL, body.chunks(piece))));
    let limit = piece;
    let (short, _) = read(form, limit, body.chunks(3));
    assert!(short.iter().all(|element| element.len() <= limit) && found.starts_with(&short));
    match form {
        Form::Lines => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
            // What ASCII calls space and JSON does not (a form feed) is part of an element.
            if !body.contains(&0x0c) {
                let found: Vec<_> = found.iter().map(|element| element.trim_ascii()).collect();
                assert_eq!(found, lines);
            }
            assert_eq!(end, Ok(()));
        }
        Form::Json => json(body, &found, end),
    }
}

fn as_ref(
    (found, end): &(Vec<Vec<u8>>, Result<(), ElementsError>),
) -> (&Vec<Vec<u8>>, Result<(), ElementsError>) {
    (found, *end)
}

/// An array has exactly its members; and what has whole members and a whole end is an array, or values.
fn json(body: &[u8], found: &[Vec<u8>], end: Result<(), ElementsError>) {
    let members: Result<Vec<&RawValue>, _> = serde_json::from_slice(body);
    if let Ok(members) = &members {
        let members: Vec<_> = members.iter().map(|member| member.get().as_bytes()).collect();
        assert_eq!((found.iter().map(Vec::as_slice).collect::<Vec<_>>(), end), (members, Ok(())));
    }
    let whole =
        end.is_ok() && found.iter().all(|element| serde_json::from_slice::<&RawValue>(element).is_ok());
    let is_array = body.trim_ascii_start().first() == Some(&b'[');
    assert!(!whole || !is_array || members.is_ok(), "{:?}", String::from_utf8_lossy(body));
    if whole && !is_array {
        let values = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
        let values: Vec<_> =
            values.map_while(Result::ok).map(|value| value.get().as_bytes().to_vec()).collect();
        // Numbers and words that touch what follows are values here, and an error there.
        assert!(found.starts_with(&values));
    }
}

fn read<'i>(
    form: Form,
    limit: usize,
    pieces: impl Iterator<Item = &'i [u8]>,
) -> (Vec<Vec<u8>>, Result<(), ElementsError>) {
    let mut elements = Elements::new(form, limit);
    let mut found = Vec::new();
    for piece in pieces {
        elements.push(piece.to_vec().into());
        loop {
            match elements.take() {
                Ok(Some(element)) => found.push(element.to_vec()),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    let last = elements.finish();
    let end = last.map(|last| found.extend(last.map(|element| element.to_vec())));
    (found, end)
}
