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

#[test]
fn lists_below_a_member_of_a_oneof_may_grow() {
    let expected = r#"{"other":{"ints":[1,2],"counts":{"a":1}}}"#;
    assert_eq!(bound("other.ints=1&other.ints=2&other.counts[a]=1").as_deref(), Ok(expected));
    assert!(bound("other.ints=1&name=a&other.ints=2").is_err());
    assert!(bound("name=a&other.ints=2").is_err());
    assert!(bound("other.child.ints=1&other.ints=2&other.child.name=x&other.child.number=1").is_err());
}

#[test]
fn keys_of_every_type_make_entries() {
    for (query, expected) in [
        ("counts[]=1", r#"{"counts":{"":1}}"#),
        ("counts[a.b]=1&counts[c]d]=2&counts[ä]=3", r#"{"counts":{"a.b":1,"c]d":2,"ä":3}}"#),
        ("labels[-1]=x&labels[7]=y", r#"{"labels":{"-1":"x","7":"y"}}"#),
        ("palette[18446744073709551615]=COLOR_RED", r#"{"palette":{"18446744073709551615":"COLOR_RED"}}"#),
        ("files[-2147483648]=AQ", r#"{"files":{"-2147483648":"AQ=="}}"#),
        ("values[a]={\"b\":[1]}&values[n]=null", r#"{"values":{"a":{"b":[1]},"n":null}}"#),
        ("child.counts[x]=1", r#"{"child":{"counts":{"x":1}}}"#),
    ] {
        assert_eq!(bound(query).as_deref(), Ok(expected), "{query}");
    }
    for query in [
        "labels[x]=a",
        "counts[a]=1&counts[a]=2",
        "labels[2147483648]=a",
        "labels[]=a",
        "byFlag[yes]=x",
        "byFlag[true]=x",
        "counts=1",
        "counts[a=1",
        "ints[0]=1",
        "counts[a].b=1",
    ] {
        assert!(bound(query).is_err(), "{query}: {:?}", bound(query));
    }
}

#[test]
fn well_known_types_have_their_text_forms() {
    for (query, expected) in [
        ("time=1970-01-01T00:00:00.5%2B01:00", r#"{"time":"1969-12-31T23:00:00.500Z"}"#),
        ("duration=-1.5s", r#"{"duration":"-1.500s"}"#),
        ("mask=a,bC.d", r#"{"mask":"a,bC.d"}"#),
        ("mask=", r#"{"mask":""}"#),
        ("structure={\"a\":{\"b\":null}}", r#"{"structure":{"a":{"b":null}}}"#),
        ("structure={}", r#"{"structure":{}}"#),
        ("value=null", r#"{"value":null}"#),
        ("value=\"x\"", r#"{"value":"x"}"#),
        ("list=[1,[2]]", r#"{"list":[1,[2]]}"#),
        ("manyValues=1&manyValues=null", r#"{"manyValues":[1,null]}"#),
        (
            "times=1970-01-01T00:00:00Z&times=1970-01-01T00:00:01Z",
            r#"{"times":["1970-01-01T00:00:00Z","1970-01-01T00:00:01Z"]}"#,
        ),
        ("doubleWrapper=NaN&floatWrapper=1.5", r#"{"doubleWrapper":"NaN","floatWrapper":1.5}"#),
        ("int64Wrapper=-5&uint64Wrapper=5", r#"{"int64Wrapper":"-5","uint64Wrapper":"5"}"#),
        ("int32Wrapper=0&uint32Wrapper=7", r#"{"int32Wrapper":0,"uint32Wrapper":7}"#),
        (
            "boolWrapper=false&stringWrapper=&bytesWrapper=_-8",
            r#"{"boolWrapper":false,"stringWrapper":"","bytesWrapper":"/+8="}"#,
        ),
        ("wrappers=1&wrappers=0", r#"{"wrappers":[1,0]}"#),
        ("nullValue=null", "{}"),
        ("nothing=NULL_VALUE", r#"{"nothing":null}"#),
        ("anything=[1]", r#"{"anything":[1]}"#),
        ("empty={}", r#"{"empty":{}}"#),
        ("any={}", r#"{"any":{}}"#),
        (
            r#"anys={"@type":"x/test.All","maybe":1}&anys={}"#,
            r#"{"anys":[{"@type":"x/test.All","maybe":1},{}]}"#,
        ),
    ] {
        assert_eq!(bound(query).as_deref(), Ok(expected), "{query}");
    }
    for query in [
        "time=now",
        "time=1970-01-01",
        "duration=1",
        "duration=1h",
        "mask=a_b",
        "structure=[]",
        "structure=a",
        "value=",
        "value=x",
        "list={}",
        "any={\"a\":1}",
        "any={} {}",
        "empty=",
        "empty={\"a\":1}",
        "child=",
        "child={}",
        "children={}",
    ] {
        assert!(bound(query).is_err(), "{query}: {:?}", bound(query));
    }
}
