//! The headers of parts, and the boundary in the header of the body.

use super::{MultipartError, wrong};

/// One line of a part's headers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The empty line.
    End,
    Disposition {
        name: String,
        filename: Option<String>,
    },
    ContentType(String),
    /// "MUST be ignored" (RFC 7578 §4.8).
    Other,
}

impl Header {
    pub(super) fn parse(line: &[u8]) -> Result<Self, MultipartError> {
        if line.is_empty() {
            return Ok(Self::End);
        }
        let line = std::str::from_utf8(line).map_err(|_| wrong("a header of a part is not valid UTF-8"))?;
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a header of a part has no colon"))?;
        let value = value.trim_matches([' ', '\t']);
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" => disposition(value),
            "content-type" => Ok(Self::ContentType(value.to_owned())),
            // Deprecated by RFC 7578 §4.7; data must not be taken for what it is not.
            "content-transfer-encoding"
                if !["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain)) =>
            {
                Err(wrong("a part has a Content-Transfer-Encoding; send its bytes as they are"))
            }
            _ => Ok(Self::Other),
        }
    }
}

/// "Content-Disposition: form-data", with a `name` and for files a `filename` (RFC 7578 §4.2).
fn disposition(value: &str) -> Result<Header, MultipartError> {
    let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(wrong("a part is not `Content-Disposition: form-data`"));
    }
    let (mut name, mut filename) = (None, None);
    while let Some((key, value, behind)) = parameter(rest)? {
        match key.to_ascii_lowercase().as_str() {
            "name" if name.is_some() => return Err(wrong("a part has two names")),
            "name" => name = Some(value),
            "filename" | "filename*" => filename = Some(value),
            _ => {}
        }
        rest = behind;
    }
    match name {
        Some(name) if !name.is_empty() => Ok(Header::Disposition { name, filename }),
        _ => Err(wrong("a part has no name")),
    }
}

/// A parameter, and what stands behind it.
type Parameter<'t> = (&'t str, String, &'t str);

fn parameter(text: &str) -> Result<Option<Parameter<'_>>, MultipartError> {
    let text = text.trim_start_matches([' ', '\t', ';']);
    if text.is_empty() {
        return Ok(None);
    }
    let (key, value) = text.split_once('=').ok_or_else(|| wrong("a parameter of a header has no value"))?;
    let value = value.trim_start_matches([' ', '\t']);
    let (value, behind) = if let Some(quoted) = value.strip_prefix('"') {
        unquote(quoted).ok_or_else(|| wrong("a quoted value of a header is not closed"))?
    } else {
        let (value, behind) = value.split_at(value.find(';').unwrap_or(value.len()));
        (value.trim_end().to_owned(), behind)
    };
    Ok(Some((key.trim(), value, behind)))
}

/// Browsers write quotes and line breaks as `%22`, `%0D` and `%0A` (WHATWG HTML, "multipart/form-data");
/// others put a backslash before quotes and backslashes (RFC 822).
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let special = rest.find(['"', '\\', '%'])?;
        let (plain, behind) = rest.split_at(special);
        value.push_str(plain);
        let escapes = [
            ("\\\"", '"'),
            ("\\\\", '\\'),
            ("%22", '"'),
            ("%0D", '\r'),
            ("%0A", '\n'),
            ("\\", '\\'),
            ("%", '%'),
        ];
        let Some(escape) = escapes.iter().find(|(escape, _)| behind.starts_with(escape)) else {
            return Some((value, behind.strip_prefix('"')?));
        };
        value.push(escape.1);
        rest = behind.strip_prefix(escape.0)?;
    }
}

/// The boundary in the parameters of a `multipart/form-data` type: 1 to 70 characters (RFC 2046 §5.1.1).
///
/// # Errors
/// When there is none.
pub fn boundary(parameters: &str) -> Result<String, MultipartError> {
    let mut rest = parameters;
    while let Some((key, value, behind)) = parameter(rest)? {
        if key.eq_ignore_ascii_case("boundary") {
            let printable = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if (1..=70).contains(&value.len()) && printable && !value.ends_with(' ') {
                return Ok(value);
            }
            return Err(wrong("the boundary in `Content-Type` is not 1 to 70 printable characters"));
        }
        rest = behind;
    }
    Err(wrong("`Content-Type: multipart/form-data` has no boundary; let the client's library set it"))
}
