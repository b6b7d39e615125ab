//! The codec against prost-reflect, over generated messages: the same JSON, the same wire, the same
//! verdict on texts that were tampered with. buffa is asked as well, in [`buffa`].
//!
//! Messages are made from a tape of bytes, so that a failing case shrinks to a short tape. Where the two
//! differ on purpose, [`differs_on_purpose`] says so in words.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

#[path = "codec_differential/buffa.rs"]
mod buffa;

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{
    Cardinality, DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MapKey,
    MessageDescriptor, SerializeOptions, Value,
};
use transom::config::problem::Location;
use transom::schema::{Builder, MessageId};
use transom::transcode::{Codec, Mask, ReadOptions, WriteOptions};

/// Files of googleapis, and messages in them: recursive ones, maps, enums, durations and Any.
const GOOGLEAPIS: &[&str] = &[
    "google/api/client.proto",
    "google/api/http.proto",
    "google/api/resource.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];
const SAMPLE: &[&str] = &[
    "google.api.Publishing",
    "google.api.MethodSettings",
    "google.api.BatchingConfigProto",
    "google.api.Http",
    "google.api.ResourceDescriptor",
    "google.rpc.ErrorInfo",
    "google.rpc.QuotaFailure",
    "google.rpc.BadRequest",
    "google.rpc.RetryInfo",
    "google.rpc.Status",
];

struct Both {
    codec: Codec,
    pool: DescriptorPool,
}

fn descriptor_set() -> Vec<u8> {
    protox::Compiler::new(["tests/proto", "proto"])
        .unwrap()
        .include_imports(true)
        .open_files(["codec.proto", "codec2.proto"].iter().chain(GOOGLEAPIS))
        .unwrap()
        .encode_file_descriptor_set()
}

static BOTH: LazyLock<Both> = LazyLock::new(|| {
    let set = descriptor_set();
    let pool = DescriptorPool::decode(&*set).unwrap();
    let mut builder = Builder::default();
    builder.add_set(set.into(), &Location::default());
    Both { codec: Codec::new(Arc::new(builder.build().unwrap())), pool }
});

impl Both {
    fn id(&self, name: &str) -> MessageId {
        self.codec.schema().message_by_name(name).unwrap().id()
    }

    fn descriptor(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(name).unwrap()
    }

    fn read(&self, name: &str, json: &str) -> Result<Vec<u8>, String> {
        let mut wire = Vec::new();
        let read = self.codec.read(self.id(name), json.as_bytes(), &ReadOptions::default(), &mut wire);
        read.map(|()| wire).map_err(|error| error.to_string())
    }

    fn write(&self, name: &str, wire: &[u8]) -> Result<String, String> {
        let mut json = Vec::new();
        let written = self.codec.write(self.id(name), wire, &WriteOptions::default(), &mut json);
        written.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(json).unwrap())
    }

    fn their_read(&self, name: &str, json: &str) -> Result<DynamicMessage, String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let options = DeserializeOptions::new();
        let message =
            DynamicMessage::deserialize_with_options(self.descriptor(name), &mut deserializer, &options);
        let message = message.map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(message)
    }
}

fn their_write(message: &DynamicMessage) -> Result<String, String> {
    let mut serializer = serde_json::Serializer::new(Vec::new());
    let options = SerializeOptions::new();
    message.serialize_with_options(&mut serializer, &options).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(serializer.into_inner()).unwrap())
}

/// Bytes that decide how a message is made; zeros when they run out.
struct Tape<'t>(std::slice::Iter<'t, u8>);

