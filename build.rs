//! Compiles the protos of this crate, without protoc: for each family of protos a descriptor set and
//! Rust code in a folder of `OUT_DIR`.
//!
//! `OUT_DIR/demo/descriptors.binpb` is what `transom demo` gives its gateway as the schema;
//! `OUT_DIR/demo/protos.rs` is the code of the sample services, included by `src/demo/proto.rs`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The sample services, and the error details that they answer with.
const DEMO: &[&str] = &[
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "transom/demo/v1/bookshop.proto",
    "transom/demo/v1/chat.proto",
    "transom/demo/v1/failures.proto",
    "transom/demo/v1/files.proto",
    "transom/demo/v1/import.proto",
    "transom/demo/v1/ticker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    compile(DEMO, &out.join("demo"))
}

/// Compiles `files` (relative to `proto/`) to `out/descriptors.binpb` and `out/protos.rs`.
fn compile(files: &[&str], out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(files)?;
    // The compiler's own bytes: prost_types, which the code generator takes, has no room for extensions
    // such as `google.api.http`.
    fs::write(out.join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".google.api.HttpBody")
        .out_dir(out)
        .include_file("protos.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
