//! `Failures`: the method that always fails, with everything an error can carry.

use prost::Message;
use prost_types::{Any, Duration};
use tonic::{Code, Request, Response, Status};

use super::fault;
use super::proto::google::rpc::{BadRequest, RetryInfo};
use super::proto::transom::demo::v1::{FailRequest, failures_server};

/// What the status says when the request asks for nothing else.
const MESSAGE: &str = "this method always fails, so that you see how errors look";

/// The service; it has no state.
pub struct Failures;

#[tonic::async_trait]
impl failures_server::Failures for Failures {
    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<()>, Status> {
        let request = request.into_inner();
        let code = fault::code("code", request.code, Code::InvalidArgument)?;
        let message = if request.message.is_empty() { MESSAGE } else { &request.message };
        Err(fault::status(code, message, details()))
    }
}

fn details() -> Vec<Any> {
    let bad_request = BadRequest {
        field_violations: vec![
            fault::violation("book.title", "a book needs a title"),
            fault::violation("book.pages", "a book has no negative number of pages"),
        ],
    };
    let retry = RetryInfo { retry_delay: Some(Duration { seconds: 1, nanos: 500_000_000 }) };
    vec![
        fault::detail("google.rpc.BadRequest", &bad_request),
        fault::detail("google.rpc.RetryInfo", &retry),
        unknown(),
    ]
}

/// A detail of a type that no descriptor describes: its bytes have to survive the way to the client.
fn unknown() -> Any {
    Any {
        type_url: "type.googleapis.com/transom.demo.private.Incident".to_owned(),
        // Any message will do for the bytes.
        value: "it was the cat".to_owned().encode_to_vec(),
    }
}
