//! [`Routed`]: a request whose route is known, as the layers of the route ring hand it on.
//!
//! What a layer decides by is data of the route ([`RoutePolicy`]), never a stack per route. What a layer
//! is not concerned with (the method, the captures, the body) stands in `rest`, which no layer looks into.

use std::net::IpAddr;
use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tower::Service;

use super::access::{Access, Admitted};
use super::cors::Sharing;
use super::expiry::Expiry;
use super::headers::{Headers, Known};
use super::rate_limit::RateLimit;
use crate::config::policy::OriginPattern;
use crate::protocol::adapter::Refusal;
use crate::protocol::{Body, Client, Outcome};
use crate::rpc::{Kind, Metadata, Status};
use crate::telemetry::ClientInfo;

/// What the layers of the route ring act on; one for each distinct stack of levels.
#[derive(Debug, Default)]
pub struct RoutePolicy {
    pub access: Access,
    /// Which pages of other origins may call.
    pub cors: Sharing,
    /// Which pages of other origins may open a WebSocket.
    pub websocket_origins: Box<[OriginPattern]>,
    /// How often somebody may call.
    pub rate_limit: Option<RateLimit>,
    /// What is added to and taken from calls and answers.
    pub headers: Headers,
}

/// A request, its route's policy, and what the layers have found out.
#[derive(Debug)]
pub struct Routed<T> {
    pub head: Parts,
    pub policy: Arc<RoutePolicy>,
    /// How a failure is told.
    pub refusal: Refusal,
    /// Who calls, once that is decided.
    pub admitted: Admitted,
    pub rest: T,
}

impl<T> Routed<T> {
    /// The language of the client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.outcome().client()
    }

    /// The notes of the request.
    #[must_use]
    pub const fn outcome(&self) -> &Arc<Outcome> {
        self.refusal.outcome()
    }

    /// Takes out what stands behind the layers.
    #[must_use]
    pub fn take(self) -> (Routed<()>, T) {
        let Self { head, policy, refusal, admitted, rest } = self;
        (Routed { head, policy, refusal, admitted, rest: () }, rest)
    }
}

impl Routed<()> {
    /// Puts something behind the layers.
    #[must_use]
    pub fn with<T>(self, rest: T) -> Routed<T> {
        let Self { head, policy, refusal, admitted, rest: () } = self;
        Routed { head, policy, refusal, admitted, rest }
    }
}

/// What the ring has decided of the metadata of a call.
#[derive(Debug)]
pub struct Writes {
    policy: Arc<RoutePolicy>,
    admitted: Admitted,
    /// Of the client.
    address: Option<IpAddr>,
}

impl<T> Routed<T> {
    /// Parts with the head and what stands behind the layers: the ring has been passed.
    #[must_use]
    pub fn pass(self) -> (Parts, Writes, T) {
        let Self { head, policy, admitted, rest, .. } = self;
        let address = head.extensions.get().and_then(ClientInfo::address);
        (head, Writes { policy, admitted, address }, rest)
    }
}

impl Writes {
    /// When a call of this kind has to end because its caller's credentials do.
    #[must_use]
    pub fn expiry(&self, kind: Kind) -> Option<Expiry> {
        self.admitted.expiry(kind)
    }

    /// Takes out what a client made up or what ends here, and puts in what is known of it.
    pub fn identify(&self, metadata: &mut Metadata) {
        self.admitted.apply(metadata);
    }

    /// Makes the edits of the policy key `headers`.
    pub fn edit(&self, metadata: &mut Metadata) {
        let identity = self.admitted.identity().map(Arc::as_ref);
        self.policy.headers.edit_metadata(Known { identity, address: self.address }, metadata);
    }
}

/// What stands behind a layer that may refuse: a service of routed requests that fails with a [`Status`].
pub trait Guarded<T>: Service<Routed<T>, Response = Response<Body>, Error = Status> {}

impl<S, T> Guarded<T> for S where S: Service<Routed<T>, Response = Response<Body>, Error = Status> {}
