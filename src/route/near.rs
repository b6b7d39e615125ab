//! Which routes came close to a path, for the person who asks why none was found.
//!
//! Looks at every route, so it is not for the path of a request.

use std::cmp::Reverse;

use super::path::Path;
use super::router::Router;
use super::trie::{Edge, Node, Symbols};
use super::walk::{Ending, Walk};

/// Segments longer than this, in bytes, are not compared with literals.
const LONGEST_TYPO: usize = 64;

/// Why a route is not the one for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// Its template matches. Its method is another, or a more specific template is before it.
    Method,
    /// The segments match, the verb does not.
    Verb,
    /// Some segments differ.
    Segments {
        /// How many do, missing and surplus ones included.
        differing: usize,
        /// How many match before the first that does not.
        shared: usize,
    },
}

impl<T> Router<T> {
    /// At most `max` routes that came close to a path, the closest first.
    ///
    /// None for a path that is invalid: [`Router::find`] tells why it is.
    #[must_use]
    pub fn near(&self, path: &str, max: usize) -> Vec<(&T, Near)> {
        let Ok(path) = Path::parse(path) else { return Vec::new() };
        let walk = Walk::new(&self.symbols, &path);
        let mut search = Search { walk, path: &path, symbols: &self.symbols, found: Vec::new() };
        search
            .below(&self.root, Place { at: 0, shared: 0, likeness: 0, differing: 0, ending: Ending::Whole });
        search.found.sort_by_key(|candidate| candidate.rank);
        search.found.into_iter().take(max).map(|candidate| (candidate.value, candidate.near)).collect()
    }
}

/// All templates of a tree, laid beside one path.
struct Search<'r, 's, 'p, T> {
    walk: Walk<'s, 'p>,
    path: &'s Path<'p>,
    symbols: &'s Symbols,
    found: Vec<Candidate<'r, T>>,
}

struct Candidate<'r, T> {
    value: &'r T,
    near: Near,
    /// What differs, the verb included; then the likeness.
    rank: (usize, Reverse<usize>, bool),
}

/// How far a template has been laid beside the path.
#[derive(Clone, Copy)]
struct Place {
    /// The segment that is next; beyond the path's end where the template is longer.
    at: usize,
    shared: usize,
    /// How many characters of its literals agree: a wildcard agrees with anything, so it does not count.
    likeness: usize,
    differing: usize,
    ending: Ending,
}

impl<'r, T> Search<'r, '_, '_, T> {
    fn below(&mut self, node: &'r Node<T>, place: Place) {
        self.judge(node, place);
        for (edge, next) in &node.edges {
            let place = match edge {
                Edge::Rest(tail) => self.leap(place, *tail),
                Edge::Literal(_) | Edge::Any => self.step(place, *edge),
            };
            self.below(next, place);
        }
    }

    /// The place behind one segment.
    fn step(&self, mut place: Place, edge: Edge) -> Place {
        match self.walk.steps(place.at).into_iter().flatten().find(|(taken, _)| *taken == edge) {
            Some((_, ending)) => {
                place.ending = ending;
                place.shared += usize::from(place.differing == 0);
            }
            None => place.differing += 1,
        }
        place.likeness += self.likeness(place.at, edge);
        place.at += 1;
        place
    }

    /// How many characters of a segment and a literal agree.
    fn likeness(&self, at: usize, edge: Edge) -> usize {
        let Edge::Literal(symbol) = edge else { return 0 };
        let (Some(segment), Some(literal)) = (self.path.segments().get(at), self.symbols.text(symbol)) else {
            return 0;
        };
        let longer = segment.text.len().max(literal.len());
        // Comparing costs the product of both lengths.
        if longer > LONGEST_TYPO {
            0
        } else {
            longer.saturating_sub(strsim::levenshtein(&segment.text, literal))
        }
    }

    /// The place behind `**`.
    fn leap(&self, mut place: Place, tail: usize) -> Place {
        let taken = self.path.len().saturating_sub(place.at + tail);
        if taken > 0 {
            place.at += taken;
            place.ending = Ending::Either;
            place.shared += if place.differing == 0 { taken } else { 0 };
        }
        place
    }

