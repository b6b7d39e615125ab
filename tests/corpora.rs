//! Replays the corpora of the fuzz targets, on any toolchain: what a fuzzer once found stays found.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new("fuzz/corpus").join(target);
    let inputs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        let bytes = std::fs::read(&input).unwrap();
        run(&bytes);
        // And every beginning of it.
        (0..bytes.len()).for_each(|end| run(bytes.get(..end).unwrap_or_default()));
    }
}

#[test]
fn template() {
    replay("template", targets::route::template);
}

#[test]
fn router() {
    replay("router", targets::route::router);
}

#[test]
fn json_to_wire() {
    replay("json_to_wire", targets::codec::json_to_wire);
}

#[test]
fn wire_to_json() {
    replay("wire_to_json", targets::codec::wire_to_json);
}

#[test]
fn query() {
    replay("query", targets::request::query);
}

#[test]
fn form() {
    replay("form", targets::request::form);
}

#[test]
fn multipart() {
    replay("multipart", targets::request::multipart);
}

#[test]
fn elements() {
    replay("elements", targets::upload::elements);
}
