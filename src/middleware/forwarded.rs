//! Whom a request comes from, where trusted proxies stand before the gateway: the layer that notes the address
//! of the client in the request's [`ClientInfo`], for whoever counts, logs or tells addresses.
//!
//! The list of hops is read from its end, for each proxy adds the address that it was called from: what stands
//! before the first that is no trusted proxy may be made up. How hops are written is [`hops`]'s; where nobody is
//! trusted, no header is looked at.

mod hops;

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use http::{HeaderMap, Request};
use tower::{Layer, Service};

use crate::config::proxies::{Proxies, ProxyHeader};
use crate::telemetry::ClientInfo;
use hops::Hop;

/// Who is trusted now: a reload changes it.
pub type Trusted = Arc<ArcSwap<Proxies>>;

/// Adds [`Believe`].
#[derive(Clone, Debug)]
pub struct ForwardedLayer {
    trusted: Trusted,
}

impl ForwardedLayer {
    /// Believes whoever is trusted when a request comes.
    #[must_use]
    pub const fn new(trusted: Trusted) -> Self {
        Self { trusted }
    }
}

impl<S> Layer<S> for ForwardedLayer {
    type Service = Believe<S>;

    fn layer(&self, inner: S) -> Believe<S> {
        Believe { inner, trusted: Arc::clone(&self.trusted) }
    }
}

/// Notes who is behind trusted proxies.
#[derive(Clone, Debug)]
pub struct Believe<S> {
    inner: S,
    trusted: Trusted,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Believe<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let trusted = self.trusted.load();
        if !trusted.is_empty() {
            note(&trusted, &mut request);
        }
        self.inner.call(request)
    }
}

fn note<B>(trusted: &Proxies, request: &mut Request<B>) {
    let Some(client) = request.extensions().get::<ClientInfo>() else { return };
    let is_trusted = client.peer.map_or(trusted.local, |peer| trusted.trusts(peer.ip()));
    let told = is_trusted.then(|| told(trusted, request.headers())).flatten();
    if let Some(client) = request.extensions_mut().get_mut::<ClientInfo>() {
        (client.is_proxy, client.told) = (is_trusted, told);
    }
}

/// The last hop that is no trusted proxy, or the first of all where each is one. A hop that hides ends what is
/// known: the proxy behind it then stands for its clients.
fn told(trusted: &Proxies, headers: &HeaderMap) -> Option<IpAddr> {
    let mut client = None;
    let mut take = |hop: Hop| match hop {
        Hop::Known(address) => {
            client = Some(address);
            trusted.trusts(address)
        }
        Hop::Hidden => false,
    };
    match trusted.header {
        ProxyHeader::XForwardedFor => hops::list(headers).all(&mut take),
        ProxyHeader::Forwarded => hops::elements(headers).all(&mut take),
    };
    client
}

#[cfg(test)]
mod tests;
