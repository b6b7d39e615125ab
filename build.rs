//! Generates the Rust types of Transom's own protos, without protoc.

use std::path::PathBuf;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed=proto");
    schema()
}

/// The slim descriptor messages that `schema` reads descriptors with, and the descriptors of the
/// standard types that every schema may rely on.
fn schema() -> Result<(), Failure> {
    let files = protox::compile(["transom/schema/descriptor.proto"], ["proto"])?;
    prost_build::Config::new().bytes(["."]).compile_fds(files)?;

    let standard = protox::Compiler::new(["proto"])?
        .include_imports(true)
        .open_files([
            "google/api/httpbody.proto",
            "google/api/annotations.proto",
            "google/api/client.proto",
            "google/api/field_behavior.proto",
            "google/api/resource.proto",
            "google/protobuf/empty.proto",
            "google/protobuf/field_mask.proto",
            "google/protobuf/struct.proto",
            "google/protobuf/wrappers.proto",
            "google/rpc/code.proto",
            "google/rpc/error_details.proto",
            "google/rpc/status.proto",
        ])?
        .encode_file_descriptor_set();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("standard.binpb"), standard)?;
    Ok(())
}
