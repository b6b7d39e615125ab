//! The codec against prost-reflect, over generated messages: the same JSON, the same wire, the same
//! verdict on texts that were tampered with. buffa is asked as well, in [`buffa`].
//!
//! Messages are those of protobuf's conformance suite, of googleapis and of the codec's own tests ([`schemas`]),
//! made at random ([`tape`]). All the disagreements that were found:
//!
//! - Verdicts on tampered text, by prost-reflect: [`differs_on_purpose`] says each in words.
//! - prost-reflect writes NaN and the infinities in wrappers as null, where ProtoJSON has strings; none are made.
//! - It refuses an Any without a type, which ProtoJSON writes as `{}`; each has one.
//! - It takes a Value without a kind, which has no JSON, for none; each has a kind.
//! - It writes two durations that were merged into seconds and nanoseconds of two signs, which no text can say.
//! - It refuses a field on the wire in another wire type than declared, which is an unknown field.
//! - It knows no editions; what it says of the same messages in proto2 and proto3 is taken in their place.
//! - buffa takes a message with a length for a field that is declared delimited; to us, as to protobuf's own parsers,
//!   that is another wire type, and so an unknown field. Edition 2023 is asked about proto2's messages, which agree.
//! - buffa prints a float in a wrapper with the digits of a double.
//! - Maps have no order in either; theirs are compared as sets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

#[path = "codec_differential/buffa.rs"]
mod buffa;
#[path = "codec_differential/schemas.rs"]
mod schemas;
#[path = "codec_differential/tape.rs"]
mod tape;

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, SerializeOptions};
use transom::transcode::{Mask, WriteOptions};

use schemas::BOTH;
use tape::{Tape, made};

fn their_write(message: &DynamicMessage) -> Result<String, String> {
    let mut serializer = serde_json::Serializer::new(Vec::new());
    let options = SerializeOptions::new();
    message.serialize_with_options(&mut serializer, &options).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(serializer.into_inner()).unwrap())
}

