//! How much memory the codec takes, as a multiple of its input, counted by an allocator of this program's own.
//!
//! The bounds are those of `docs/decisions/0036-memory-of-the-codec.md`. Inputs are what makes the most of a
//! byte, and the shapes of attacks. What is counted is all that is live at once beside the input, both blocks of
//! one that moves included; `cargo test --test memory -- --nocapture` prints it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use transom::config::problem::Location;
use transom::schema::{Builder, MessageId};
use transom::transcode::{Codec, Mask, ReadOptions, WriteOptions};

/// Counts what is live in each thread.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(more: usize, less: usize) {
    let live = LIVE.get() + more.cast_signed();
    PEAK.set(PEAK.get().max(live));
    LIVE.set(live - less.cast_signed());
}

#[expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]
// SAFETY: all is handed on to the system's allocator unchanged; the counters are plain cells of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was live at once while something ran, beyond what was live before.
fn peak(run: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    run();
    (PEAK.get() - before).cast_unsigned()
}

static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    let mut compiler = protox::Compiler::new(["tests/proto"]).unwrap();
    compiler.include_imports(true).open_files(["codec.proto", "codec2.proto"]).unwrap();
    let mut builder = Builder::default();
    builder.add_set(compiler.encode_file_descriptor_set().into(), &Location::default());
    Codec::new(Arc::new(builder.build().unwrap()))
});

fn all() -> MessageId {
    CODEC.schema().message_by_name("test.All").unwrap().id()
}

/// About so long are inputs.
const SIZE: usize = 200_000;

/// The memory, as a multiple of the text, that reading may take.
const READING: usize = 24;
/// The same for writing, where neither enums nor defaults say more than the wire does.
const WRITING: usize = 32;
/// What does not grow with the input: plans, and the first steps of buffers.
const FIXED: usize = 64 << 10;

/// Prints a figure, and holds it to its bound.
fn hold(name: &str, input: usize, peak: usize, bound: usize) {
    let tenths = peak * 10 / input;
    println!("{name}: {}.{} × its input", tenths / 10, tenths % 10);
    assert!(peak <= bound * input + FIXED, "{name}: {peak} bytes for {input}");
}

/// The plans that are compiled when a type is first met are the schema's and not the message's.
fn warm(run: impl Fn(&mut Vec<u8>)) -> usize {
    run(&mut Vec::new());
    peak(|| run(&mut Vec::new()))
}

fn read(name: &str, json: &str) {
    let options = ReadOptions::default();
    let peak = warm(|out| drop(CODEC.read(all(), json.as_bytes(), &options, out)));
    hold(name, json.len(), peak, READING);
    let peak = warm(|_| drop(CODEC.field_paths(all(), json.as_bytes(), &options)));
    hold(&format!("the paths of {name}"), json.len(), peak, READING);
}

fn write_as(name: &str, wire: &[u8], options: &WriteOptions, bound: usize) {
    let peak = warm(|out| drop(CODEC.write(all(), wire, options, out)));
    hold(name, wire.len(), peak, bound);
}

fn write(name: &str, wire: &[u8]) {
    write_as(name, wire, &WriteOptions::default(), WRITING);
}

fn list(field: &str, element: &str) -> String {
    let count = SIZE / (element.len() + 1);
    format!("{{\"{field}\":[{}]}}", vec![element; count].join(","))
}

fn map(field: &str, value: &str, keys: impl Iterator<Item = usize>) -> String {
    let members: Vec<String> = keys.map(|key| format!("\"{key}\":{value}")).collect();
    format!("{{\"{field}\":{{{}}}}}", members.join(","))
}

