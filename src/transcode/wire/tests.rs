//! Tests of the wire format: hostile and canonical bytes.

use super::*;

fn plain_varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

#[test]
fn varints_of_every_length_are_written_as_byte_by_byte_and_read_back() {
    for shift in 0..64 {
        for value in [(1_u64 << shift) - 1, 1 << shift, (1 << shift) | 0x55, u64::MAX >> shift] {
            let mut out = Vec::new();
            put_varint(&mut out, Tag::NONE, value);
            assert_eq!(out, plain_varint(value), "{value}");
            assert_eq!(varint_len(value), out.len());
            let mut cursor = Cursor::new(&out);
            assert_eq!(cursor.varint(), Ok(value));
            assert!(cursor.at_end());
            for end in 0..out.len() {
                assert_eq!(Cursor::new(&out[..end]).varint(), Err(Broken::Truncated));
            }
        }
    }
}

#[test]
fn tags_of_every_length_go_before_any_value() {
    for number in [1, 15, 16, 2047, 2048, 262_143, 262_144, 33_554_431, 33_554_432, (1 << 29) - 1] {
        let mut out = Vec::new();
        let tag = Tag::new(number, WireType::Varint);
        put_varint(&mut out, tag, u64::MAX);
        put_fixed64(&mut out, Tag::new(number, WireType::Fixed64), u64::MAX);
        put_fixed32(&mut out, Tag::new(number, WireType::Fixed32), 7);
        let mut cursor = Cursor::new(&out);
        assert_eq!(cursor.head(), Ok(Head::new(number, WireType::Varint)));
        assert_eq!(cursor.varint(), Ok(u64::MAX));
        assert_eq!(cursor.head(), Ok(Head::new(number, WireType::Fixed64)));
        assert_eq!(cursor.fixed64(), Ok([0xff; 8]));
        assert_eq!(cursor.head(), Ok(Head::new(number, WireType::Fixed32)));
        assert_eq!(cursor.fixed32(), Ok([7, 0, 0, 0]));
        assert!(cursor.at_end());
    }
}

/// Steps over a field that nobody knows.
fn unknown(wire: &[u8]) -> Result<&[u8], Broken> {
    let mut cursor = Cursor::new(wire);
    let head = cursor.head()?;
    Ok(cursor.behind(head)?.rest())
}

#[test]
fn hostile_varints_tags_and_lengths_are_errors() {
    assert_eq!(Cursor::new(&[0xff; 11]).varint(), Err(Broken::Overlong));
    assert_eq!(Cursor::new(&[0x80; 11]).varint(), Err(Broken::Overlong));
    assert_eq!(Cursor::new(&[0x80, 0x80, 0x80, 0]).varint(), Ok(0));
    assert_eq!(unknown(&[0x00]), Err(Broken::Tag));
    assert_eq!(unknown(&[0x0e]), Err(Broken::Tag));
    assert_eq!(unknown(&[0x0f]), Err(Broken::Tag));
    assert_eq!(unknown(&[0x0c]), Err(Broken::Group));
    assert_eq!(unknown(&[0x0a, 1, 7, 8]), Ok(&[8][..]));
    assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).head(), Err(Broken::Tag));
    assert_eq!(Cursor::new(&[0x05, 1, 2, 3, 4]).delimited().map(drop), Err(Broken::Truncated));
    let huge = plain_varint(u64::MAX);
    assert_eq!(Cursor::new(&huge).delimited().map(drop), Err(Broken::Truncated));
}

#[test]
fn a_group_ends_with_its_own_end_only() {
    // 1: group { 2: varint 1, 3: group {} } end.
    let wire = [0x0b, 0x10, 0x01, 0x1b, 0x1c, 0x0c, 0x08, 0x05];
    let mut cursor = Cursor::new(&wire);
    assert_eq!(cursor.head(), Ok(Head::new(1, WireType::GroupStart)));
    let inner = cursor.group(1).unwrap();
    assert_eq!(inner.rest(), &wire[1..5]);
    assert_eq!(cursor.rest(), &wire[6..]);
    assert_eq!(Cursor::new(&[0x14]).group(1).map(drop), Err(Broken::Group));
    assert_eq!(Cursor::new(&[]).group(1).map(drop), Err(Broken::Truncated));
    let deep = [0x0b; 200];
    assert_eq!(Cursor::new(&deep).group(1).map(drop), Err(Broken::Depth));
}

#[test]
fn a_length_is_corrected_whatever_the_room() {
    for room in 1..=5 {
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let mut out = vec![9];
            let reserved = reserve_length(&mut out, Tag::new(1, WireType::Length), room);
            out.resize(out.len() + length, 7);
            assert_eq!(fill_length(&mut out, reserved), varint_len(length as u64));
            let mut expected = vec![9, 0x0a];
            expected.extend(plain_varint(length as u64));
            expected.resize(expected.len() + length, 7);
            assert_eq!(out, expected, "{room} {length}");
        }
    }
}

#[test]
fn slices_are_copied_whatever_stands_around_them() {
    let source: Vec<u8> = (0..100).collect();
    for start in 0..100 {
        for end in start..=100 {
            let mut out = vec![1];
            put_slice(&mut out, &source, start, end);
            assert_eq!(out[1..], source[start..end]);
        }
    }
}

#[test]
fn few_bytes_are_copied_whole_behind_their_length() {
    let source: Vec<u8> = (1..=40).collect();
    for length in 0..=40 {
        for number in [1, 16, 536_870_911] {
            let tag = Tag::new(number, WireType::Length);
            let (mut out, mut expected) = (vec![9], vec![9]);
            put_bytes(&mut out, tag, &source, 0, length);
            put_varint(&mut expected, tag, length as u64);
            expected.extend(&source[..length]);
            assert_eq!(out, expected);
        }
    }
}

#[test]
fn a_tag_follows_or_the_cursor_stays() {
    let wire = [0x08, 0x01];
    let mut cursor = Cursor::new(&wire);
    assert!(!cursor.follows(Head::new(1, WireType::Length)));
    assert_eq!(cursor.pos(&wire), 0);
    assert!(cursor.follows(Head::new(1, WireType::Varint)));
    assert_eq!(cursor.pos(&wire), 1);
}