/// JSON with all numbers as doubles: `1` and `1.0` are the same number.
fn normal(json: &str) -> serde_json::Value {
    fn walk(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(number) => *value = number.as_f64().unwrap().into(),
            serde_json::Value::Array(elements) => elements.iter_mut().for_each(walk),
            serde_json::Value::Object(members) => members.values_mut().for_each(walk),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    walk(&mut value);
    value
}

/// What a message says, compared by its JSON: NaN is not equal to itself, and maps have no order.
fn meaning(message: &DynamicMessage) -> Result<serde_json::Value, String> {
    their_write(message).map(|json| normal(&json))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_write_the_same_json(tape in prop::collection::vec(any::<u8>(), 0..400)) {
        let (name, message) = made(&tape);
        let ours = BOTH.write(name, &message.encode_to_vec());
        match their_write(&message) {
            Ok(theirs) => prop_assert_eq!(normal(&ours.unwrap()), normal(&theirs)),
            Err(error) => prop_assert!(ours.is_err(), "they say {}", error),
        }
    }

    #[test]
    fn both_read_the_same_message(tape in prop::collection::vec(any::<u8>(), 0..400)) {
        let (name, message) = made(&tape);
        let Ok(json) = their_write(&message) else { return Ok(()) };
        let wire = BOTH.read(name, &json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let read = DynamicMessage::decode(BOTH.descriptor(name), &*wire).unwrap();
        prop_assert_eq!(meaning(&read), meaning(&message));
        // And what was written from it is read back the same, byte for byte.
        let ours = BOTH.write(name, &wire).unwrap();
        let again = BOTH.read(name, &ours).unwrap();
        prop_assert_eq!(BOTH.write(name, &again).unwrap(), ours);
    }

    /// What a mask selects is what is left of all when the rest is taken away, whatever the order on the wire.
    #[test]
    fn a_mask_selects_what_it_names(
        tape in prop::collection::vec(any::<u8>(), 0..400),
        chosen in any::<u64>(),
        order in any::<u64>(),
    ) {
        let message = Tape(tape.iter()).message(&BOTH.descriptor("test.All"), 0);
        let mut records = records(&message.encode_to_vec());
        shuffle(&mut records, order);
        let wire = records.concat();
        let Ok(whole) = BOTH.write("test.All", &wire) else { return Ok(()) };
        let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&whole).unwrap();
        let mut index = 0;
        members.retain(|_, _| {
            index += 1;
            chosen >> (index % 64) & 1 == 1
        });
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mask = Mask::of_message(&BOTH.codec, BOTH.id("test.All"), &names.join(",")).unwrap();
        let mut out = Vec::new();
        let options = WriteOptions::default();
        BOTH.codec.write_selected(BOTH.id("test.All"), &wire, &options, &mask, &mut out).unwrap();
        let selected: serde_json::Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(selected, serde_json::Value::Object(members));
    }

    /// Two messages behind each other are merged, whatever the order of their fields.
    #[test]
    fn both_merge_wire_in_disorder(
        first in prop::collection::vec(any::<u8>(), 0..200),
        second in prop::collection::vec(any::<u8>(), 0..200),
        order in any::<u64>(),
    ) {
        let (_, first) = ("test.All", Tape(first.iter()).message(&BOTH.descriptor("test.All"), 0));
        let second = Tape(second.iter()).message(&BOTH.descriptor("test.All"), 0);
        let mut records = records(&[first.encode_to_vec(), second.encode_to_vec()].concat());
        shuffle(&mut records, order);
        let wire = records.concat();
        let theirs = DynamicMessage::decode(BOTH.descriptor("test.All"), &*wire).unwrap();
        let ours = BOTH.write("test.All", &wire);
        match their_write(&theirs) {
            // Two durations merged may have the seconds of one and the nanoseconds of the other, of two signs, which
            // no text can say ("Duration"); they write it nevertheless.
            Ok(_) if ours.as_ref().is_err_and(|error| error.contains("of two signs")) => {}
            Ok(theirs) => prop_assert_eq!(normal(&ours.unwrap()), normal(&theirs)),
            // Two Anys merged have the type of one and the value of the other; a field of another wire type
            // than declared is then an unknown field, which they refuse.
            Err(error) if error.contains("error decoding") => {}
            Err(error) => prop_assert!(ours.is_err(), "they say {}", error),
        }
    }

    /// Text that was tampered with: accepted by both, with the same meaning, or by neither.
    #[test]
    fn both_judge_tampered_text_alike(
        tape in prop::collection::vec(any::<u8>(), 0..200),
        place in any::<prop::sample::Index>(),
        patch in prop::sample::select(PATCHES),
        cut in 0_usize..3,
    ) {
        let (name, message) = made(&tape);
        let Ok(json) = their_write(&message) else { return Ok(()) };
        let at = place.index(json.len());
        let end = (at + cut).min(json.len());
        let (Some(head), Some(tail)) = (json.get(..at), json.get(end..)) else { return Ok(()) };
        let json = format!("{head}{patch}{tail}");
        let (ours, theirs) = (BOTH.read(name, &json), BOTH.their_read(name, &json));
        if differs_on_purpose(&ours, &theirs) {
            return Ok(());
        }
        match (ours, theirs) {
            (Ok(wire), Ok(theirs)) => {
                let ours = DynamicMessage::decode(BOTH.descriptor(name), &*wire).unwrap();
                prop_assert_eq!(meaning(&ours), meaning(&theirs), "{}", json);
            }
            (ours, theirs) => prop_assert_eq!(ours.is_err(), theirs.is_err(), "{} {:?} {:?}", json, ours, theirs.err()),
        }
    }

    /// Whatever bytes come, they end in a message or an error.
    #[test]
    fn bytes_from_anywhere_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let ours = BOTH.write("test.All", &bytes);
        if let Ok(json) = &ours {
            normal(json);
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(wire) = BOTH.read("test.All", &text) {
            prop_assert!(DynamicMessage::decode(BOTH.descriptor("test.All"), &*wire).is_ok());
        }
    }
}

const PATCHES: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "-",
    "\"",
    "\\",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "null",
    "true",
    "1e3",
    ".5",
    "\\u0041",
    "\\ud800",
    "{}",
    "[]",
    "\"\"",
    "\"x\":1,",
    "\"int32Value\":1,",
    "a",
    "T",
    "Z",
    "=",
    "é",
    "\n",
];

/// Where prost-reflect and the letter of ProtoJSON, or Transom's rules, part.
fn differs_on_purpose(ours: &Result<Vec<u8>, String>, theirs: &Result<DynamicMessage, String>) -> bool {
    let we_say = |what: &str| theirs.is_ok() && ours.as_ref().is_err_and(|error| error.contains(what));
    // They let the last of two equal names win; I-JSON (RFC 7493 §2.3) forbids them.
    we_say("the map has the same key twice")
        || we_say("duplicate field")
        // They take an empty path for a path.
        || we_say("no valid field mask")
        // They take any number of digits behind the point, a leap second and whatever else their parser
        // takes (google/protobuf/timestamp.proto and duration.proto have nine digits).
        || we_say("no valid timestamp")
        || we_say("no valid duration")
        // They take quoted numbers with leading zeros and a plus sign, which JSON's grammar does not have.
        || we_say("expected a number, found a string")
        || we_say("the key is no valid number")
        // They take wrong padding.
        || we_say("is not valid base64")
        // They refuse an exponent or a point in a quoted integer, which protobuf's own suite wants taken.
        || (ours.is_ok() && theirs.as_ref().is_err_and(|error| error.contains("invalid digit")))
}

/// The fields of a message, tag and value together.
fn records(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !wire.is_empty() {
        let mut rest = wire;
        let (tag, kind) = prost::encoding::decode_key(&mut rest).unwrap();
        prost::encoding::skip_field(kind, tag, &mut rest, prost::encoding::DecodeContext::default()).unwrap();
        let (record, tail) = wire.split_at(wire.len() - rest.len());
        records.push(record.to_vec());
        wire = tail;
    }
    records
}

fn shuffle(records: &mut [Vec<u8>], mut seed: u64) {
    for last in (1..records.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        records.swap(last, usize::try_from(seed >> 33).unwrap() % (last + 1));
    }
}
