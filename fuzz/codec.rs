//! What must hold of the codec whatever bytes come.

use std::sync::{Arc, LazyLock};

use transom::config::problem::Location;
use transom::schema::{Builder, MessageId};
use transom::transcode::{Codec, ReadOptions, WriteOptions};

pub(super) static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    // The fuzz package stands in a folder of the package that has the protos.
    let protos = protos.replace("/fuzz/tests", "/tests");
    let mut compiler = protox::Compiler::new([protos]).unwrap();
    compiler.include_imports(true).open_files(["codec.proto", "codec2.proto"]).unwrap();
    let mut builder = Builder::default();
    builder.add_set(compiler.encode_file_descriptor_set().into(), &Location::default());
    Codec::new(Arc::new(builder.build().unwrap()))
});

/// Wire is at most so many times as long as the JSON it is made of: two bytes of an unpacked list can
/// become a tag and eight bytes.
const READ_FACTOR: usize = 7;

fn message(selector: u8) -> MessageId {
    let name = if selector.is_multiple_of(4) { "test2.Old" } else { "test.All" };
    CODEC.schema().message_by_name(name).unwrap().id()
}

/// The first byte selects the message type and the options, the rest is the text.
pub fn json_to_wire(input: &[u8]) {
    let Some((&selector, json)) = input.split_first() else { return };
    let message = message(selector);
    let options = ReadOptions { ignore_unknown: selector & 0x80 != 0, ..ReadOptions::default() };
    let mut wire = Vec::new();
    if CODEC.read(message, json, &options, &mut wire).is_err() {
        assert!(wire.is_empty(), "an error left something behind");
        return;
    }
    assert!(wire.len() <= READ_FACTOR * json.len(), "{} bytes of {}", wire.len(), json.len());
    // What was read has a form in JSON, which is read as the same message.
    let again = written(message, &wire).expect("what was read can be written");
    let mut rewired = Vec::new();
    CODEC.read(message, again.as_bytes(), &options, &mut rewired).expect("what was written can be read");
    assert_eq!(written(message, &rewired).as_deref(), Some(again.as_str()));
}

/// The first byte selects the message type, the rest is the message.
pub fn wire_to_json(input: &[u8]) {
    let Some((&selector, wire)) = input.split_first() else { return };
    let message = message(selector);
    let Some(json) = written(message, wire) else { return };
    serde_json::from_str::<serde_json::Value>(&json).expect("what was written is JSON");
    let mut canonical = Vec::new();
    CODEC.canonical(message, wire, &mut canonical).expect("what can be written can be decoded");
    let ordered = written(message, &canonical).expect("the canonical form is the same message");
    assert_eq!(ordered.len(), json.len(), "{ordered} {json}");
}

fn written(message: MessageId, wire: &[u8]) -> Option<String> {
    let mut json = Vec::new();
    let result = CODEC.write(message, wire, &WriteOptions::default(), &mut json);
    assert!(result.is_ok() || json.is_empty(), "an error left something behind");
    result.ok().map(|()| String::from_utf8(json).expect("JSON is UTF-8"))
}
