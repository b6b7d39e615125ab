//! Credentials that stand in the query of a request's target: they are taken out of it as soon as the route is
//! known that expects them there, so that nobody binds, logs or tells them.

use http::Uri;
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::middleware::access::Access;
use crate::middleware::credential::{FromQuery, Secret};
use crate::transcode::query;

/// Takes them out of the target, for whoever verifies them.
pub(super) fn take(access: &Access, head: &mut Parts) {
    if let Some((uri, taken)) = without(access, &head.uri) {
        head.uri = uri;
        head.extensions.insert(taken);
    }
}

/// The target without them, and what they are; `None` when there are none.
pub(super) fn without(access: &Access, uri: &Uri) -> Option<(Uri, FromQuery)> {
    let query = uri.query()?;
    let names: Vec<&str> = access.secret_parameters().collect();
    if names.is_empty() {
        return None;
    }
    let (left, taken) = query::take(query, &names);
    if taken.is_empty() {
        return None;
    }
    let separator = if left.is_empty() { "" } else { "?" };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{}{separator}{left}", uri.path())).ok();
    let taken = taken.into_iter().map(|(name, value)| (Box::from(name), Secret(value)));
    // Parts of a target make a target; should they not, then rather none than one with a secret in it.
    Some((Uri::from_parts(parts).unwrap_or_default(), FromQuery(taken.collect())))
}
