//! The tree of templates: one level a segment, one node a shape.
//!
//! Look here for how templates are kept. [`super::walk`] reads the tree, [`super::builder`] fills it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::captures::Span;
use super::template::Segment;

/// Number of a text that occurs in templates, so that nodes compare numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol(usize);

/// The texts of literals, verbs and methods.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    numbers: HashMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
    /// The length of the longest text, in bytes.
    longest: usize,
}

impl Symbols {
    /// The number of a text, a new one if it has none.
    pub(super) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.get(text) {
            return symbol;
        }
        let (symbol, text) = (Symbol(self.texts.len()), Arc::<str>::from(text));
        self.longest = self.longest.max(text.len());
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, symbol);
        symbol
    }

    /// The number of a text, if any template has it.
    pub(super) fn get(&self, text: &str) -> Option<Symbol> {
        // A longer segment is not worth hashing, be it asked for at many nodes.
        if text.len() > self.longest { None } else { self.numbers.get(text).copied() }
    }

    /// The text that has this number.
    pub(super) fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get(symbol.0).map(|text| &**text)
    }
}

/// The way from a node to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    Literal(Symbol),
    Any,
    /// `**` with this many segments behind it.
    Rest(usize),
}

/// What tells routes of one shape apart. `None` is no verb, and any method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) verb: Option<Symbol>,
    pub(super) method: Option<Symbol>,
}

/// A value and where its variables stand in a path.
#[derive(Debug)]
pub(super) struct Route<T> {
    pub(super) value: T,
    pub(super) spans: Box<[Span]>,
}

/// What the templates that begin with the same segments share.
#[derive(Debug)]
pub(super) struct Node<T> {
    // Boxed, for the leaves of a B-tree have room for eleven.
    pub(super) edges: BTreeMap<Edge, Box<Node<T>>>,
    pub(super) routes: BTreeMap<Key, Box<Route<T>>>,
}

impl<T> Node<T> {
    pub(super) fn new() -> Self {
        Self { edges: BTreeMap::new(), routes: BTreeMap::new() }
    }

    /// The node where a template of these segments ends; the way to it is made.
    pub(super) fn reach(&mut self, segments: &[Segment], symbols: &mut Symbols) -> &mut Self {
        let mut node = self;
        for (at, segment) in segments.iter().enumerate() {
            let edge = match segment {
                Segment::Literal(text) => Edge::Literal(symbols.intern(text)),
                Segment::Any => Edge::Any,
                Segment::Rest => Edge::Rest(segments.len() - at - 1),
            };
            node = node.edges.entry(edge).or_insert_with(|| Box::new(Self::new()));
        }
        node
    }

    /// The node behind an edge.
    pub(super) fn next(&self, edge: Edge) -> Option<&Self> {
        self.edges.get(&edge).map(|node| &**node)
    }

    /// The nodes behind `**`, each with the length of its tail, the longest first.
    pub(super) fn rests(&self) -> impl Iterator<Item = (usize, &Self)> {
        self.edges.iter().rev().map_while(|(edge, node)| match edge {
            Edge::Rest(tail) => Some((*tail, &**node)),
            Edge::Literal(_) | Edge::Any => None,
        })
    }

    /// The route with this verb for a method: its own before the one for any.
    pub(super) fn route(&self, verb: Option<Symbol>, method: Option<Symbol>) -> Option<&Route<T>> {
        let own = self.routes.get(&Key { verb, method });
        own.or_else(|| self.routes.get(&Key { verb, method: None })).map(|route| &**route)
    }
    /// The methods of the routes with this verb, but for any.
    pub(super) fn methods(&self, verb: Option<Symbol>) -> impl Iterator<Item = Symbol> {
        let from = self.routes.range(Key { verb, method: None }..);
        from.map_while(move |(key, _)| (key.verb == verb).then_some(key.method)).flatten()
    }
}
