//! The order in which templates that match a path are found: the most specific first.
//!
//! Segment by segment from the left, literal before `*` before `**`, with full backtracking; a
//! template that ends before one whose `**` takes nothing; of several tails behind `**` the longest.
//! Only between templates of one shape a verb decides: with it before without it.
//!
//! The cost has a bound: a node has one parent, and it is entered at one position in the path only
//! (its depth, or counted from the end behind `**`). So no walk enters a node twice, however hostile the
//! path; and it recurses no deeper than the longest template.

use std::ops::ControlFlow;

use super::path::Path;
use super::trie::{Edge, Node, Symbol, Symbols};

/// One path on its way through a tree.
pub(super) struct Walk<'w, 'p> {
    symbols: &'w Symbols,
    path: &'w Path<'p>,
    /// The path's verb, if any template has such a verb.
    verb: Option<Symbol>,
}

/// How the last segment was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As a whole: no verb.
    Whole,
    /// Without what follows its last colon, which has to be the verb.
    Verb,
    /// By a wildcard, which takes either.
    Either,
}

impl<'w, 'p> Walk<'w, 'p> {
    pub(super) fn new(symbols: &'w Symbols, path: &'w Path<'p>) -> Self {
        Self { symbols, path, verb: path.verb().and_then(|verb| symbols.get(verb)) }
    }

    /// Shows each node that the whole path leads to, with the verb that its routes must have, in order
    /// of precedence, until `visit` breaks off.
    pub(super) fn each<'r, T, B>(
        &self,
        root: &'r Node<T>,
        mut visit: impl FnMut(&'r Node<T>, Option<Symbol>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.from(root, 0, Ending::Whole, &mut visit)
    }

    fn from<'r, T, B>(
        &self,
        node: &'r Node<T>,
        at: usize,
        ending: Ending,
        visit: &mut impl FnMut(&'r Node<T>, Option<Symbol>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.end(node, at, ending, visit)?;
        self.beyond(node, at, ending, visit)
    }

    /// Shows a node that the whole path has led to.
    fn end<'r, T, B>(
        &self,
        node: &'r Node<T>,
        at: usize,
        ending: Ending,
        visit: &mut impl FnMut(&'r Node<T>, Option<Symbol>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if at == self.path.len() {
            self.verbs(ending).try_for_each(|verb| visit(node, verb))?;
        }
        ControlFlow::Continue(())
    }

    fn beyond<'r, T, B>(
        &self,
        node: &'r Node<T>,
        at: usize,
        ending: Ending,
        visit: &mut impl FnMut(&'r Node<T>, Option<Symbol>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let [bare, whole, any] = self.steps(at);
        // `/a:v` as a verb and as a literal (`/a%3Av`) are of one shape: the templates that end with either
        // come before those that go on.
        let literals =
            [bare, whole].map(|step| step.and_then(|(edge, ending)| Some((node.next(edge)?, ending))));
        for (next, ending) in literals.into_iter().flatten() {
            self.end(next, at + 1, ending, visit)?;
        }
        for (next, ending) in literals.into_iter().flatten() {
            self.beyond(next, at + 1, ending, visit)?;
        }
        if let Some((edge, ending)) = any
            && let Some(next) = node.next(edge)
        {
            self.from(next, at + 1, ending, visit)?;
        }
        for (tail, next) in node.rests() {
            if let Some(start) = self.path.len().checked_sub(tail).filter(|start| *start >= at) {
                // With nothing behind it, `**` has read the last segment, unless it took none.
                let ending = if tail == 0 && start > at { Ending::Either } else { ending };
                self.from(next, start, ending, visit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The edges that the segment here may take, and how it ends the path if it is the last.
    pub(super) fn steps(&self, at: usize) -> [Option<(Edge, Ending)>; 3] {
        let Some(segment) = self.path.segments().get(at) else { return [None; 3] };
        let literal = |text: &str| self.symbols.get(text).map(Edge::Literal);
        let bare = self.path.bare().filter(|_| at + 1 == self.path.len());
        [
            bare.and_then(|it| literal(&it.text)).map(|edge| (edge, Ending::Verb)),
            literal(&segment.text).map(|edge| (edge, Ending::Whole)),
            // `*` is a segment, and what a slash at the end leaves is none.
            (!segment.text.is_empty()).then_some((Edge::Any, Ending::Either)),
        ]
    }

    /// The verbs that a route may have where the path ends, in order of precedence.
    pub(super) fn verbs(&self, ending: Ending) -> impl Iterator<Item = Option<Symbol>> {
        let with = (ending != Ending::Whole && self.verb.is_some()).then_some(self.verb);
        let without = (ending != Ending::Verb).then_some(None);
        with.into_iter().chain(without)
    }
}
