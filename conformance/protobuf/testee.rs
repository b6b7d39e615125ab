//! The testee of protobuf's conformance suite: answers each request with Transom's own codec.
//!
//! `conformance/protobuf/run` starts the runner, which starts this. The protocol is a length (four bytes,
//! little-endian) and a message, to and fro (protobuf's `conformance/conformance.proto`). A request to turn
//! JSON into JSON goes JSON → wire → JSON, as a call and its reply do; a message on the wire is
//! brought into canonical form first.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use prost::Message;
use transom::config::problem::Location;
use transom::schema::{Builder, MessageId};
use transom::transcode::{Codec, ReadOptions, WriteOptions};

/// conformance.ConformanceRequest; the members of its oneof as plain fields.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(bytes, optional, tag = "1")]
    protobuf_payload: Option<Vec<u8>>,
    #[prost(string, optional, tag = "2")]
    json_payload: Option<String>,
    #[prost(int32, tag = "3")]
    requested_output_format: i32,
    #[prost(string, tag = "4")]
    message_type: String,
    #[prost(int32, tag = "5")]
    test_category: i32,
}

/// conformance.ConformanceResponse; exactly one is set.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, optional, tag = "1")]
    parse_error: Option<String>,
    #[prost(string, optional, tag = "2")]
    runtime_error: Option<String>,
    #[prost(bytes, optional, tag = "3")]
    protobuf_payload: Option<Vec<u8>>,
    #[prost(string, optional, tag = "4")]
    json_payload: Option<String>,
    #[prost(string, optional, tag = "5")]
    skipped: Option<String>,
    #[prost(string, optional, tag = "6")]
    serialize_error: Option<String>,
}

/// conformance.WireFormat.
const PROTOBUF: i32 = 1;
const JSON: i32 = 2;
/// conformance.TestCategory.JSON_IGNORE_UNKNOWN_PARSING_TEST.
const IGNORE_UNKNOWN: i32 = 3;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testee: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: testee DESCRIPTOR_SET")?;
    let mut builder = Builder::default();
    builder.add_set(std::fs::read(path)?.into(), &Location::default());
    let schema = builder.build().map_err(|problems| format!("{problems:?}"))?;
    let codec = Codec::new(Arc::new(schema));
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while let Some(request) = read_frame(&mut input)? {
        let response = answer(&codec, &Request::decode(&*request)?).encode_to_vec();
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
    Ok(())
}

/// One frame; none at the end of the input.
fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut frame = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
    input.read_exact(&mut frame)?;
    Ok(Some(frame))
}

fn answer(codec: &Codec, request: &Request) -> Response {
    if request.message_type == "conformance.FailureSet" {
        return Response { protobuf_payload: Some(Vec::new()), ..Response::default() };
    }
    let Some(message) = codec.schema().message_by_name(&request.message_type) else {
        let error = format!("unknown message type {}", request.message_type);
        return Response { runtime_error: Some(error), ..Response::default() };
    };
    match wire(codec, message.id(), request) {
        Some(Ok(wire)) => reply(codec, message.id(), request.requested_output_format, wire),
        Some(Err(error)) => Response { parse_error: Some(error), ..Response::default() },
        None => skipped(),
    }
}

/// The message of a request on the wire; none if it is in a format that Transom does not speak.
fn wire(codec: &Codec, message: MessageId, request: &Request) -> Option<Result<Vec<u8>, String>> {
    if let Some(wire) = &request.protobuf_payload {
        let mut canonical = Vec::new();
        let rewritten = codec.canonical(message, wire, &mut canonical);
        return Some(rewritten.map(|()| canonical).map_err(|error| error.to_string()));
    }
    let json = request.json_payload.as_ref()?;
    let options =
        ReadOptions { ignore_unknown: request.test_category == IGNORE_UNKNOWN, ..ReadOptions::default() };
    let mut wire = Vec::new();
    let read = codec.read(message, json.as_bytes(), &options, &mut wire);
    Some(read.map(|()| wire).map_err(|error| error.to_string()))
}

fn reply(codec: &Codec, message: MessageId, format: i32, wire: Vec<u8>) -> Response {
    match format {
        PROTOBUF => Response { protobuf_payload: Some(wire), ..Response::default() },
        JSON => json(codec, message, &wire),
        _ => skipped(),
    }
}

fn json(codec: &Codec, message: MessageId, wire: &[u8]) -> Response {
    let mut json = Vec::new();
    let written = codec.write(message, wire, &WriteOptions::default(), &mut json);
    match written.map_err(|error| error.to_string()).map(|()| String::from_utf8(json)) {
        Ok(Ok(json)) => Response { json_payload: Some(json), ..Response::default() },
        Ok(Err(error)) => Response { runtime_error: Some(error.to_string()), ..Response::default() },
        Err(error) => Response { serialize_error: Some(error), ..Response::default() },
    }
}

fn skipped() -> Response {
    Response { skipped: Some("Transom has no text format".to_owned()), ..Response::default() }
}
