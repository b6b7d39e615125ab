//! Compiles the protos of this crate, without protoc, into `OUT_DIR`.
//!
//! `schema` has the messages that descriptors are read with; `services/` has gRPC's own services, included
//! by `src/rpc/services.rs`; `demo/` has the sample services: their code (`protos.rs`, included by
//! `src/demo/proto.rs`) and their descriptors (`descriptors.binpb`).

use std::path::PathBuf;
use std::{env, fs};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto");
    schema()?;
    services()?;
    demo()
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
    fs::write(out()?.join("standard.binpb"), standard)?;
    Ok(())
}

/// The clients of reflection, in both of its versions. They differ in the name of the package alone, so the older one
/// takes the messages of the newer.
fn services() -> Result<(), Failure> {
    let out = out()?.join("services");
    fs::create_dir_all(&out)?;
    let files = ["grpc/reflection/v1/reflection.proto", "grpc/reflection/v1alpha/reflection.proto"];
    tonic_prost_build::configure()
        .build_transport(false)
        .build_server(false)
        .bytes(".grpc.reflection.v1.FileDescriptorResponse")
        .extern_path(".grpc.reflection.v1alpha", "crate::rpc::services::grpc::reflection::v1")
        .out_dir(out)
        .include_file("services.rs")
        .compile_fds(protox::compile(files, ["proto"])?)?;
    Ok(())
}

/// The sample services and the error details that they answer with.
fn demo() -> Result<(), Failure> {
    let out = out()?.join("demo");
    fs::create_dir_all(&out)?;

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files([
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
        "transom/demo/v1/bookshop.proto",
        "transom/demo/v1/chat.proto",
        "transom/demo/v1/failures.proto",
        "transom/demo/v1/files.proto",
        "transom/demo/v1/import.proto",
        "transom/demo/v1/ticker.proto",
    ])?;
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

fn out() -> Result<PathBuf, Failure> {
    Ok(env::var("OUT_DIR")?.into())
}
