//! What path and query say of a call whose messages come one by one: it goes into the first of them.

use bytes::Bytes;

use crate::rpc::Status;
use crate::transcode::request::{self, RequestError};

use super::Target;
use super::invalid::{element_too_large, invalid, invalid_element, message_too_large};

/// The values of path variables, the query of a request, and where its stream goes on.
#[derive(Debug)]
pub(super) struct Bindings {
    captures: Vec<String>,
    query: String,
    /// The field that says after what a stream goes on, encoded.
    after: Vec<u8>,
}

impl Bindings {
    pub(super) fn new(captures: &[&str], query: &str, after: Vec<u8>) -> Self {
        let captures = captures.iter().map(|&text| text.to_owned()).collect();
        Self { captures, query: query.to_owned(), after }
    }

    /// Nothing: what the messages after the first have.
    pub(super) const fn none() -> Self {
        Self { captures: Vec::new(), query: String::new(), after: Vec::new() }
    }

    /// A message of the client.
    ///
    /// # Errors
    /// What is wrong with the body, or with each parameter; 413 for a message above the route's limit.
    pub(super) fn encode(&self, target: &Target, body: &[u8], content_type: &str) -> Result<Bytes, Status> {
        let message = self.wire(target, body, content_type);
        let message = message.map_err(|error| invalid(error, target.request.body_name()))?;
        let limit = target.policy.message_limit;
        if message.len() > limit { Err(message_too_large(limit)) } else { Ok(message.into()) }
    }

    /// A message of the client that is an element of its body, by its number from 1.
    ///
    /// # Errors
    /// As those of [`Bindings::encode`], with that number.
    pub(super) fn encode_element(
        &self,
        target: &Target,
        element: &[u8],
        number: u64,
    ) -> Result<Bytes, Status> {
        let message = self.wire(target, element, "");
        let message = message.map_err(|error| invalid_element(number, error, target.request.body_name()))?;
        let limit = target.policy.message_limit;
        if message.len() > limit { Err(element_too_large(number, limit)) } else { Ok(message.into()) }
    }

    fn wire(&self, target: &Target, body: &[u8], content_type: &str) -> Result<Vec<u8>, RequestError> {
        let captures: Vec<&str> = self.captures.iter().map(String::as_str).collect();
        let parts = request::Parts { captures: &captures, query: &self.query, body, content_type };
        let (codec, policy) = (&target.codec, &target.policy);
        let mut message = if target.kind.client_streams() {
            target.request.encode_streamed(codec, parts, &policy.read, &policy.query)?
        } else {
            target.request.encode(codec, parts, &policy.read, &policy.query)?
        };
        message.extend_from_slice(&self.after);
        Ok(message)
    }
}
