//! Dotted paths of fields, such as `book.author.name`, resolved against a message type.

use super::{Cardinality, Field, Message};

/// Why a path names no field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPathError {
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// Names that may have been meant.
    pub candidates: Vec<String>,
}

/// Resolves a path, by names as in the .proto file or JSON names at each step.
///
/// All but the last field are singular messages; the last may be anything.
///
/// # Errors
/// Which step fails, and what its message does have.
pub fn resolve<'s, 'p>(
    root: Message<'s>,
    path: impl IntoIterator<Item = &'p str>,
) -> Result<Vec<Field<'s>>, FieldPathError> {
    let mut fields: Vec<Field<'s>> = Vec::new();
    let mut message = root;
    let mut steps = path.into_iter().peekable();
    while let Some(step) = steps.next() {
        let field = message.field(step).ok_or_else(|| unknown(message, step))?;
        if steps.peek().is_some() {
            message = descend(field).ok_or_else(|| not_singular(field))?;
        }
        fields.push(field);
    }
    Ok(fields)
}

fn descend(field: Field<'_>) -> Option<Message<'_>> {
    let singular = !matches!(field.cardinality(), Cardinality::Repeated | Cardinality::Map);
    field.message().filter(|_| singular)
}

fn unknown(message: Message<'_>, step: &str) -> FieldPathError {
    FieldPathError {
        message: format!("{} has no field \"{step}\"", message.name()),
        candidates: message.fields().map(|field| field.name().to_owned()).collect(),
    }
}

fn not_singular(field: Field<'_>) -> FieldPathError {
    FieldPathError {
        message: format!("\"{}\" is no singular message, so nothing of it can be named", field.name()),
        candidates: Vec::new(),
    }
}