fn nested(open: &str, close: &str, depth: usize, inner: &str) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn texts_that_make_the_most_of_a_byte() {
    read("a list of empty messages", &list("children", "{}"));
    read("a packed list of zeros", &list("ints", "0"));
    read("a packed list of doubles", &list("doubles", "0"));
    read("an unpacked list of zeros", &list("loose", "0"));
    read("a list of empty strings", &list("strings", "\"\""));
    read("a list of timestamps", &list("times", "\"1970-01-01T00:00:00Z\""));
    read("a list of wrappers", &list("wrappers", "0"));
    read("a ListValue of zeros", &format!("{{\"list\":[{}]}}", vec!["0"; SIZE / 2].join(",")));
    read("a ListValue of nulls", &format!("{{\"list\":[{}]}}", vec!["null"; SIZE / 5].join(",")));
    read("a ListValue of lists", &format!("{{\"list\":[{}]}}", vec!["[]"; SIZE / 3].join(",")));
    read("a map", &map("counts", "0", 0..SIZE / 10));
    read("a map backwards", &map("counts", "0", (0..SIZE / 10).rev()));
    read("a map with one key twice", &map("counts", "0", (0..SIZE / 10).rev().chain([7])));
    read("a Struct backwards", &map("structure", "0", (0..SIZE / 10).rev()));
    read("a list of Anys", &list("anys", r#"{"@type":"x/test.All"}"#));
    read("a field mask", &format!("{{\"mask\":\"{}\"}}", vec!["a"; SIZE / 2].join(",")));
}

#[test]
fn texts_that_attack() {
    read("unclosed objects", &"{\"child\":".repeat(SIZE / 9));
    read("unclosed arrays", &format!("{{\"value\":{}", "[".repeat(SIZE)));
    read("unknown keys", &map("nope", "0", 0..SIZE / 10));
    read("a name of all the text", &format!("{{\"{}\":0}}", "n".repeat(SIZE)));
    read("a number of all the text", &format!("{{\"doubleValue\":{}}}", "9".repeat(SIZE)));
    read("a fraction of all the text", &format!("{{\"int32Value\":1.{}}}", "0".repeat(SIZE)));
    read("escapes", &format!("{{\"stringValue\":\"{}\"}}", "\\u00e9".repeat(SIZE / 6)));
    read("lone surrogates", &format!("{{\"stringValue\":\"{}\"}}", "\\ud800".repeat(SIZE / 6)));
    read("base64", &format!("{{\"bytesValue\":\"{}\"}}", "AAAA".repeat(SIZE / 4)));
    read("white space", &format!("{{{}}}", " ".repeat(SIZE)));
    let late = nested(r#"{"value":"#, r#","@type":"x/google.protobuf.Any"}"#, 30, "{}");
    read("Anys that say late what they are", &list("anys", &late));
    let deep = nested(r#"{"child":"#, "}", 60, &list("children", "{}"));
    read("empty messages deep in others", &deep);
    let fields =
        r#"{"maybe":0,"maybeText":"","int32Value":0,"boolValue":true,"color":0,"ints":[],"counts":{}}"#;
    read("paths deep in others", &nested(r#"{"child":"#, "}", 60, fields));
    let ignore = ReadOptions { ignore_unknown: true, ..ReadOptions::default() };
    let json = map("nope", "[{\"x\":[]}]", 0..SIZE / 20);
    let peak = warm(|out| CODEC.read(all(), json.as_bytes(), &ignore, out).unwrap());
    hold("unknown fields that are ignored", json.len(), peak, READING);
}

/// A full tree of messages, in which every leaf is a path of its own, long where the text is short.
fn tree(depth: usize) -> String {
    if depth == 0 {
        return r#"{"maybe":0,"maybeText":""}"#.to_owned();
    }
    let below = tree(depth - 1);
    format!("{{\"child\":{below},\"other\":{below}}}")
}

#[test]
fn paths_of_a_mask_are_bounded_by_themselves() {
    let json = nested(r#"{"child":"#, "}", 48, &tree(13));
    let options = ReadOptions::default();
    let mut outcome = Ok(Vec::new());
    let peak = peak(|| outcome = CODEC.field_paths(all(), json.as_bytes(), &options));
    assert!(outcome.unwrap_err().to_string().contains("more fields than a mask"));
    assert!(peak < 3 << 20, "{peak}");
}

fn repeated(record: &[u8]) -> Vec<u8> {
    record.repeat(SIZE / record.len())
}

/// A field of a length and its content.
fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut wire);
    wire
}

#[test]
fn wire_that_makes_the_most_of_a_byte() {
    write("empty messages", &repeated(&delimited(28, b"")));
    write("empty timestamps", &repeated(&delimited(61, b"")));
    write("empty Anys", &repeated(&delimited(62, b"")));
    write("empty wrappers", &repeated(&delimited(80, b"")));
    write("null values", &repeated(&delimited(60, &[8, 0])));
    write("packed zeros", &delimited(22, &vec![0; SIZE]));
    write("packed falsehoods", &delimited(24, &vec![0; SIZE]));
    write("packed doubles", &delimited(21, &f64::from_bits(1).to_le_bytes().repeat(SIZE / 8)));
    write("control characters", &delimited(14, &vec![1; SIZE]));
    write("bytes", &delimited(15, &vec![1; SIZE]));
    let distinct = (0..SIZE / 10).rev().map(|key| delimited(31, &delimited(1, key.to_string().as_bytes())));
    write("a map backwards", &distinct.collect::<Vec<_>>().concat());
    write("a map with one key", &repeated(&delimited(31, b"")));
    let short = (0..SIZE as u64 / 6).map(|key| {
        let mut entry = vec![8];
        prost::encoding::encode_varint(key, &mut entry);
        delimited(32, &entry)
    });
    write(
        "a map of short keys, one of them twice",
        &short.chain([delimited(32, b"")]).collect::<Vec<_>>().concat(),
    );
}

#[test]
fn wire_that_attacks() {
    write("one field again and again", &repeated(&[0x18, 1]));
    write("two fields in turn", &repeated(&[0x18, 1, 0x28, 1]));
    write("two lists in turn", &repeated(&[delimited(22, &[0]), delimited(24, &[0])].concat()));
    write("a oneof in turn", &repeated(&[delimited(43, b""), delimited(45, b"")].concat()));
    write("a message in pieces", &repeated(&delimited(17, &[0x18, 1])));
    write("unknown fields", &repeated(&[0xa0, 0x1f, 1]));
    write("unclosed groups", &repeated(&[0xa3, 0x1f]));
    let mut deep = delimited(28, b"");
    for _ in 0..60 {
        deep = delimited(17, &[deep.clone(), vec![0x18, 1, 0x28, 1, 0x18, 1]].concat());
    }
    write("disorder at every depth", &repeated(&delimited(28, &deep)));
    let any = delimited(1, b"x/google.protobuf.Any");
    let mut nested = delimited(1, b"x/test.All");
    for _ in 0..20 {
        nested = [any.clone(), delimited(2, &nested)].concat();
    }
    write("Anys in each other", &repeated(&delimited(62, &nested)));
    let mask = Mask::of_message(&CODEC, all(), "children(maybe)").unwrap();
    let wire = repeated(&delimited(28, &[0x18, 1]));
    let options = WriteOptions::default();
    let peak = warm(|out| CODEC.write_selected(all(), &wire, &options, &mask, out).unwrap());
    hold("a part of each element", wire.len(), peak, WRITING);
}

/// What the schema says in place of a byte has no multiple: it ends at the length that the options allow.
#[test]
fn names_and_defaults_end_at_a_length() {
    let enums = delimited(27, &vec![0; SIZE]);
    let empty = repeated(&delimited(28, b""));
    let disorder = [empty.clone(), vec![0x18, 1], empty.clone()].concat();
    for (name, wire) in [("enums by name", enums), ("printed defaults", empty), ("the same twice", disorder)]
    {
        let options = WriteOptions { print_defaults: true, max_length: 100_000, ..WriteOptions::default() };
        let peak = warm(|out| drop(CODEC.write(all(), &wire, &options, out)));
        let refused = CODEC.write(all(), &wire, &options, &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(refused, "it is longer than 100000 bytes as JSON", "{name}");
        hold(name, wire.len(), peak, WRITING);
    }
}

#[test]
fn a_length_counts_from_where_the_text_begins() {
    let wire = delimited(14, b"0123456789");
    let text = br#"{"stringValue":"0123456789"}"#;
    for (max_length, fits) in [(text.len(), true), (text.len() - 1, false), (0, false)] {
        let options = WriteOptions { max_length, ..WriteOptions::default() };
        let mut out = b"before".to_vec();
        assert_eq!(CODEC.write(all(), &wire, &options, &mut out).is_ok(), fits, "{max_length}");
        assert_eq!(out.len(), if fits { 6 + text.len() } else { 6 });
    }
}
