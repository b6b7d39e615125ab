//! Enters the declarations of one file into the tables; types stay names until all are declared.

use super::{Builder, index};
use crate::config::problem::{Location, Problem};
use crate::rpc::Kind;
use crate::schema::descriptor::{
    EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, ServiceDescriptor,
};
use crate::schema::features::Features;
use crate::schema::http_rule;
use crate::schema::tables::{
    Cardinality, EnumId, EnumRow, FieldRow, FieldType, Idempotency, MessageId, MessageRow, MethodId,
    MethodRow, ServiceRow, Symbol,
};

/// google.protobuf.FieldDescriptorProto.Label, by number.
const LABEL_REQUIRED: i32 = 2;
const LABEL_REPEATED: i32 = 3;
/// google.protobuf.FieldDescriptorProto.Type, by number.
const TYPE_GROUP: i32 = 10;
const TYPE_MESSAGE: i32 = 11;
const TYPE_ENUM: i32 = 14;
/// The largest field number (protobuf language guide, "Assigning Field Numbers").
const MAX_FIELD_NUMBER: i32 = (1 << 29) - 1;

/// Where a declaration stands: what its names are prefixed with, and what it inherits.
#[derive(Clone, Copy)]
struct Scope<'a> {
    prefix: &'a str,
    features: Features,
    at: &'a Location,
}

impl Scope<'_> {
    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

pub(super) fn file(builder: &mut Builder, file: &FileDescriptor, features: Features, at: &Location) {
    let scope = Scope { prefix: file.package(), features, at };
    file.message_type.iter().for_each(|declared| message(builder, declared, scope));
    file.enum_type.iter().for_each(|declared| enumeration(builder, declared, scope));
    file.extension.iter().for_each(|declared| extension(builder, declared, scope));
    file.service.iter().for_each(|declared| service(builder, declared, scope));
}

fn message(builder: &mut Builder, declared: &MessageDescriptor, scope: Scope<'_>) {
    let full_name = scope.full_name(declared.name());
    let options = declared.options.as_ref();
    let features = scope.features.refined(options.and_then(|options| options.features.as_ref()));
    let inner = Scope { prefix: &full_name, features, ..scope };

    let id = MessageId(index(builder.schema.messages.len()));
    builder.define(&full_name, Symbol::Message(id), scope.at);
    let name = builder.name(&full_name);
    let first_oneof = index(builder.schema.oneofs.len());
    for oneof in &declared.oneof_decl {
        let name = builder.name(oneof.name());
        builder.schema.oneofs.push(name);
    }
    let first_field = index(builder.schema.fields.len());
    declared.field.iter().for_each(|member| field(builder, declared, member, inner));
    builder.schema.messages.push(MessageRow {
        name,
        fields: first_field..index(builder.schema.fields.len()),
        oneofs: first_oneof..index(builder.schema.oneofs.len()),
        map_entry: options.is_some_and(crate::schema::descriptor::MessageOptions::map_entry),
        message_set: options.is_some_and(crate::schema::descriptor::MessageOptions::message_set_wire_format),
    });
    declared.nested_type.iter().for_each(|nested| message(builder, nested, inner));
    declared.enum_type.iter().for_each(|nested| enumeration(builder, nested, inner));
    declared.extension.iter().for_each(|nested| extension(builder, nested, inner));
}

fn field(builder: &mut Builder, parent: &MessageDescriptor, declared: &FieldDescriptor, scope: Scope<'_>) {
    let name = builder.name(declared.name());
    let json_name = match declared.json_name.as_deref() {
        Some(json_name) if json_name == declared.name() => name,
        Some(json_name) => builder.name(json_name),
        None => builder.name(&lower_camel_case(declared.name())),
    };
    let row =
        FieldRow { name, json_name, oneof: oneof(parent, declared), ..field_row(declared, scope.features) };
    check_field(builder, parent, declared, scope);
    let field = index(builder.schema.fields.len());
    builder.schema.fields.push(row);
    builder.pending.field(field, declared);
}

/// Extensions have their full name, in JSON in brackets (ProtoJSON, "Extensions").
fn extension(builder: &mut Builder, declared: &FieldDescriptor, scope: Scope<'_>) {
    let full_name = scope.full_name(declared.name());
    builder.define(&full_name, Symbol::Other, scope.at);
    let bracketed = builder.name(&format!("[{full_name}]"));
    let name = super::Name { start: bracketed.start + 1, end: bracketed.end.saturating_sub(1) };
    let row = FieldRow { name, json_name: bracketed, ..field_row(declared, scope.features) };
    builder.pending.extension(row, declared);
}

fn check_field(
    builder: &mut Builder,
    parent: &MessageDescriptor,
    declared: &FieldDescriptor,
    scope: Scope<'_>,
) {
    let oneofs = i32::try_from(parent.oneof_decl.len()).unwrap_or(i32::MAX);
    let message = if !(1..=MAX_FIELD_NUMBER).contains(&declared.number()) {
        format!("the field number {} is outside 1 to {MAX_FIELD_NUMBER}", declared.number())
    } else if declared.oneof_index.is_some_and(|oneof| !(0..oneofs).contains(&oneof)) {
        format!("the field is in oneof {}, which its message does not have", declared.oneof_index())
    } else {
        return;
    };
    let at = Location { key: scope.full_name(declared.name()), ..scope.at.clone() };
    builder.problems.push(Problem::error(at, message).help("the descriptor set is damaged: make it again"));
}

