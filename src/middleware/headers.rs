//! What the configuration adds to and takes from the metadata of calls and the headers of answers: the
//! policy key `headers`.
//!
//! Metadata are edited when a call has been made of a request, last of all, so that nothing forged comes in
//! behind; headers of an answer by a layer around everything that answers, refusals too.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tower::{Layer, Service};

use super::identity::{Identity, claim_value};
use super::routed::{RoutePolicy, Routed};
use crate::protocol::Body;
use crate::rpc::Metadata;
use crate::rpc::metadata::is_spelling;

/// The edits of a route.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// Of metadata, in order.
    pub request: Vec<Edit>,
    /// Of headers, in order.
    pub response: Vec<Edit>,
}

/// One edit.
#[derive(Clone, Debug)]
pub enum Edit {
    Remove(HeaderName),
    /// In place of what is there; without a value, only that goes.
    Set(HeaderName, Value),
    /// Beside what is there.
    Add(HeaderName, Value),
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of the configuration; secrets are marked as sensitive.
    Fixed(HeaderValue),
    /// A claim of the caller, by its JSON pointer.
    Claim(Box<str>),
    /// The address of the client.
    Address,
}

/// What is known of whoever calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'k> {
    pub identity: Option<&'k Identity>,
    pub address: Option<IpAddr>,
}

impl Value {
    fn of(&self, known: Known<'_>) -> Option<HeaderValue> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Claim(pointer) => claim_value(&known.identity?.claims, pointer),
            Self::Address => HeaderValue::try_from(known.address?.to_string()).ok(),
        }
    }
}

impl Headers {
    /// Edits the metadata of a call. What goes, goes under every spelling that upstreams may take for it.
    pub fn edit_metadata(&self, known: Known<'_>, metadata: &mut Metadata) {
        for edit in &self.request {
            match edit {
                Edit::Remove(name) => remove(metadata, name),
                Edit::Set(name, value) => {
                    remove(metadata, name);
                    if let Some(value) = value.of(known) {
                        metadata.insert(name.clone(), value);
                    }
                }
                Edit::Add(name, value) => {
                    if let Some(value) = value.of(known) {
                        metadata.append(name.clone(), value);
                    }
                }
            }
        }
    }

    /// Edits the headers of an answer.
    fn edit_answer(&self, known: Known<'_>, headers: &mut HeaderMap) {
        for edit in &self.response {
            match edit {
                Edit::Remove(name) => drop(headers.remove(name)),
                Edit::Set(name, value) => match value.of(known) {
                    Some(value) => drop(headers.insert(name.clone(), value)),
                    None => drop(headers.remove(name)),
                },
                Edit::Add(name, value) => {
                    if let Some(value) = value.of(known) {
                        headers.append(name.clone(), value);
                    }
                }
            }
        }
    }

    /// Whether answers tell of who called.
    #[must_use]
    pub fn tells_claims(&self) -> bool {
        self.response
            .iter()
            .any(|edit| matches!(edit, Edit::Set(_, Value::Claim(_)) | Edit::Add(_, Value::Claim(_))))
    }
}

fn remove(metadata: &mut Metadata, name: &HeaderName) {
    metadata.retain(|other| !is_spelling(other.as_str(), name.as_str()));
}

/// Adds [`EditAnswer`].
#[derive(Clone, Copy, Debug)]
pub struct HeadersLayer;

impl<S> Layer<S> for HeadersLayer {
    type Service = EditAnswer<S>;

    fn layer(&self, inner: S) -> EditAnswer<S> {
        EditAnswer { inner }
    }
}

/// Edits the headers of answers.
#[derive(Clone, Debug)]
pub struct EditAnswer<S> {
    inner: S,
}

impl<S, T> Service<Routed<T>> for EditAnswer<S>
where
    S: Service<Routed<T>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Editing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Routed<T>) -> Self::Future {
        let policy = (!request.policy.headers.response.is_empty()).then(|| Arc::clone(&request.policy));
        Editing { answered: self.inner.call(request), policy }
    }
}

pin_project_lite::pin_project! {
    /// Waits for an answer, to edit it.
    #[derive(Debug)]
    pub struct Editing<F> {
        #[pin]
        answered: F,
        // Where there is anything to edit.
        policy: Option<Arc<RoutePolicy>>,
    }
}

impl<F, E> Future for Editing<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answered.poll(cx))?;
        if let Some(policy) = this.policy.take() {
            // Put there by the layer that has found out who calls.
            let identity = response.extensions().get::<Arc<Identity>>().cloned();
            let known = Known { identity: identity.as_deref(), address: None };
            policy.headers.edit_answer(known, response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests;
