//! Whether the keys of a map are distinct, for few keys and for a flood of them.

use std::collections::HashSet;

/// A place in a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// A span of a buffer of less than 4 GiB; beyond, keys would be taken for equal and refused.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let narrow = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    pub(super) fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// So many keys are compared pair by pair.
const FEW: usize = 8;

/// Whether no two spans hold the same bytes.
pub(super) fn are_distinct(buffer: &[u8], spans: &[Span]) -> bool {
    if spans.len() <= FEW {
        return pairs_differ(buffer, spans);
    }
    if spans.is_sorted_by(|a, b| a.of(buffer) < b.of(buffer)) {
        return true;
    }
    // The standard hasher is keyed: nobody outside can make keys collide.
    let mut seen = HashSet::with_capacity(spans.len());
    spans.iter().all(|span| seen.insert(span.of(buffer)))
}

fn pairs_differ(buffer: &[u8], mut spans: &[Span]) -> bool {
    while let Some((first, rest)) = spans.split_first() {
        if rest.iter().any(|other| other.of(buffer) == first.of(buffer)) {
            return false;
        }
        spans = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distinct(keys: &[&str]) -> bool {
        let buffer = keys.concat().into_bytes();
        let mut at = 0;
        let spans: Vec<Span> = keys
            .iter()
            .map(|key| {
                at += key.len();
                Span::new(at - key.len(), at)
            })
            .collect();
        are_distinct(&buffer, &spans)
    }

    #[test]
    fn equal_keys_are_found_whatever_their_number_and_order() {
        assert!(distinct(&[]));
        assert!(distinct(&["", "a"]));
        assert!(!distinct(&["", "a", ""]));
        let many: Vec<String> = (0..1000).map(|n| format!("{:04}", (n * 7) % 1000)).collect();
        let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(distinct(&many));
        many.push("0007");
        assert!(!distinct(&many));
        many.sort_unstable();
        assert!(!distinct(&many));
        many.dedup();
        assert!(distinct(&many));
    }
}