/// What a field says of itself; names, the oneof and the type of messages and enums are filled in later.
fn field_row(declared: &FieldDescriptor, inherited: Features) -> FieldRow {
    let options = declared.options.as_ref();
    let features = inherited.refined(options.and_then(|options| options.features.as_ref()));
    let packed = options.and_then(|options| options.packed).unwrap_or(features.packed);
    let cardinality = cardinality(declared, features);
    FieldRow {
        number: u32::try_from(declared.number()).unwrap_or_default(),
        name: super::Name::default(),
        json_name: super::Name::default(),
        field_type: field_type(declared.r#type()),
        cardinality,
        oneof: None,
        packed: packed && cardinality == Cardinality::Repeated && is_packable(declared.r#type()),
        delimited: declared.r#type() == TYPE_GROUP
            || (declared.r#type() == TYPE_MESSAGE && features.delimited),
    }
}

fn cardinality(declared: &FieldDescriptor, features: Features) -> Cardinality {
    let is_message = matches!(declared.r#type(), TYPE_GROUP | TYPE_MESSAGE);
    let explicit = declared.proto3_optional()
        || declared.oneof_index.is_some()
        || declared.extendee.is_some()
        || is_message
        || !features.implicit_presence;
    match declared.label() {
        LABEL_REPEATED => Cardinality::Repeated,
        LABEL_REQUIRED => Cardinality::Required,
        _ if features.required && declared.oneof_index.is_none() => Cardinality::Required,
        _ if explicit => Cardinality::Explicit,
        _ => Cardinality::Implicit,
    }
}

/// proto3 `optional` is declared as a oneof of one, which is none.
fn oneof(parent: &MessageDescriptor, declared: &FieldDescriptor) -> Option<u16> {
    let index = declared.oneof_index.filter(|_| !declared.proto3_optional())?;
    parent.oneof_decl.get(usize::try_from(index).ok()?)?;
    u16::try_from(index).ok()
}

/// The type; of messages and enums a stand-in that [`super::resolve`] replaces.
fn field_type(number: i32) -> FieldType {
    match number {
        1 => FieldType::Double,
        2 => FieldType::Float,
        3 => FieldType::Int64,
        4 => FieldType::Uint64,
        5 => FieldType::Int32,
        6 => FieldType::Fixed64,
        7 => FieldType::Fixed32,
        8 => FieldType::Bool,
        9 => FieldType::String,
        12 => FieldType::Bytes,
        13 => FieldType::Uint32,
        15 => FieldType::Sfixed32,
        16 => FieldType::Sfixed64,
        17 => FieldType::Sint32,
        18 => FieldType::Sint64,
        TYPE_ENUM => FieldType::Enum(EnumId(u32::MAX)),
        _ => FieldType::Message(MessageId(u32::MAX)),
    }
}

fn is_packable(number: i32) -> bool {
    number == TYPE_ENUM
        || !matches!(field_type(number), FieldType::String | FieldType::Bytes | FieldType::Message(_))
}

/// The JSON name of a field where the compiler left none (descriptor.proto, `json_name`).
fn lower_camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else {
            camel.push(if upper { letter.to_ascii_uppercase() } else { letter });
            upper = false;
        }
    }
    camel
}

fn enumeration(builder: &mut Builder, declared: &EnumDescriptor, scope: Scope<'_>) {
    let full_name = scope.full_name(declared.name());
    let features =
        scope.features.refined(declared.options.as_ref().and_then(|options| options.features.as_ref()));
    let id = EnumId(index(builder.schema.enums.len()));
    builder.define(&full_name, Symbol::Enum(id), scope.at);
    let name = builder.name(&full_name);
    let first = index(builder.schema.values.len());
    for value in &declared.value {
        let name = builder.name(value.name());
        builder.schema.values.push((name, value.number()));
    }
    let values = first..index(builder.schema.values.len());
    builder.schema.enums.push(EnumRow { name, values, closed: features.closed_enum });
}

fn service(builder: &mut Builder, declared: &ServiceDescriptor, scope: Scope<'_>) {
    let full_name = scope.full_name(declared.name());
    let id = index(builder.schema.services.len());
    builder.define(&full_name, Symbol::Service(id), scope.at);
    let name = builder.name(&full_name);
    let host = declared.options.as_ref().and_then(|options| options.default_host.as_deref());
    let default_host = host.map(|host| builder.name(host));
    let first = index(builder.schema.methods.len());
    for method in &declared.method {
        let full_name = format!("{full_name}.{}", method.name());
        let method_id = MethodId(index(builder.schema.methods.len()));
        builder.define(&full_name, Symbol::Method(method_id), scope.at);
        let name = builder.name(&full_name);
        let options = method.options.as_ref();
        builder.schema.methods.push(MethodRow {
            name,
            service: id,
            input: MessageId(u32::MAX),
            output: MessageId(u32::MAX),
            kind: Kind::new(method.client_streaming(), method.server_streaming()),
            idempotency: match options.map(crate::schema::descriptor::MethodOptions::idempotency_level) {
                Some(1) => Idempotency::NoSideEffects,
                Some(2) => Idempotency::Idempotent,
                _ => Idempotency::Unknown,
            },
            http: options
                .and_then(|options| options.http.as_ref())
                .map(http_rule::bindings)
                .unwrap_or_default(),
        });
        builder.pending.method(method_id, method);
    }
    let methods = first..index(builder.schema.methods.len());
    let file = index(builder.schema.files.len()).saturating_sub(1);
    builder.schema.services.push(ServiceRow { name, file, methods, default_host });
}
