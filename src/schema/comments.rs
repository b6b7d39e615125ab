//! Comments and places in .proto files, for documentation and error messages.
//!
//! `SourceCodeInfo` is large and seldom asked for, so it stays encoded and is decoded anew for each
//! question: nothing here belongs on the path of a request.

use prost::Message as _;

use super::descriptor::SourceCodeInfo;
use super::{Method, Schema};

/// Numbers of fields in descriptor.proto that make up a path to an element.
const SERVICE_OF_FILE: i32 = 6;
const METHOD_OF_SERVICE: i32 = 2;

/// What a .proto file says beside a declaration, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The name of the .proto file.
    pub file: String,
    /// Line and column, from 1; `None` where the schema has no source information.
    pub position: Option<(u32, u32)>,
    /// The comment before the declaration, or behind it.
    pub comment: Option<String>,
}

/// Where a method is declared and what its comment says.
#[must_use]
pub fn of_method(schema: &Schema, method: Method<'_>) -> Source {
    let Some((service, service_index, method_index)) = method.position() else {
        return Source::default();
    };
    let first_of_file = schema.services.partition_point(|row| row.file < service.file);
    let in_file = i32::try_from(service_index as usize - first_of_file).unwrap_or_default();
    let in_service = i32::try_from(method_index).unwrap_or_default();
    lookup(schema, service.file, &[SERVICE_OF_FILE, in_file, METHOD_OF_SERVICE, in_service])
}

/// `path` is that of descriptor.proto's `SourceCodeInfo.Location.path`.
fn lookup(schema: &Schema, file: u32, path: &[i32]) -> Source {
    let Some(file) = schema.files.get(file as usize) else {
        return Source::default();
    };
    let info = SourceCodeInfo::decode(file.source_info.clone()).unwrap_or_default();
    let location = info.location.into_iter().find(|location| location.path == path).unwrap_or_default();
    let place = |index: usize| location.span.get(index).and_then(|&from_zero| u32::try_from(from_zero).ok());
    let position =
        place(0).zip(place(1)).map(|(line, column)| (line.saturating_add(1), column.saturating_add(1)));
    let comment = location.leading_comments.or(location.trailing_comments);
    Source { file: file.name.to_string(), position, comment: comment.map(|text| text.trim().to_owned()) }
}
