//! What an answer of one message says that went well, beside its content: its status, where what was made is
//! found, and nothing at all where there is nothing to say.

use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};

use crate::rpc::Message;
use crate::transcode::{Codec, location::LocationPlan};

use super::{Body, Target};

/// What a route says of answers that went well.
#[derive(Clone, Debug)]
pub struct SuccessPolicy {
    pub status: StatusCode,
    /// Whether an answer is 204 because its type has nothing to say.
    pub no_content: bool,
    /// Where what was made is found.
    pub location: Option<LocationPlan>,
}

impl SuccessPolicy {
    /// 200 with the content.
    pub const PLAIN: Self = Self { status: StatusCode::OK, no_content: false, location: None };
}

/// Says it on an answer.
pub(super) fn say(target: &Target, message: &Message, response: &mut Response<Body>) {
    let success = &target.success;
    if let Some(location) = success.location.as_ref().and_then(|plan| header(plan, &target.codec, message)) {
        response.headers_mut().insert(LOCATION, location);
    }
    if success.no_content {
        // "A 204 response is terminated by the end of the header section" (RFC 9110 §15.3.5).
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
    } else {
        *response.status_mut() = success.status;
    }
}

fn header(plan: &LocationPlan, codec: &Codec, message: &Message) -> Option<HeaderValue> {
    HeaderValue::try_from(plan.fill(codec, &message.bytes)?).ok()
}