    fn judge(&mut self, node: &'r Node<T>, place: Place) {
        let Place { at, shared, likeness, ending, .. } = place;
        let differing = place.differing + self.path.len().saturating_sub(at);
        if shared == 0 && differing > 1 {
            return;
        }
        for (key, route) in &node.routes {
            let verb = self.walk.verbs(ending).any(|verb| verb == key.verb);
            let near = match differing {
                0 if verb => Near::Method,
                0 => Near::Verb,
                _ => Near::Segments { differing, shared },
            };
            let rank = (differing + usize::from(!verb), Reverse(likeness), near != Near::Verb);
            self.found.push(Candidate { value: &route.value, near, rank });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{RouterBuilder, Template};

    fn near(routes: &[&'static str], path: &str) -> Vec<(&'static str, Near)> {
        let mut builder = RouterBuilder::new();
        for route in routes {
            let (method, template) = route.split_once(' ').unwrap();
            builder.insert(method, &Template::parse(template).unwrap(), *route).unwrap();
        }
        builder.build().near(path, 9).into_iter().map(|(route, near)| (*route, near)).collect()
    }

    fn segments(differing: usize, shared: usize) -> Near {
        Near::Segments { differing, shared }
    }

    #[test]
    fn the_closest_come_first() {
        let routes = [
            "GET /v1/shelves",
            "GET /v1/shelves/{shelf}",
            "POST /v1/shelves/{shelf}:lend",
            "GET /v1/shelves/{shelf}/books/{book}",
            "GET /v2/{name=files/**}",
            "GET /other",
        ];
        assert_eq!(
            near(&routes, "/v1/shelves/7"),
            [
                (routes[1], Near::Method),
                (routes[2], Near::Verb),
                (routes[0], segments(1, 2)),
                (routes[3], segments(2, 3)),
            ]
        );
        assert_eq!(near(&routes, "/v1/shelvs/7")[..1], [(routes[1], segments(1, 1))]);
        assert_eq!(near(&routes, "/v2/file/a/b")[..1], [(routes[4], segments(1, 1))]);
    }

    #[test]
    fn likely_typos_come_first() {
        let routes = ["GET /v1/{a=**}:tree", "GET /v1/{b}/{c}", "GET /v1/authors/{d}", "GET /v1/shelves/{e}"];
        assert_eq!(
            near(&routes[2..], "/v1/shelvs/7"),
            [(routes[3], segments(1, 1)), (routes[2], segments(1, 1))]
        );
        assert_eq!(near(&routes, "/v1/authrs/7/books")[0], (routes[0], Near::Verb));
    }

    #[test]
    fn a_wrong_verb_is_told_from_wrong_segments() {
        let routes = ["POST /v1/shelves:sort", "POST /v1/shelves/{shelf}:lend", "GET /v1/{path=**}:tree"];
        assert_eq!(near(&routes, "/v1/shelves:srt")[0], (routes[0], Near::Verb));
        assert_eq!(near(&routes, "/v1/shelves/7:lnd")[0], (routes[1], Near::Verb));
        assert_eq!(near(&routes, "/v1/a/b/c")[0], (routes[2], Near::Verb));
        assert_eq!(near(&routes, "/v1/a/b/c:tree")[0], (routes[2], Near::Method));
    }

    #[test]
    fn a_slash_at_the_end_differs() {
        assert_eq!(near(&["GET /v1/shelves"], "/v1/shelves/"), [("GET /v1/shelves", segments(1, 2))]);
        assert_eq!(near(&["GET /v1/{id}"], "/v1/"), [("GET /v1/{id}", segments(1, 1))]);
    }

    #[test]
    fn what_shares_nothing_is_not_near() {
        assert_eq!(near(&["GET /v1/shelves/{shelf}", "GET /x"], "/y/z"), []);
        assert_eq!(near(&["GET /x"], "/y"), [("GET /x", segments(1, 0))]);
        assert_eq!(near(&["GET /x"], "/.."), []);
    }
}
