//! Names and values of parameters at their limits.

use super::*;
use crate::transcode::WriteOptions;
use crate::transcode::fixture::{CODEC, all};

/// The message of a query, as JSON; or the descriptions of what is wrong.
fn bound(query: &str) -> Result<String, Vec<String>> {
    let (options, read) = (QueryOptions::default(), ReadOptions::default());
    let mut binder = Binder::new(&CODEC, all(), &options, &read, Bound { path: &[], body: None });
    let (mut wire, mut wrong) = (Vec::new(), Vec::new());
    for pair in pairs(query) {
        let bound = pair.and_then(|(name, value)| binder.bind(&name, Value::Text(&value), &mut wire));
        wrong.extend(bound.err().map(|violation| violation.description));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut json = Vec::new();
    CODEC
        .write(all(), &wire, &WriteOptions::default(), &mut json)
        .map_err(|error| vec![error.to_string()])?;
    Ok(String::from_utf8(json).unwrap())
}

#[test]
fn names_nest_no_deeper_than_json() {
    let limit = crate::transcode::DEFAULT_MAX_DEPTH;
    let deep = |levels: usize, rest: &str| format!("{}{rest}", "child.".repeat(levels - 1));
    for (name, own) in [("maybe=1", 0), ("ints=1", 1), ("counts[a]=1", 1), ("value=1", 0), ("value=[1]", 1)] {
        assert!(bound(&deep(limit - own, name)).is_ok(), "{name}");
        assert!(bound(&deep(limit - own + 1, name)).is_err(), "{name}");
    }
}
