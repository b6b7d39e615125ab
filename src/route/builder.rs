//! Filling a router.
//!
//! The order in which routes are inserted has no influence on what a path finds.

use std::collections::btree_map::Entry;

use super::router::Router;
use super::template::Template;
use super::trie::{Key, Node, Route, Symbols};

/// Collects routes for a [`Router`].
#[derive(Debug)]
pub struct RouterBuilder<T> {
    root: Node<T>,
    symbols: Symbols,
}

/// A route with the same method and shape is there already; it stays.
#[derive(Debug, PartialEq, Eq)]
pub struct Collision<'b, T> {
    /// The value that was not inserted.
    pub value: T,
    /// The value that was there first.
    pub first: &'b T,
}

impl<T> RouterBuilder<T> {
    /// A builder without routes.
    #[must_use]
    pub fn new() -> Self {
        Self { root: Node::new(), symbols: Symbols::default() }
    }

    /// Adds a route. `*` is any method: it stands behind a route of the same shape with the request's own
    /// method, and does not collide with it. Methods are case-sensitive (RFC 9110 §9.1).
    ///
    /// # Errors
    /// When a route with this method and a template of the same shape was inserted before.
    pub fn insert(&mut self, method: &str, template: &Template, value: T) -> Result<(), Collision<'_, T>> {
        let key = Key {
            verb: template.verb().map(|verb| self.symbols.intern(verb)),
            method: (method != "*").then(|| self.symbols.intern(method)),
        };
        let node = self.root.reach(&template.segments, &mut self.symbols);
        match node.routes.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Box::new(Route { value, spans: template.spans() }));
                Ok(())
            }
            Entry::Occupied(entry) => Err(Collision { value, first: &entry.into_mut().value }),
        }
    }

    /// The router of all these routes.
    #[must_use]
    pub fn build(self) -> Router<T> {
        Router { root: self.root, symbols: self.symbols }
    }
}

impl<T> Default for RouterBuilder<T> {
    fn default() -> Self {
        Self::new()
    }
}
