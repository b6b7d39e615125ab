//! The way of a call through one upstream: one commented line a layer, the outermost first.

use std::sync::Arc;

use tower::ServiceBuilder;

use super::admit::{Admit, AdmitLayer};
use super::channel::Channel;
use super::compression::{Compression, CompressionLayer};
use super::deadline::{Deadline, DeadlineLayer};
use super::dispatch::Dispatch;
use super::hedge::{Hedge, HedgeLayer};
use super::retry::{Retry, RetryLayer};
use super::shared::Counts;

/// All layers around a channel; it implements `rpc::Caller`.
pub type Stack = Admit<Deadline<Compression<Hedge<Retry<Dispatch>>>>>;

/// Composes them.
pub fn stack(channel: Arc<Channel>, name: &Arc<str>, counts: &Counts) -> Stack {
    ServiceBuilder::new()
        // No more calls at once than the policy allows, each until its answer has ended (gRFC A32).
        .layer(AdmitLayer::new(Arc::clone(name), Arc::clone(&counts.admission)))
        // One timer over queue, attempts and body; the idle time and the age of streams.
        .layer(DeadlineLayer)
        // Messages are compressed on the way to the upstream and back, where clients do not do so themselves.
        .layer(CompressionLayer)
        // A second copy of an idempotent call that is slow, where the policy has `hedge` (gRFC A6).
        .layer(HedgeLayer::new(counts.budget.clone()))
        // Another attempt at an idempotent call that failed, where the policy has `retry` (gRFC A6).
        .layer(RetryLayer::new(counts.budget.clone()))
        // One attempt: balance chooses the endpoint, its lane the connection; what no server has looked
        // at is sent again at once.
        .service(Dispatch::new(channel))
}
