//! The path of a request, checked and cut into segments: one parse, one value.
//!
//! Everything that matches or captures works on this. It knows no templates.

use std::borrow::Cow;
use std::fmt;

use super::segment::{Flaw, decode};

/// A path without flaws. `/` has no segments; a slash at the end is an empty last segment.
pub(super) struct Path<'p> {
    segments: Vec<PathSegment<'p>>,
    ending: Option<Ending<'p>>,
}

/// A segment as it was sent, and with its escapes decoded.
pub(super) struct PathSegment<'p> {
    pub(super) raw: &'p str,
    pub(super) text: Cow<'p, str>,
}

/// The last segment `bare:verb`, taken apart at its last colon.
///
/// A colon in escaped form is data (RFC 3986 §2.2), and so is one without anything before it.
struct Ending<'p> {
    bare: PathSegment<'p>,
    verb: Cow<'p, str>,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError {
    /// Where, in bytes from 1.
    pub position: usize,
    /// What is wrong there.
    pub flaw: Flaw,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid path: {} (at position {})", self.flaw, self.position)
    }
}

impl std::error::Error for PathError {}

impl<'p> Path<'p> {
    /// Checks and cuts a path, which starts with a slash and ends before any query.
    pub(super) fn parse(text: &'p str) -> Result<Self, PathError> {
        let refuse = |at, flaw| PathError { position: at + 1, flaw };
        let inner = text.strip_prefix('/').ok_or(refuse(0, Flaw::NoSlash))?;
        if inner.is_empty() {
            return Ok(Self { segments: Vec::new(), ending: None });
        }
        let slashes = memchr::memchr_iter(b'/', text.as_bytes());
        let mut segments = Vec::with_capacity(slashes.count());
        let mut start = 1;
        for raw in inner.split('/') {
            let end = start + raw.len();
            if raw.is_empty() && end < text.len() {
                return Err(refuse(start, Flaw::Empty));
            }
            segments.push(PathSegment::parse(raw).map_err(|(at, flaw)| refuse(start + at, flaw))?);
            start = end + 1;
        }
        let last = inner.rsplit('/').next().unwrap_or(inner);
        let ending = Ending::parse(last).map_err(|(at, flaw)| refuse(text.len() - last.len() + at, flaw))?;
        Ok(Self { segments, ending })
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// How long the segments are as they were sent, slashes between them included: no value is longer.
    pub(super) fn raw_len(&self) -> usize {
        self.segments.iter().map(|segment| segment.raw.len() + 1).sum()
    }

    /// The segments, with the verb as a part of the last.
    pub(super) fn segments(&self) -> &[PathSegment<'p>] {
        &self.segments
    }

    /// The last segment without its verb, if it could have one.
    pub(super) fn bare(&self) -> Option<&PathSegment<'p>> {
        self.ending.as_ref().map(|it| &it.bare)
    }

    /// What could be the verb.
    pub(super) fn verb(&self) -> Option<&str> {
        self.ending.as_ref().map(|it| &*it.verb)
    }
}

impl<'p> PathSegment<'p> {
    fn parse(raw: &'p str) -> Result<Self, (usize, Flaw)> {
        Ok(Self { raw, text: decode(raw)? })
    }
}

impl<'p> Ending<'p> {
    fn parse(last: &'p str) -> Result<Option<Self>, (usize, Flaw)> {
        match last.rsplit_once(':') {
            None | Some(("", _)) => Ok(None),
            // `..:verb` is refused here, so that no value can be a dot segment.
            Some((bare, verb)) => {
                let bare = PathSegment::parse(bare)?;
                let verb = decode(verb).map_err(|(at, flaw)| (bare.raw.len() + 1 + at, flaw))?;
                Ok(Some(Self { bare, verb }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(path: &str) -> Vec<String> {
        Path::parse(path).unwrap().segments().iter().map(|it| it.text.to_string()).collect()
    }

    fn ending(path: &str) -> Option<(String, String)> {
        let path = Path::parse(path).unwrap();
        Some((path.bare()?.text.to_string(), path.verb()?.to_owned()))
    }

    fn refused(path: &str) -> (usize, Flaw) {
        let error = Path::parse(path).err().unwrap();
        (error.position, error.flaw)
    }

    #[test]
    fn paths_are_cut_at_plain_slashes() {
        assert_eq!(texts("/"), [""; 0]);
        assert_eq!(texts("/a"), ["a"]);
        assert_eq!(texts("/a/"), ["a", ""]);
        assert_eq!(texts("/a%2Fb/c%20d"), ["a/b", "c d"]);
    }

    #[test]
    fn a_verb_is_behind_the_last_plain_colon_of_the_last_segment() {
        let split = |bare: &str, verb: &str| Some((bare.to_owned(), verb.to_owned()));
        assert_eq!(ending("/x/7:cancel"), split("7", "cancel"));
        assert_eq!(ending("/x/a:b:c"), split("a:b", "c"));
        assert_eq!(ending("/x/7:%63ancel"), split("7", "cancel"));
        assert_eq!(ending("/x/7:"), split("7", ""));
        for path in ["/x/7", "/x/:cancel", "/x/7%3Acancel", "/a:b/7", "/x:y/", "/"] {
            assert_eq!(ending(path), None, "{path}");
        }
    }

    #[test]
    fn flaws_have_their_position() {
        assert_eq!(refused(""), (1, Flaw::NoSlash));
        assert_eq!(refused("*"), (1, Flaw::NoSlash));
        assert_eq!(refused("v1/a"), (1, Flaw::NoSlash));
        assert_eq!(refused("//"), (2, Flaw::Empty));
        assert_eq!(refused("/a//b"), (4, Flaw::Empty));
        assert_eq!(refused("/a//"), (4, Flaw::Empty));
        assert_eq!(refused("/a/../b"), (4, Flaw::Dots));
        assert_eq!(refused("/a/%2e%2E"), (4, Flaw::Dots));
        assert_eq!(refused("/a/.:verb"), (4, Flaw::Dots));
        assert_eq!(refused("/a/b:.."), (6, Flaw::Dots));
        assert_eq!(refused("/a/b%0"), (5, Flaw::Escape));
        assert_eq!(refused("/ab/c%00"), (6, Flaw::Nul));
        assert_eq!(
            Path::parse("/a/b%0").err().unwrap().to_string(),
            "invalid path: `%` must be followed by two hexadecimal digits (at position 5)"
        );
    }

    proptest! {
        #[test]
        fn no_path_panics_and_flaws_lie_inside(text in "[/:.%2eEfF0\\\\a\u{e9}]{0,20}") {
            match Path::parse(&text) {
                Ok(path) => prop_assert!(path.len() <= text.len()),
                Err(error) => prop_assert!((1..=text.len().max(1)).contains(&error.position)),
            }
        }
    }
}
