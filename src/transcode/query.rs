//! Query parameters: names resolved through the request message, values into their fields.
//!
//! "Fields in the request message which are not bound by the path template automatically become HTTP
//! query parameters if there is no HTTP request body" (google/api/http.proto). Names are those of the
//! .proto file or of JSON, dotted; repeated fields by repeated names; map entries as `m[key]=value`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::rpc::FieldViolation;
use crate::schema::field_path;
use crate::schema::{Cardinality, Field, MessageId};

use super::binding::{FieldPlan, put_bytes};
use super::form::Value;
use super::{Codec, ReadOptions};

/// What happens to query parameters.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// Names that no field has are left out, instead of refused.
    pub ignore_unknown: bool,
    /// Names that are always left out, such as `utm_source`.
    pub ignore: Box<[Box<str>]>,
}

impl QueryOptions {
    /// Whether a parameter of this name is always left out.
    #[must_use]
    pub fn leaves_out(&self, name: &str) -> bool {
        self.ignore.iter().any(|ignored| &**ignored == name)
    }
}

/// The fields that other parts of the request bind, so that no parameter may.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// What path variables bind.
    pub path: &'a [FieldPlan],
    /// What `body` binds.
    pub body: Option<&'a FieldPlan>,
}

/// Decodes the pairs of a query in the form of URL-encoded forms: `+` is a space, a missing `=` is an
/// empty value (WHATWG URL, "application/x-www-form-urlencoded parsing").
pub fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), FieldViolation>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(value)) => Ok((name, value)),
            _ => Err(violation(pair, "the percent-encoding is invalid or does not give UTF-8".to_owned())),
        }
    })
}