impl Tape<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn bits(&mut self) -> u64 {
        let size = self.byte();
        let edges =
            [0, 1, 127, 128, i32::MAX as u64, u32::MAX.into(), i64::MAX as u64, u64::MAX, 1 << 31, 1 << 63];
        match size {
            0..100 => edges[usize::from(size) % edges.len()],
            100..200 => self.byte().into(),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 10] =
            ["", "a", "\"", "\\", "\n", "é", "😀", "\u{1}", "plain text of some length ", "/"];
        (0..self.byte() % 4).map(|_| PARTS[usize::from(self.byte()) % PARTS.len()]).collect()
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        if let Some(fields) = self.well_known(descriptor.full_name(), depth) {
            for (number, value) in fields {
                message.set_field_by_number(number, value);
            }
            return message;
        }
        let fields: Vec<FieldDescriptor> = descriptor.fields().collect();
        if fields.is_empty() {
            return message;
        }
        for _ in 0..self.byte() % 6 {
            let field = &fields[usize::from(self.byte()) % fields.len()];
            let value = self.field(field, depth);
            message.set_field(field, value);
        }
        message
    }

    /// The fields of types whose values cannot be just any.
    fn well_known(&mut self, name: &str, depth: usize) -> Option<Vec<(u32, Value)>> {
        let seconds = |bits: u64| i64::try_from(bits % 100_000_000_000).unwrap() - 50_000_000_000;
        Some(match name {
            "google.protobuf.Timestamp" => {
                let nanos = i32::try_from(self.bits() % 1_000_000_000).unwrap();
                vec![(1, Value::I64(seconds(self.bits()))), (2, Value::I32(nanos))]
            }
            "google.protobuf.Duration" => {
                let (seconds, nanos) =
                    (seconds(self.bits()), i32::try_from(self.bits() % 1_000_000_000).unwrap());
                vec![(1, Value::I64(seconds)), (2, Value::I32(if seconds < 0 { -nanos } else { nanos }))]
            }
            "google.protobuf.FieldMask" => {
                let paths =
                    ["a", "a_b.c", "long_name_of_a_field"].into_iter().take(usize::from(self.byte() % 4));
                vec![(1, Value::List(paths.map(|path| Value::String(path.to_owned())).collect()))]
            }
            // prost-reflect writes NaN and the infinities in wrappers as null.
            "google.protobuf.DoubleValue" => vec![(1, Value::F64(f64::from_bits(self.bits()))).finite()],
            "google.protobuf.FloatValue" => vec![(1, Value::F32(f32::from(self.byte()) / 3.0))],
            "google.protobuf.Any" => self.any(depth),
            "google.protobuf.Value" => vec![self.dynamic_value(depth)],
            _ => return None,
        })
    }

    fn any(&mut self, depth: usize) -> Vec<(u32, Value)> {
        let types =
            ["test.All", "google.protobuf.Duration", "google.protobuf.Struct", "google.protobuf.Int64Value"];
        let name = types[if depth < 4 { usize::from(self.byte()) % types.len() } else { 1 }];
        let inner = self.message(&BOTH.descriptor(name), depth + 1);
        vec![
            (1, Value::String(format!("type.googleapis.com/{name}"))),
            (2, Value::Bytes(inner.encode_to_vec().into())),
        ]
    }

    fn dynamic_value(&mut self, depth: usize) -> (u32, Value) {
        match self.byte() % if depth < 4 { 6 } else { 4 } {
            0 => (1, Value::EnumNumber(0)),
            1 => (2, Value::F64(f64::from_bits(self.bits()))).finite(),
            2 => (3, Value::String(self.text())),
            3 => (4, Value::Bool(self.byte() % 2 == 1)),
            4 => (5, Value::Message(self.message(&BOTH.descriptor("google.protobuf.Struct"), depth + 1))),
            _ => (6, Value::Message(self.message(&BOTH.descriptor("google.protobuf.ListValue"), depth + 1))),
        }
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map has an entry") };
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries =
                (0..self.byte() % 4).map(|_| (self.key(&key.kind()), self.value(&value.kind(), depth)));
            return Value::Map(entries.collect());
        }
        if field.cardinality() == Cardinality::Repeated {
            return Value::List((0..self.byte() % 4).map(|_| self.value(&field.kind(), depth)).collect());
        }
        self.value(&field.kind(), depth)
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        self.value(kind, 0).into_map_key().unwrap()
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        let bits = self.bits();
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let half = bits as u32;
        match kind {
            Kind::Double => Value::F64(f64::from_bits(bits)),
            Kind::Float => Value::F32(f32::from_bits(half)),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(half.cast_signed()),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits.cast_signed()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(half),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
            Kind::Bool => Value::Bool(bits % 2 == 1),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(declared) => {
                let values: Vec<i32> = declared.values().map(|value| value.number()).collect();
                Value::EnumNumber(values[usize::from(self.byte()) % values.len()])
            }
            // They refuse an empty Any, and take an empty Value for none.
            Kind::Message(descriptor) if depth < 4 || descriptor.full_name().starts_with("google.") => {
                Value::Message(self.message(descriptor, depth + 1))
            }
            Kind::Message(descriptor) => Value::Message(DynamicMessage::new(descriptor.clone())),
        }
    }
}

trait Finite {
    fn finite(self) -> Self;
}

impl Finite for (u32, Value) {
    /// Value in JSON has no other numbers.
    fn finite(self) -> Self {
        match self {
            (number, Value::F64(value)) if !value.is_finite() => (number, Value::F64(0.5)),
            other => other,
        }
    }
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

fn made(tape: &[u8]) -> (&'static str, DynamicMessage) {
    let mut tape = Tape(tape.iter());
    let name = match tape.byte() % 8 {
        0 | 1 => "test2.Old",
        2 => SAMPLE[usize::from(tape.byte()) % SAMPLE.len()],
        _ => "test.All",
    };
    (name, tape.message(&BOTH.descriptor(name), 0))
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
