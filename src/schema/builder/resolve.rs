//! Turns the names of types into ids, once all are declared.

use super::{Builder, index};
use crate::config::problem::{Location, Problem};
use crate::schema::descriptor::{FieldDescriptor, MethodDescriptor};
use crate::schema::tables::{
    Cardinality, EnumId, FieldRow, FieldType, MessageId, MethodId, Name, Schema, Symbol,
};

/// What is still to be resolved.
///
/// A large schema has hundreds of thousands of these, and they are gone once it is built: none has text of its own.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The names of types, one behind the other.
    names: String,
    /// The sources of the schema; the last is the one that is being read.
    sources: Vec<Location>,
    /// Fields, by their place in the table.
    fields: Vec<(u32, Reference)>,
    /// The extended message, the field, and its type where that is named.
    extensions: Vec<(Reference, FieldRow, Option<Reference>)>,
    /// Input and output.
    methods: Vec<(MethodId, Reference, Reference)>,
}

/// The name of a type, and the source that has it.
#[derive(Clone, Copy, Debug)]
struct Reference {
    type_name: Name,
    source: usize,
}

impl Pending {
    /// What comes from here on stands in this source.
    pub(super) fn enter(&mut self, source: &Location) {
        self.sources.push(source.clone());
    }

    pub(super) fn field(&mut self, field: u32, declared: &FieldDescriptor) {
        if let Some(reference) = self.type_of(declared) {
            self.fields.push((field, reference));
        }
    }

    pub(super) fn extension(&mut self, row: FieldRow, declared: &FieldDescriptor) {
        let (extendee, named) = (self.reference(declared.extendee()), self.type_of(declared));
        self.extensions.push((extendee, row, named));
    }

    pub(super) fn method(&mut self, method: MethodId, declared: &MethodDescriptor) {
        let (input, output) = (self.reference(declared.input_type()), self.reference(declared.output_type()));
        self.methods.push((method, input, output));
    }

    fn type_of(&mut self, declared: &FieldDescriptor) -> Option<Reference> {
        declared.type_name.as_deref().map(|name| self.reference(name))
    }

    /// Compilers write type names in full, with a leading dot (descriptor.proto, `type_name`).
    fn reference(&mut self, type_name: &str) -> Reference {
        let start = index(self.names.len());
        self.names.push_str(type_name.strip_prefix('.').unwrap_or(type_name));
        let type_name = Name { start, end: index(self.names.len()) };
        Reference { type_name, source: self.sources.len().saturating_sub(1) }
    }

    fn at(&self, reference: Reference, key: &str) -> Location {
        let source = self.sources.get(reference.source).cloned().unwrap_or_default();
        Location { key: key.to_owned(), ..source }
    }

    fn resolve_type(&self, schema: &Schema, row: &mut FieldRow, reference: Reference) -> Result<(), Problem> {
        row.field_type = match row.field_type {
            FieldType::Enum(_) => FieldType::Enum(self.enumeration(schema, reference)?),
            FieldType::Message(_) => FieldType::Message(self.message(schema, reference)?),
            scalar => scalar,
        };
        if let FieldType::Message(id) = row.field_type
            && row.cardinality == Cardinality::Repeated
            && schema.message(id).is_map_entry()
        {
            row.cardinality = Cardinality::Map;
            row.delimited = false;
        }
        Ok(())
    }

    fn message(&self, schema: &Schema, reference: Reference) -> Result<MessageId, Problem> {
        match self.lookup(schema, reference)? {
            (_, Symbol::Message(id)) => Ok(id),
            (name, other) => Err(wrong_kind(name, other, "a message")),
        }
    }

    fn enumeration(&self, schema: &Schema, reference: Reference) -> Result<EnumId, Problem> {
        match self.lookup(schema, reference)? {
            (_, Symbol::Enum(id)) => Ok(id),
            (name, other) => Err(wrong_kind(name, other, "an enum")),
        }
    }

    fn lookup(&self, schema: &Schema, reference: Reference) -> Result<(&str, Symbol), Problem> {
        let name = reference.type_name.of(&self.names);
        match schema.symbols.get(name) {
            Some(symbol) => Ok((name, *symbol)),
            None => Err(Problem::error(Location::default(), format!("the type {name} is not in the schema"))
                .help("include imports in the set: `protoc --include_imports …`; `buf build` always does")),
        }
    }
}

fn wrong_kind(name: &str, is: Symbol, wanted: &str) -> Problem {
    Problem::error(Location::default(), format!("{name} is {is}, where {wanted} must stand"))
}

pub(super) fn resolve(builder: &mut Builder) {
    let pending = std::mem::take(&mut builder.pending);
    let Builder { schema, problems, .. } = builder;
    for &(field, reference) in &pending.fields {
        let Some(mut row) = schema.fields.get(field as usize).copied() else { continue };
        match pending.resolve_type(schema, &mut row, reference) {
            Ok(()) => schema.fields.get_mut(field as usize).into_iter().for_each(|slot| *slot = row),
            Err(problem) => {
                let at = pending.at(reference, &schema.full_field_name(field));
                problems.push(Problem { at, ..problem });
            }
        }
    }
    for &(extendee, mut row, named) in &pending.extensions {
        let typed = named.map_or(Ok(()), |named| pending.resolve_type(schema, &mut row, named));
        let extended = pending.message(schema, extendee);
        let at = || pending.at(extendee, schema.text(row.name));
        problems.extend(typed.err().map(|problem| Problem { at: at(), ..problem }));
        match extended {
            Ok(message) => schema.extensions.push((message, row)),
            Err(problem) => problems.push(Problem { at: at(), ..problem }),
        }
    }
    schema.extensions.sort_by_key(|(message, row)| (*message, row.number));
    for &(method, input, output) in &pending.methods {
        let types = [input, output].map(|reference| pending.message(schema, reference));
        let Some(row) = schema.methods.get_mut(method.index()) else { continue };
        match types {
            [Ok(input), Ok(output)] => (row.input, row.output) = (input, output),
            wrong => {
                let name = row.name;
                let at = pending.at(input, schema.text(name));
                problems.extend(
                    wrong
                        .into_iter()
                        .filter_map(Result::err)
                        .map(|problem| Problem { at: at.clone(), ..problem }),
                );
            }
        }
    }
    reject_unresolved(schema, problems);
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
