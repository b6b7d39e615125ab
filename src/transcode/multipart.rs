//! `multipart/form-data` (RFC 7578, RFC 2046 §5.1), as its bytes come.
//!
//! ```text
//! body      = [preamble CRLF] delimiter *(padding CRLF headers CRLF data CRLF delimiter) "--" [epilogue]
//! delimiter = "--" boundary
//! ```
//!
//! Whatever the cuts between the pieces, a piece is looked at once: only what may be the beginning of a
//! delimiter, and a line of headers that has not ended, wait for the next one. What names and values mean
//! is not known here.

mod header;

use header::Header;
pub use header::boundary;

/// The most parts of a form.
pub const MAX_PARTS: usize = 1000;

/// The most bytes of the headers of one part.
const MAX_HEADERS: usize = 4096;

/// One part: a field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// The name of a file; what has one is a file.
    pub filename: Option<String>,
    /// Its `Content-Type`; empty where it has none.
    pub content_type: String,
    pub data: Vec<u8>,
}

/// Why a body is no form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartError(pub String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter.
    Preamble,
    /// Right behind a delimiter.
    Delimiter,
    /// In the headers of the last part.
    Headers,
    /// In the data of the last part.
    Data,
    /// Behind the last delimiter; what comes is left alone.
    Epilogue,
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct Multipart {
    /// With the line break before it, which belongs to it.
    delimiter: Vec<u8>,
    state: State,
    /// What came and is not decided yet.
    held: Vec<u8>,
    /// The bytes of headers of the last part.
    headers: usize,
    parts: Vec<Part>,
}

impl Multipart {
    /// A body with this boundary.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        Self {
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            state: State::Preamble,
            // The first delimiter may be the first line.
            held: b"\r\n".to_vec(),
            headers: 0,
            parts: Vec::new(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// What cannot be a form, and more than a form may have.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), MultipartError> {
        if self.state == State::Epilogue {
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(piece);
        let mut rest: &[u8] = &held;
        while self.step(&mut rest)? {}
        let done = held.len() - rest.len();
        held.drain(..done);
        self.held = held;
        Ok(())
    }

    /// The parts, when the body has ended.
    ///
    /// # Errors
    /// When the body ends before its last delimiter.
    pub fn finish(self) -> Result<Vec<Part>, MultipartError> {
        match self.state {
            State::Epilogue => Ok(self.parts),
            State::Preamble => Err(wrong("the boundary that `Content-Type` names is nowhere in the body")),
            _ => Err(wrong("the body ends before its last delimiter")),
        }
    }

    /// Steps over what is decided; `false` when more has to come.
    fn step(&mut self, rest: &mut &[u8]) -> Result<bool, MultipartError> {
        match self.state {
            State::Preamble | State::Data => Ok(self.data(rest)),
            State::Delimiter => self.behind_delimiter(rest),
            State::Headers => self.header(rest),
            State::Epilogue => {
                *rest = &[];
                Ok(false)
            }
        }
    }

    fn data(&mut self, rest: &mut &[u8]) -> bool {
        let found = memchr::memmem::find(rest, &self.delimiter);
        // Without a delimiter, all but what may begin one is data.
        let end = found.unwrap_or_else(|| rest.len() - self.beginning(rest));
        let (data, behind) = rest.split_at(end);
        if let (State::Data, Some(part)) = (self.state, self.parts.last_mut()) {
            part.data.extend_from_slice(data);
        }
        *rest = behind;
        if found.is_some() {
            *rest = rest.get(self.delimiter.len()..).unwrap_or_default();
            self.state = State::Delimiter;
            self.headers = 0;
        }
        found.is_some()
    }

    /// How many of the last bytes may be the beginning of a delimiter.
    fn beginning(&self, text: &[u8]) -> usize {
        let longest = text.len().min(self.delimiter.len() - 1);
        let mut lengths = (1..=longest).rev();
        lengths.find(|length| text.ends_with(self.delimiter.get(..*length).unwrap_or_default())).unwrap_or(0)
    }

    fn behind_delimiter(&mut self, rest: &mut &[u8]) -> Result<bool, MultipartError> {
        if rest.starts_with(b"--") {
            self.state = State::Epilogue;
            return Ok(true);
        }
        if rest.len() < 2 {
            return Ok(false);
        }
        let Some(line) = self.line(rest)? else { return Ok(false) };
        if line.iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
            return Err(wrong("a line begins with the boundary but is no delimiter"));
        }
        if self.parts.len() >= MAX_PARTS {
            return Err(MultipartError(format!("the form has more than {MAX_PARTS} parts")));
        }
        self.parts.push(Part::default());
        self.state = State::Headers;
        Ok(true)
    }

    fn header(&mut self, rest: &mut &[u8]) -> Result<bool, MultipartError> {
        let Some(line) = self.line(rest)? else { return Ok(false) };
        self.headers += line.len() + 2;
        let Some(part) = self.parts.last_mut() else { return Ok(false) };
        match Header::parse(line)? {
            Header::End if part.name.is_empty() => {
                return Err(wrong("a part has no name (`Content-Disposition: form-data; name=\"…\"`)"));
            }
            Header::End => self.state = State::Data,
            Header::Disposition { name, filename } => (part.name, part.filename) = (name, filename),
            Header::ContentType(content_type) => part.content_type = content_type,
            Header::Other => {}
        }
        Ok(true)
    }

    /// The next line, if it is all there.
    fn line<'r>(&self, rest: &mut &'r [u8]) -> Result<Option<&'r [u8]>, MultipartError> {
        let found = memchr::memmem::find(rest, b"\r\n");
        if self.headers + found.unwrap_or(rest.len()) > MAX_HEADERS {
            return Err(MultipartError(format!("the headers of a part are longer than {MAX_HEADERS} bytes")));
        }
        Ok(found.map(|end| {
            let (line, behind) = rest.split_at(end);
            *rest = behind.get(2..).unwrap_or_default();
            line
        }))
    }
}

fn wrong(what: &'static str) -> MultipartError {
    MultipartError(what.to_owned())
}

#[cfg(test)]
mod tests;
