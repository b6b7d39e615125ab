//! How the sample services fail: a gRPC status with the details of google/rpc/error_details.proto.

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use super::proto::google::rpc;
use rpc::bad_request::FieldViolation;
use rpc::precondition_failure::Violation as PreconditionViolation;
use rpc::quota_failure::Violation as QuotaViolation;

/// A status with these details.
pub fn status(code: Code, message: &str, details: Vec<Any>) -> Status {
    let proto = rpc::Status { code: code as i32, message: message.to_owned(), details };
    Status::with_details(code, message, proto.encode_to_vec().into())
}

/// `message` as a detail; `name` is the full name of its type.
pub fn detail(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

/// What is wrong with one field of a request.
pub fn violation(field: &str, description: impl Into<String>) -> FieldViolation {
    FieldViolation { field: field.to_owned(), description: description.into(), ..FieldViolation::default() }
}

/// INVALID_ARGUMENT that names what is wrong with each field.
pub fn invalid(field_violations: Vec<FieldViolation>) -> Status {
    let message = match field_violations.as_slice() {
        [one] => format!("{}: {}", one.field, one.description),
        many => format!("{} fields are not valid", many.len()),
    };
    let bad_request = rpc::BadRequest { field_violations };
    status(Code::InvalidArgument, &message, vec![detail("google.rpc.BadRequest", &bad_request)])
}

/// INVALID_ARGUMENT for one field.
pub fn invalid_field(field: &str, description: impl Into<String>) -> Status {
    invalid(vec![violation(field, description)])
}

/// NOT_FOUND for the resource of this name; `kind` is a message of the sample's package.
pub fn not_found(kind: &str, name: &str) -> Status {
    let info = rpc::ResourceInfo {
        resource_type: format!("transom.demo.v1.{kind}"),
        resource_name: name.to_owned(),
        ..rpc::ResourceInfo::default()
    };
    status(Code::NotFound, &format!("there is no {name}"), vec![detail("google.rpc.ResourceInfo", &info)])
}

/// FAILED_PRECONDITION: `subject` is not in a state for what was asked.
pub fn precondition(kind: &str, subject: &str, description: &str) -> Status {
    let failure = rpc::PreconditionFailure {
        violations: vec![PreconditionViolation {
            r#type: kind.to_owned(),
            subject: subject.to_owned(),
            description: description.to_owned(),
        }],
    };
    status(Code::FailedPrecondition, description, vec![detail("google.rpc.PreconditionFailure", &failure)])
}

/// RESOURCE_EXHAUSTED: a limit of the sample is reached.
pub fn exhausted(subject: &str, description: &str) -> Status {
    let failure = rpc::QuotaFailure {
        violations: vec![QuotaViolation {
            subject: subject.to_owned(),
            description: description.to_owned(),
            ..QuotaViolation::default()
        }],
    };
    status(Code::ResourceExhausted, description, vec![detail("google.rpc.QuotaFailure", &failure)])
}

/// The code that a request asked to fail with; `default` when it names none.
///
/// A request cannot ask for success: OK and numbers that are no code are INVALID_ARGUMENT.
pub fn code(field: &str, number: i32, default: Code) -> Result<Code, Status> {
    match (number, Code::from_i32(number)) {
        (0, _) => Ok(default),
        // An unknown number parses as UNKNOWN, which is 2.
        (number, code) if code as i32 == number => Ok(code),
        _ => Err(invalid_field(field, "not a gRPC status code from 1 to 16")),
    }
}
