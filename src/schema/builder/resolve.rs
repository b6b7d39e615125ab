//! Turns the names of types into ids, once all are declared.

use super::Builder;
use crate::config::problem::{Location, Problem};
use crate::schema::descriptor::{FieldDescriptor, MethodDescriptor};
use crate::schema::tables::{Cardinality, EnumId, FieldRow, FieldType, MessageId, MethodId, Schema, Symbol};

/// What is still to be resolved.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) fields: Vec<(u32, PendingField)>,
    /// The extended message, the field, and its type where that is named.
    pub(super) extensions: Vec<(String, FieldRow, Option<PendingField>)>,
    pub(super) methods: Vec<(MethodId, PendingMethod)>,
}

/// The type of a field, by name.
#[derive(Debug)]
pub(super) struct PendingField {
    type_name: Box<str>,
    at: Location,
}

impl PendingField {
    pub(super) fn of(declared: &FieldDescriptor, full_name: String, at: &Location) -> Option<Self> {
        let type_name = declared.type_name.as_deref()?;
        Some(Self { type_name: type_name.into(), at: Location { key: full_name, ..at.clone() } })
    }
}

/// The types of a method, by name.
#[derive(Debug)]
pub(super) struct PendingMethod {
    input: Box<str>,
    output: Box<str>,
    at: Location,
}

impl PendingMethod {
    pub(super) fn of(declared: &MethodDescriptor, full_name: String, at: &Location) -> Self {
        Self {
            input: declared.input_type().into(),
            output: declared.output_type().into(),
            at: Location { key: full_name, ..at.clone() },
        }
    }
}

pub(super) fn resolve(builder: &mut Builder) {
    let Pending { fields, extensions, methods } = std::mem::take(&mut builder.pending);
    let Builder { schema, problems, .. } = builder;
    for (field, pending) in fields {
        let Some(mut row) = schema.fields.get(field as usize).copied() else { continue };
        resolve_type(schema, problems, &mut row, &pending);
        if let Some(slot) = schema.fields.get_mut(field as usize) {
            *slot = row;
        }
    }
    for (extendee, mut row, pending) in extensions {
        if let Some(pending) = &pending {
            resolve_type(schema, problems, &mut row, pending);
        }
        let key = schema.text(row.name).to_owned();
        let at = pending.map_or(Location { key, ..Location::default() }, |pending| pending.at);
        if let Some(message) = message(schema, problems, &extendee, &at) {
            schema.extensions.push((message, row));
        }
    }
    schema.extensions.sort_by_key(|(message, row)| (*message, row.number));
    for (method, pending) in methods {
        let input = message(schema, problems, &pending.input, &pending.at);
        let output = message(schema, problems, &pending.output, &pending.at);
        if let (Some(row), Some(input), Some(output)) =
            (schema.methods.get_mut(method.index()), input, output)
        {
            row.input = input;
            row.output = output;
        }
    }
    reject_unresolved(schema, problems);
}

fn resolve_type(schema: &Schema, problems: &mut Vec<Problem>, row: &mut FieldRow, pending: &PendingField) {
    row.field_type = match row.field_type {
        FieldType::Enum(_) => match enumeration(schema, problems, &pending.type_name, &pending.at) {
            Some(id) => FieldType::Enum(id),
            None => return,
        },
        FieldType::Message(_) => match message(schema, problems, &pending.type_name, &pending.at) {
            Some(id) => FieldType::Message(id),
            None => return,
        },
        scalar => scalar,
    };
    if let FieldType::Message(id) = row.field_type
        && row.cardinality == Cardinality::Repeated
        && schema.message(id).is_map_entry()
    {
        row.cardinality = Cardinality::Map;
        row.delimited = false;
    }
}

/// A message or enum field without the name of its type is a damaged descriptor.
fn reject_unresolved(schema: &Schema, problems: &mut Vec<Problem>) {
    let unresolved = |row: &FieldRow| {
        matches!(row.field_type, FieldType::Message(MessageId(u32::MAX)) | FieldType::Enum(EnumId(u32::MAX)))
    };
    let rows = schema.fields.iter().chain(schema.extensions.iter().map(|(_, row)| row));
    if problems.is_empty()
        && let Some(row) = rows.into_iter().find(|row| unresolved(row))
    {
        let at = Location { key: schema.text(row.name).to_owned(), ..Location::default() };
        problems.push(
            Problem::error(at, "the field has no type").help("the descriptor set is damaged: make it again"),
        );
    }
}

fn message(schema: &Schema, problems: &mut Vec<Problem>, name: &str, at: &Location) -> Option<MessageId> {
    match lookup(schema, problems, name, at)? {
        Symbol::Message(id) => Some(id),
        other => wrong_kind(problems, name, other, "a message", at),
    }
}

fn enumeration(schema: &Schema, problems: &mut Vec<Problem>, name: &str, at: &Location) -> Option<EnumId> {
    match lookup(schema, problems, name, at)? {
        Symbol::Enum(id) => Some(id),
        other => wrong_kind(problems, name, other, "an enum", at),
    }
}

fn wrong_kind<T>(
    problems: &mut Vec<Problem>,
    name: &str,
    is: Symbol,
    wanted: &str,
    at: &Location,
) -> Option<T> {
    let name = name.trim_start_matches('.');
    problems.push(Problem::error(at.clone(), format!("{name} is {is}, where {wanted} must stand")));
    None
}

/// Compilers write type names in full, with a leading dot (descriptor.proto, `type_name`).
fn lookup(schema: &Schema, problems: &mut Vec<Problem>, name: &str, at: &Location) -> Option<Symbol> {
    let full_name = name.strip_prefix('.').unwrap_or(name);
    let found = schema.symbols.get(full_name).copied();
    if found.is_none() {
        problems.push(
            Problem::error(at.clone(), format!("the type {full_name} is not in the schema"))
                .help("include imports in the set: `protoc --include_imports …`; `buf build` always does"),
        );
    }
    found
}
