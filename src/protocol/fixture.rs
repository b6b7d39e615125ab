//! A target that tests of adapters can call: its messages have one field, `text`.

use std::sync::Arc;
use std::time::Duration;

use crate::rpc::{CallPolicy, Kind, Method};
use crate::schema::fixture::compile_text;
use crate::transcode::Codec;
use crate::transcode::request::RequestPlan;
use crate::transcode::response::ResponsePlan;

use super::Target;
use super::success::SuccessPolicy;
use super::target::{TargetPolicy, WebSocketPolicy};

/// A method of a kind, whose body is the whole message.
pub(super) fn target(kind: Kind) -> Target {
    let codec =
        Codec::new(Arc::new(compile_text("syntax = \"proto3\"; package t; message M { string text = 1; }")));
    let message = codec.schema().message_by_name("t.M").unwrap();
    let request = RequestPlan::new(message, std::iter::empty(), Some("*"), false).unwrap();
    let response = ResponsePlan::new(message, None).unwrap();
    Target {
        method: Method::new("/t.S/M").unwrap(),
        method_name: "t.S.M".into(),
        kind,
        idempotent: false,
        call_policy: Arc::new(CallPolicy::new("u")),
        policy: Arc::new(policy()),
        request,
        response,
        event: None,
        affinity: None,
        resume: None,
        success: SuccessPolicy::PLAIN,
        codec: Arc::new(codec),
    }
}

/// As the configuration has it by default, where it matters to a stream.
fn policy() -> TargetPolicy {
    TargetPolicy {
        body_limit: 4 << 20,
        message_limit: 4 << 20,
        stream_headers_after: Duration::from_millis(250),
        websocket: WebSocketPolicy {
            message_limit: 1 << 20,
            frame_limit: 256 << 10,
            idle_ping: Duration::from_secs(20),
            ..WebSocketPolicy::default()
        },
        ..TargetPolicy::default()
    }
}
