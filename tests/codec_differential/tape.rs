//! Messages made from a tape of bytes, so that a failing case shrinks to a short tape.

use prost::Message as _;
use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::schemas::{BOTH, MESSAGES};

/// Bytes that decide how a message is made; zeros when they run out.
pub struct Tape<'t>(pub std::slice::Iter<'t, u8>);

impl Tape<'_> {
    pub fn byte(&mut self) -> u8 {
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

    pub fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
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

/// A message of some type, and the name of the type.
pub fn made(tape: &[u8]) -> (&'static str, DynamicMessage) {
    let mut tape = Tape(tape.iter());
    let name = MESSAGES[usize::from(tape.byte()) % MESSAGES.len()];
    (name, tape.message(&BOTH.descriptor(name), 0))
}
