//! The messages of google/rpc/status.proto and google/rpc/error_details.proto that the gateway
//! itself writes and reads; all others pass as [`Any`].

use std::collections::BTreeMap;

use super::{Any, FieldViolation};

/// The prefix of type names in `Any.type_url`.
pub const TYPE_PREFIX: &str = "type.googleapis.com/";

/// `google.rpc.Status`, the content of `grpc-status-details-bin`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StatusProto {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub reason: String,
    #[prost(string, tag = "2")]
    pub domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub metadata: BTreeMap<String, String>,
}

/// `google.rpc.BadRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    pub field_violations: Vec<FieldViolationProto>,
}

/// `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FieldViolationProto {
    #[prost(string, tag = "1")]
    pub field: String,
    #[prost(string, tag = "2")]
    pub description: String,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<prost_types::Duration>,
}

/// `google.rpc.QuotaFailure`, as far as it is written here.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QuotaFailure {
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<QuotaViolation>,
}

/// `google.rpc.QuotaFailure.Violation`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QuotaViolation {
    #[prost(string, tag = "1")]
    pub subject: String,
    #[prost(string, tag = "2")]
    pub description: String,
}

impl From<&[FieldViolation]> for BadRequest {
    fn from(violations: &[FieldViolation]) -> Self {
        let proto = |violation: &FieldViolation| FieldViolationProto {
            field: violation.field.clone(),
            description: violation.description.clone(),
        };
        Self { field_violations: violations.iter().map(proto).collect() }
    }
}
