//! Base64 of ProtoJSON's `bytes`: written in the standard alphabet with padding, read in the standard and
//! the URL-safe alphabet with or without (ProtoJSON, "bytes").

use base64_simd::{Out, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::room::Room;

/// Appends the encoded form, without quotes.
pub(super) fn encode(room: &mut Room, at: usize, bytes: &[u8]) -> usize {
    let length = STANDARD.encoded_length(bytes.len());
    room.fill(at, length, |slot| STANDARD.encode(bytes, Out::from_slice(slot)).len())
}

/// Appends the decoded form; false if it is no base64, and then what was appended means nothing.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(digits) = without_padding(text) else { return false };
    let (quads, rest) = digits.split_at(digits.len() / 4 * 4);
    let decoder =
        if memchr::memchr2(b'-', b'_', digits).is_some() { &URL_SAFE_NO_PAD } else { &STANDARD_NO_PAD };
    if decoder.decode_append(quads, out).is_err() {
        return false;
    }
    // Bits beyond the last whole byte are dropped, whatever they are: encoders leave rubbish there.
    let mut last = [b'A'; 4];
    for (slot, byte) in last.iter_mut().zip(rest) {
        *slot = *byte;
    }
    let length = out.len() + rest.len() * 3 / 4;
    let valid = rest.len() != 1 && (rest.is_empty() || decoder.decode_append(last, out).is_ok());
    out.truncate(length);
    valid
}

/// The digits alone; none if there is padding, but the wrong.
fn without_padding(text: &[u8]) -> Option<&[u8]> {
    let ([digits @ .., b'=', b'='] | [digits @ .., b'=']) = text else { return Some(text) };
    text.len().is_multiple_of(4).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = vec![1];
        decode(text.as_bytes(), &mut out).then(|| out.split_off(1))
    }

    #[test]
    fn every_length_comes_back_in_every_spelling() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|n: u8| n.wrapping_mul(251) ^ 0xfb).collect();
            let (mut room, at) = Room::new(Vec::new(), 0);
            let end = encode(&mut room, at, &bytes);
            let text = String::from_utf8(room.into_vec(end)).unwrap();
            let url = text.replace('+', "-").replace('/', "_");
            for spelling in [&text, &url] {
                assert_eq!(decoded(spelling).as_ref(), Some(&bytes));
                assert_eq!(decoded(spelling.trim_end_matches('=')).as_ref(), Some(&bytes));
            }
        }
    }

    #[test]
    fn stray_bits_are_dropped_and_wrong_text_is_refused() {
        assert_eq!(decoded("-_"), Some(vec![0xfb]));
        assert_eq!(decoded("//=="), Some(vec![0xff]));
        for wrong in
            ["A", "AAAAA", "A=", "AA=", "AAA==", "A===", "AAAA====", "=", "A A=", "A-+A", "é", "AB=C"]
        {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
