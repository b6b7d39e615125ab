//! The codecs that tests work with, compiled from `tests/proto`.

use std::sync::{Arc, LazyLock};

use super::{Codec, JsonError, ReadOptions, WireError, WriteOptions};
use crate::schema::{MessageId, fixture};

/// The codec of `tests/proto/codec.proto` and `codec2.proto`.
pub(super) static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    let schema = fixture::compile("tests/proto".as_ref(), &["codec.proto", "codec2.proto"]);
    Codec::new(Arc::new(schema))
});

pub(super) fn message(name: &str) -> MessageId {
    CODEC.schema().message_by_name(name).unwrap().id()
}

pub(super) fn all() -> MessageId {
    message("test.All")
}

pub(super) fn number(message: MessageId, field: &str) -> u32 {
    CODEC.schema().message(message).field(field).unwrap().number()
}

/// What every error leaves untouched and every result stands behind.
pub(super) const BEFORE: &[u8] = b"before";

fn behind<E>(run: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Vec<u8>, E> {
    let mut out = BEFORE.to_vec();
    let result = run(&mut out);
    assert!(out.starts_with(BEFORE));
    assert!(result.is_ok() || out == BEFORE, "an error left something behind");
    result.map(|()| out.split_off(BEFORE.len()))
}

pub(super) fn read_as(name: &str, json: &str, options: &ReadOptions) -> Result<Vec<u8>, JsonError> {
    behind(|out| CODEC.read(message(name), json.as_bytes(), options, out))
}

pub(super) fn read(json: &str) -> Result<Vec<u8>, JsonError> {
    read_as("test.All", json, &ReadOptions::default())
}

pub(super) fn read_field(field: &str, json: &str) -> Result<Vec<u8>, JsonError> {
    let number = number(all(), field);
    behind(|out| CODEC.read_field(all(), number, json.as_bytes(), &ReadOptions::default(), out))
}

pub(super) fn read_text(field: &str, text: &str) -> Result<Vec<u8>, JsonError> {
    let number = number(all(), field);
    behind(|out| CODEC.read_text(all(), number, text, &ReadOptions::default(), out))
}

pub(super) fn write_as(name: &str, wire: &[u8], options: &WriteOptions) -> Result<String, WireError> {
    let json = behind(|out| CODEC.write(message(name), wire, options, out))?;
    Ok(String::from_utf8(json).unwrap())
}

pub(super) fn write(wire: &[u8]) -> Result<String, WireError> {
    write_as("test.All", wire, &WriteOptions::default())
}

pub(super) fn write_field(field: &str, wire: &[u8]) -> Result<String, WireError> {
    let number = number(all(), field);
    let json = behind(|out| CODEC.write_field(all(), number, wire, &WriteOptions::default(), out))?;
    Ok(String::from_utf8(json).unwrap())
}

/// JSON → wire → JSON.
pub(super) fn round(json: &str) -> String {
    write(&read(json).unwrap()).unwrap()
}