/// Takes the parameters of some names out of a query, however their names are written. What is left is as it was;
/// a taken value that cannot be decoded is given as it is.
#[must_use]
pub fn take<'n>(query: &str, names: &[&'n str]) -> (String, Vec<(&'n str, String)>) {
    let mut taken = Vec::new();
    let is_left = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = decode(name).and_then(|name| names.iter().find(|own| name == ***own)) else {
            return true;
        };
        taken.push((*name, decode(value).map_or_else(|| value.to_owned(), Cow::into_owned)));
        false
    };
    let left: Vec<&str> = query.split('&').filter(is_left).collect();
    (left.join("&"), taken)
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                let ([high, low], after) = tail.split_first_chunk()?;
                decoded.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The most parameters that are told to be wrong; what is behind them is not looked at.
pub(super) const MAX_VIOLATIONS: usize = 100;

/// Binds query parameters to one request message.
pub(super) struct Binder<'a> {
    codec: &'a Codec,
    options: &'a QueryOptions,
    read: &'a ReadOptions,
    bound: Bound<'a>,
    root: MessageId,
    /// Singular fields that have their value, by numbers from the root.
    singular: HashSet<Vec<u32>>,
    /// The number of the member that a oneof has, by the numbers to its message and its index.
    oneofs: HashMap<(Vec<u32>, u16), u32>,
    /// Keys of maps that have their value, by numbers from the root.
    keys: HashSet<(Vec<u32>, String)>,
    /// The fields that were bound, each once.
    paths: Vec<Box<str>>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(
        codec: &'a Codec,
        root: MessageId,
        options: &'a QueryOptions,
        read: &'a ReadOptions,
        bound: Bound<'a>,
    ) -> Self {
        let mut binder = Self {
            codec,
            options,
            read,
            bound,
            root,
            singular: HashSet::new(),
            oneofs: HashMap::new(),
            keys: HashSet::new(),
            paths: Vec::new(),
        };
        for plan in bound.path {
            binder.take(plan);
        }
        binder
    }

    /// What the path binds has its value, and so have the oneofs that it is in.
    fn take(&mut self, plan: &FieldPlan) {
        let mut message = Some(self.codec.schema().message(self.root));
        let mut way = Vec::new();
        for number in plan.numbers() {
            let Some(field) = message.and_then(|message| message.field_by_number(number)) else { return };
            self.oneofs.extend(field.oneof().map(|oneof| ((way.clone(), oneof), number)));
            way.push(number);
            message = field.message();
        }
        self.singular.insert(way);
    }

    /// The paths of the fields that were bound, by names as in the .proto file.
    pub(super) fn into_paths(self) -> Vec<Box<str>> {
        self.paths
    }

    /// Writes one parameter.
    pub(super) fn bind(
        &mut self,
        name: &str,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldViolation> {
        if self.options.leaves_out(name) {
            return Ok(());
        }
        let (path, key) = split_key(name);
        let root = self.codec.schema().message(self.root);
        let fields = match field_path::resolve(root, path.split('.')) {
            Ok(fields) => fields,
            Err(_) if self.options.ignore_unknown => return Ok(()),
            Err(error) => return Err(violation(name, unknown(&error, path))),
        };
        let (Some(plan), Some(field)) = (FieldPlan::of(root, &fields), fields.last().copied()) else {
            return Err(violation(name, "the name is empty".to_owned()));
        };
        let read = &self.below(name, &fields, field)?;
        self.check(name, key, &plan, &fields)?;
        match (field.cardinality(), key) {
            (Cardinality::Map, Some(key)) => self.bind_entry(name, &plan, field, (key, value), read, out),
            (Cardinality::Map, None) => {
                Err(violation(name, format!("the field is a map: write {name}[KEY]=VALUE")))
            }
            (_, Some(_)) => Err(violation(name, "only maps have keys in brackets".to_owned())),
            (_, None) => plan
                .write(out, |out| value.write(self.codec, (plan.message, field), read, out))
                .map_err(|error| violation(&plan.path, error.description)),
        }?;
        if !self.paths.contains(&plan.path) {
            self.paths.push(plan.path);
        }
        Ok(())
    }

    /// How values are read so deep: a name nests as the JSON would that says the same.
    fn below(
        &self,
        name: &str,
        fields: &[Field<'_>],
        field: Field<'_>,
    ) -> Result<ReadOptions, FieldViolation> {
        let depth = fields.len() + usize::from(!super::binding::is_singular(field));
        let limit = self.read.max_depth;
        match limit.checked_sub(depth) {
            Some(max_depth) => Ok(ReadOptions { max_depth, ..*self.read }),
            None => Err(violation(name, format!("the name is nested deeper than {limit} levels"))),
        }
    }

    /// Refuses what the path or the body binds, and what has its value already.
    fn check(
        &mut self,
        name: &str,
        key: Option<&str>,
        plan: &FieldPlan,
        fields: &[Field<'_>],
    ) -> Result<(), FieldViolation> {
        let numbers: Vec<u32> = plan.numbers().collect();
        if self.bound.path.iter().any(|bound| overlaps(bound, &numbers)) {
            return Err(violation(name, "the field is bound by the path".to_owned()));
        }
        if self.bound.body.is_some_and(|bound| overlaps(bound, &numbers)) {
            return Err(violation(name, "the field is bound by the body".to_owned()));
        }
        for (depth, member) in fields.iter().enumerate() {
            let Some(oneof) = member.oneof() else { continue };
            let parent = numbers.get(..depth).unwrap_or_default().to_vec();
            let chosen = *self.oneofs.entry((parent, oneof)).or_insert(member.number());
            if chosen != member.number() {
                let message = "another field of the same oneof has its value already".to_owned();
                return Err(violation(name, message));
            }
        }
        if let Some(key) = key
            && !self.keys.insert((numbers.clone(), key.to_owned()))
        {
            return Err(violation(name, "the key is given twice".to_owned()));
        }
        let singular = fields.last().copied().is_some_and(super::binding::is_singular);
        if singular && !self.singular.insert(numbers) {
            return Err(violation(
                name,
                "the parameter is given twice, and the field is not repeated".to_owned(),
            ));
        }
        Ok(())
    }

    /// A map entry is a message with the key as field 1 and the value as field 2 (protobuf encoding,
    /// "Maps").
    fn bind_entry(
        &self,
        name: &str,
        plan: &FieldPlan,
        field: Field<'_>,
        (key, value): (&str, Value<'_>),
        read: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldViolation> {
        let entry = field.message().and_then(|entry| Some((entry.id(), entry.field_by_number(2)?)));
        let Some((entry, value_field)) = entry else {
            return Err(violation(name, "the map has no entries".to_owned()));
        };
        plan.write(out, |out| {
            let mut content = Vec::new();
            self.codec.read_text(entry, 1, key, read, &mut content)?;
            value.write(self.codec, (entry, value_field), read, &mut content)?;
            put_bytes(plan.number, &content, out);
            Ok(())
        })
        .map_err(|error: super::JsonError| violation(name, error.description))
    }
}

/// One of two fields lies below the other, or they are the same.
fn overlaps(bound: &FieldPlan, numbers: &[u32]) -> bool {
    bound.numbers().zip(numbers).all(|(one, other)| one == *other)
}

/// `labels[color]` is the key `color` of the map `labels`.
fn split_key(name: &str) -> (&str, Option<&str>) {
    name.strip_suffix(']')
        .and_then(|open| open.split_once('['))
        .map_or((name, None), |(path, key)| (path, Some(key)))
}

fn unknown(error: &field_path::FieldPathError, path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    let nearest = error
        .candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(candidate, last), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match nearest {
        Some((_, candidate)) => format!("{}; did you mean \"{candidate}\"?", error.message),
        None => error.message.clone(),
    }
}

fn violation(field: &str, description: String) -> FieldViolation {
    FieldViolation { field: field.to_owned(), description }
}

#[cfg(test)]
mod tests;
