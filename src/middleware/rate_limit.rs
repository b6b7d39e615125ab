//! How often somebody may call a route: the policy key `rate_limit` on requests.
//!
//! The arithmetic is [`gcra`]'s, the bounded memory [`buckets`]'; here is who is counted, and what they are
//! told. Who is counted by address is counted before anybody is asked who they are, for that may be what
//! a flood is after; all others are counted when they have been let in, so that no stranger spends what
//! callers have.

pub mod buckets;
mod fields;
pub mod gcra;

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready as poll_ready};
use std::time::Duration;

use futures_util::future::Either;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response};
use tower::{Layer, Service};

use super::routed::{Guarded, Routed};
use crate::config::policy::LimitKey;
use crate::protocol::Body;
use crate::rpc::{Code, Origin, Status};
use crate::telemetry::ClientInfo;
use buckets::Buckets;
use fields::{RATE_LIMIT, RATE_LIMIT_POLICY};
use gcra::{Limit, Taken};

/// The limit of a route.
#[derive(Clone, Debug)]
pub struct RateLimit {
    limit: Limit,
    by: LimitKey,
    /// The level that sets the rate: all that it holds for is counted together.
    scope: Arc<str>,
    policy: HeaderValue,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Counted<'r> {
    /// A caller by the block that vouches for it and by its name there.
    Identity(&'r str, &'r str),
    Address(IpAddr),
    /// Whoever comes by a Unix socket: there is no address to tell them by.
    Local,
    /// The value of a header; `None` for all that do not send it.
    Header(Option<&'r [u8]>),
    /// All callers of a method, by whatever path.
    Route(&'r str),
}

/// When a layer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Before it is known who calls: what is counted by address.
    Strangers,
    /// When it is known: everything else.
    Callers,
}

impl RateLimit {
    /// `limit` for each that `by` tells apart.
    #[must_use]
    pub fn new(limit: Limit, by: LimitKey, scope: Arc<str>) -> Self {
        let policy = fields::policy(word(&by), limit);
        Self { limit, by, scope, policy }
    }

    const fn turn(&self) -> Turn {
        match self.by {
            LimitKey::Address => Turn::Strangers,
            LimitKey::Identity | LimitKey::Header(_) | LimitKey::Route => Turn::Callers,
        }
    }

    /// Where nobody is asked who they are, identities are addresses.
    fn counted<'r, T>(&'r self, request: &'r Routed<T>) -> Counted<'r> {
        match &self.by {
            LimitKey::Identity => match request.admitted.identity() {
                Some(identity) => Counted::Identity(&identity.policy, &identity.subject),
                None => address(request),
            },
            LimitKey::Address => address(request),
            LimitKey::Header(name) => {
                Counted::Header(request.head.headers.get(name).map(HeaderValue::as_bytes))
            }
            LimitKey::Route => {
                Counted::Route(request.outcome().target().map_or("", |target| &*target.method_name))
            }
        }
    }

    /// What the client is told with an answer, or why there is none.
    fn take<T>(&self, buckets: &Buckets, request: &Routed<T>) -> Result<Told, Status> {
        match buckets.take(&self.scope, self.limit, self.counted(request)) {
            Taken::Granted { left, next, .. } => Ok(self.told(left, next)),
            Taken::Refused { wait } => Err(self.told(0, wait).on_failure(self.refused(wait))),
        }
    }

    fn told(&self, left: u64, next: Duration) -> Told {
        Told { policy: self.policy.clone(), state: fields::state(word(&self.by), left, next) }
    }

    /// 429 (RFC 6585 §4).
    fn refused(&self, wait: Duration) -> Status {
        let message = "too many calls: try again later";
        let quota =
            format!("{} calls in {} seconds", self.limit.burst(), fields::seconds(self.limit.window()));
        Status::new(Code::ResourceExhausted, Origin::Client, "RATE_LIMITED", message)
            .with_retry_delay(wait)
            .with_quota_failure(word(&self.by), &quota)
            .with_header(RETRY_AFTER, HeaderValue::from(fields::seconds(wait)))
    }
}

/// The name of a limit for its clients.
const fn word(by: &LimitKey) -> &'static str {
    match by {
        LimitKey::Identity => "identity",
        LimitKey::Address => "address",
        LimitKey::Header(_) => "header",
        LimitKey::Route => "route",
    }
}

/// The address of a client. A site has a /64 of IPv6 at the least (RFC 6177), and so as many addresses as it
/// likes.
fn address<T>(request: &Routed<T>) -> Counted<'static> {
    match request.head.extensions.get().and_then(ClientInfo::address) {
        Some(IpAddr::V6(address)) => {
            let site = u128::from(address) & !u128::from(u64::MAX);
            Counted::Address(IpAddr::V6(site.into()))
        }
        Some(address) => Counted::Address(address),
        None => Counted::Local,
    }
}

/// What is told of a limit.
#[derive(Debug)]
struct Told {
    policy: HeaderValue,
    state: HeaderValue,
}

impl Told {
    fn on_answer(self, response: &mut Response<Body>) {
        response.headers_mut().insert(RATE_LIMIT_POLICY, self.policy);
        response.headers_mut().insert(RATE_LIMIT, self.state);
    }

    fn on_failure(self, status: Status) -> Status {
        status.with_header(RATE_LIMIT_POLICY, self.policy).with_header(RATE_LIMIT, self.state)
    }
}

/// Adds [`Count`].
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    buckets: Arc<Buckets>,
    turn: Turn,
}

impl RateLimitLayer {
    /// Counts in `buckets` what is counted at this turn.
    #[must_use]
    pub fn new(buckets: &Arc<Buckets>, turn: Turn) -> Self {
        Self { buckets: Arc::clone(buckets), turn }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count { inner, buckets: Arc::clone(&self.buckets), turn: self.turn }
    }
}

/// Counts calls, and refuses those that are too many.
#[derive(Clone, Debug)]
pub struct Count<S> {
    inner: S,
    buckets: Arc<Buckets>,
    turn: Turn,
}

impl<S: Guarded<T>, T> Service<Routed<T>> for Count<S> {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Either<Ready<Result<Response<Body>, Status>>, Counting<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Routed<T>) -> Self::Future {
        let limit = request.policy.rate_limit.as_ref().filter(|limit| limit.turn() == self.turn);
        match limit.map(|limit| limit.take(&self.buckets, &request)).transpose() {
            Ok(told) => Either::Right(Counting { answered: self.inner.call(request), told }),
            Err(status) => Either::Left(ready(Err(status))),
        }
    }
}

pin_project_lite::pin_project! {
    /// Waits for an answer, to tell with it what is left.
    #[derive(Debug)]
    pub struct Counting<F> {
        #[pin]
        answered: F,
        told: Option<Told>,
    }
}

impl<F> Future for Counting<F>
where
    F: Future<Output = Result<Response<Body>, Status>>,
{
    type Output = Result<Response<Body>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answered = poll_ready!(this.answered.poll(cx));
        Poll::Ready(match (answered, this.told.take()) {
            (Ok(mut response), Some(told)) => {
                told.on_answer(&mut response);
                Ok(response)
            }
            (Err(status), Some(told)) => Err(told.on_failure(status)),
            (answered, None) => answered,
        })
    }
}

#[cfg(test)]
mod tests;
