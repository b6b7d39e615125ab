//! The router: from a method and a path to a value.
//!
//! Look here for what is asked of it; [`super::walk`] has the order of precedence. Immutable: it is
//! made by [`super::RouterBuilder`] and replaced as a whole.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::captures::Captures;
use super::path::{Path, PathError};
use super::trie::{Node, Symbols};
use super::walk::Walk;

/// Routes by method and path template.
#[derive(Debug)]
pub struct Router<T> {
    pub(super) root: Node<T>,
    pub(super) symbols: Symbols,
}

/// The route of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'r, T> {
    /// What was inserted with the template.
    pub value: &'r T,
    /// What the template's variables took from the path.
    pub captures: Captures,
}

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// No template matches the path.
    NotFound,
    /// Templates match the path, none of them with this method.
    MethodNotAllowed {
        /// The methods of all templates that match the path, sorted, each once.
        allow: Vec<String>,
    },
    /// The path is one that nobody should send.
    InvalidPath(PathError),
}

impl From<PathError> for Miss {
    fn from(error: PathError) -> Self {
        Self::InvalidPath(error)
    }
}

impl<T> Router<T> {
    /// Finds the route for a method and a path (still percent-encoded, without query).
    ///
    /// The method is a part of the match: a more specific template without it is passed over.
    ///
    /// # Errors
    /// [`Miss`] says why there is none.
    pub fn find<'r>(&'r self, method: &str, path: &str) -> Result<Found<'r, T>, Miss> {
        let path = Path::parse(path)?;
        let walk = Walk::new(&self.symbols, &path);
        let method = self.symbols.get(method);
        let found = walk.each(&self.root, |node, verb| match node.route(verb, method) {
            Some(route) => ControlFlow::Break((route, verb.is_some())),
            None => ControlFlow::Continue(()),
        });
        match found {
            ControlFlow::Break((route, verb)) => {
                Ok(Found { value: &route.value, captures: Captures::take(&path, verb, &route.spans)? })
            }
            ControlFlow::Continue(()) => Err(self.miss(&walk)),
        }
    }

    fn miss(&self, walk: &Walk<'_, '_>) -> Miss {
        let mut methods = BTreeSet::new();
        let end = walk.each(&self.root, |node, verb| {
            methods.extend(node.methods(verb));
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(end.is_continue());
        let names = methods.into_iter().filter_map(|method| self.symbols.text(method));
        let mut allow: Vec<String> = names.map(str::to_owned).collect();
        if allow.is_empty() {
            return Miss::NotFound;
        }
        allow.sort_unstable();
        Miss::MethodNotAllowed { allow }
    }
}

#[cfg(test)]
mod tests;
