//! The tokens of a JSON text (RFC 8259), read in place and strictly: no tree, no copies, no leniency.

use std::borrow::Cow;

use crate::transcode::number::{self, BadNumber, Decimal};
use crate::transcode::problem::{Report, Segment, excerpt};
use crate::transcode::scan::{self, Chunk};
use crate::transcode::text;

/// Marks that something is wrong; what, is in [`Lexer::report`].
#[derive(Clone, Copy, Debug)]
pub(in crate::transcode) struct Failed;

pub(in crate::transcode) type Outcome<T = ()> = Result<T, Failed>;

/// A place in a JSON text.
#[derive(Debug)]
pub(in crate::transcode) struct Lexer<'j> {
    pub(in crate::transcode) json: &'j [u8],
    pub(in crate::transcode) pos: usize,
    /// How many objects and arrays are open.
    depth: usize,
    max_depth: usize,
    report: Option<Box<Report>>,
}

impl<'j> Lexer<'j> {
    pub(in crate::transcode) const fn new(json: &'j [u8], max_depth: usize) -> Self {
        Self { json, pos: 0, depth: 0, max_depth, report: None }
    }

    /// Says what is wrong here.
    #[cold]
    pub(in crate::transcode) fn fail<T>(&mut self, description: impl Into<Cow<'static, str>>) -> Outcome<T> {
        self.fail_at(self.pos, description)
    }

    #[cold]
    pub(in crate::transcode) fn fail_at<T>(
        &mut self,
        offset: usize,
        description: impl Into<Cow<'static, str>>,
    ) -> Outcome<T> {
        self.report = Some(Box::new(Report::new(description, offset)));
        Err(Failed)
    }

    /// Says that something else was expected here.
    #[cold]
    pub(in crate::transcode) fn expected<T>(&mut self, what: &str) -> Outcome<T> {
        let found = match self.token() {
            b'{' => "an object",
            b'[' => "an array",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            b'-' | b'0'..=b'9' => "a number",
            0 if self.pos >= self.json.len() => "the end of the text",
            _ => return self.fail(format!("expected {what}, found \"{}\"", self.next_character())),
        };
        self.fail(format!("expected {what}, found {found}"))
    }

    fn next_character(&self) -> String {
        excerpt(self.rest()).chars().next().unwrap_or_default().escape_debug().to_string()
    }

    /// Adds a step to the path of what went wrong inside.
    #[cold]
    pub(in crate::transcode) fn trail(&mut self, segment: Segment) {
        if let Some(report) = &mut self.report {
            report.push(segment);
        }
    }

    /// Goes to another place: back to an object that was stepped over, or to the end.
    pub(super) fn go_to(&mut self, pos: usize) {
        self.pos = pos;
    }

    pub(in crate::transcode) fn into_report(self) -> Report {
        self.report.map(|report| *report).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn rest(&self) -> &'j [u8] {
        self.json.get(self.pos..).unwrap_or_default()
    }

    /// The byte here; NUL, which begins no token, at the end.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.json.get(self.pos).copied().unwrap_or(0)
    }

    /// The first byte of the next token, behind any space.
    #[inline(always)]
    pub(in crate::transcode) fn token(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' { byte } else { self.skip_space() }
    }

    fn skip_space(&mut self) -> u8 {
        const SPACES: [u8; 8] = [b' '; 8];
        loop {
            match self.peek() {
                b' ' if self.rest().first_chunk() == Some(&SPACES) => self.pos += SPACES.len(),
                b' ' | b'\n' | b'\r' | b'\t' => self.pos += 1,
                byte => return byte,
            }
        }
    }

    /// Nothing but space may follow.
    pub(in crate::transcode) fn finish(&mut self) -> Outcome {
        self.token();
        if self.pos == self.json.len() { Ok(()) } else { self.expected("the end of the text") }
    }

    /// Steps into an object or an array, whose bracket is here.
    #[inline]
    pub(in crate::transcode) fn open(&mut self, bracket: u8, what: &'static str) -> Outcome {
        if self.token() != bracket {
            return self.expected(what);
        }
        if self.depth >= self.max_depth {
            return self.fail(format!("the text is nested deeper than {} levels", self.max_depth));
        }
        self.depth += 1;
        self.pos += 1;
        Ok(())
    }

    /// Whether the object or array that was just opened has a first member; if not, steps out of it.
    #[inline(always)]
    pub(in crate::transcode) fn first(&mut self, bracket: u8) -> bool {
        let empty = self.token() == bracket;
        if empty {
            self.pos += 1;
            self.depth -= 1;
        }
        !empty
    }

    /// Whether another member follows; if not, steps out of the object or array.
    #[inline(always)]
    pub(in crate::transcode) fn next(&mut self, bracket: u8) -> Outcome<bool> {
        let byte = self.token();
        if byte == b',' {
            self.pos += 1;
            self.token();
            return Ok(true);
        }
        if byte != bracket {
            return self.expected(if bracket == b'}' { "\",\" or \"}\"" } else { "\",\" or \"]\"" });
        }
        self.pos += 1;
        self.depth -= 1;
        Ok(false)
    }

    #[inline(always)]
    pub(in crate::transcode) fn colon(&mut self) -> Outcome {
        if self.token() != b':' {
            return self.expected("\":\"");
        }
        self.pos += 1;
        Ok(())
    }

    /// Steps over a word such as `null`.
    #[inline(always)]
    pub(in crate::transcode) fn word(&mut self, word: &'static str) -> Outcome {
        if self.rest().starts_with(word.as_bytes()) {
            self.pos += word.len();
            return Ok(());
        }
        self.fail(format!("expected \"{word}\""))
    }

    #[inline(always)]
    pub(in crate::transcode) fn boolean(&mut self) -> Outcome<bool> {
        match self.token() {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            _ => self.expected("a boolean"),
        }
    }

    /// The string that is here, as it stands in the text if it has no escapes.
    #[inline]
    pub(in crate::transcode) fn string(&mut self) -> Outcome<Cow<'j, [u8]>> {
        Ok(match self.plain_string()? {
            Some((start, end)) => Cow::Borrowed(self.json.get(start..end).unwrap_or_default()),
            None => Cow::Owned(self.escaped_string()?),
        })
    }

    fn escaped_string(&mut self) -> Outcome<Vec<u8>> {
        let mut unescaped = Vec::new();
        self.unescape(&mut unescaped)?;
        Ok(unescaped)
    }

    /// Steps over the string that is here if it has no escapes, and gives its place; else stays.
    #[inline(always)]
    pub(super) fn plain_string(&mut self) -> Outcome<Option<(usize, usize)>> {
        if self.token() != b'"' {
            return self.expected("a string");
        }
        let start = self.pos + 1;
        let mut end = start;
        loop {
            let plain = Chunk::at(self.json, end).plain_ascii();
            end += plain;
            if plain < scan::CHUNK {
                break;
            }
        }
        if self.json.get(end) != Some(&b'"') {
            return self.special_string(start, end);
        }
        self.pos = end + 1;
        Ok(Some((start, end)))
    }

    /// The rest of [`Lexer::plain_string`] from the first character on that is escaped or not ASCII.
    fn special_string(&mut self, start: usize, from: usize) -> Outcome<Option<(usize, usize)>> {
        let run = scan::run_to_stop(self.json, from);
        if self.json.get(run.end) != Some(&b'"') {
            return Ok(None);
        }
        if let Err((bad, _)) = text::check_utf8(self.json, from, run) {
            return self.fail_at(start, bad.description());
        }
        self.pos = run.end + 1;
        Ok(Some((start, run.end)))
    }

    /// Steps over the string that is here and appends what it stands for.
    pub(super) fn unescape(&mut self, out: &mut Vec<u8>) -> Outcome {
        match text::unescape(out, self.json, self.pos + 1) {
            Ok(end) => self.pos = end,
            Err((bad, at)) => return self.fail_at(at, bad.description()),
        }
        Ok(())
    }

    /// The plain whole number that is here, bare or within quotes; none, and no step, for any other.
    #[inline(always)]
    pub(super) fn plain_integer(&mut self) -> Option<(bool, u64)> {
        let quoted = self.token() == b'"';
        let start = self.pos + usize::from(quoted);
        let (negative, magnitude, end) = number::plain_integer(self.json, start)?;
        if quoted && self.json.get(end) != Some(&b'"') {
            return None;
        }
        self.pos = end + usize::from(quoted);
        Some((negative, magnitude))
    }

    /// The plain double that is here; none, and no step, for any other.
    #[inline(always)]
    pub(super) fn plain_double(&mut self) -> Option<f64> {
        self.token();
        let (value, end) = number::plain_double(self.json, self.pos)?;
        self.pos = end;
        Some(value)
    }

    /// The number that is here, bare or within quotes (ProtoJSON takes both for every number), as `convert`
    /// makes it.
    pub(super) fn number<T>(
        &mut self,
        convert: impl FnOnce(&Decimal<'_>) -> Result<T, BadNumber>,
    ) -> Outcome<T> {
        match self.token() {
            b'-' | b'0'..=b'9' => {
                let number = Decimal::read(self.json, self.pos);
                match number.and_then(|number| Ok((convert(&number)?, number.end))) {
                    Ok((value, end)) => {
                        self.pos = end;
                        Ok(value)
                    }
                    Err(bad) => self.fail(bad.description()),
                }
            }
            b'"' => self.quoted_number(convert),
            _ => self.expected("a number"),
        }
    }

    fn quoted_number<T>(&mut self, convert: impl FnOnce(&Decimal<'_>) -> Result<T, BadNumber>) -> Outcome<T> {
        let at = self.pos;
        let text = self.string()?;
        match Decimal::read_all(&text).and_then(|number| convert(&number)) {
            Ok(value) => Ok(value),
            Err(BadNumber::Syntax) => self.fail_at(at, "expected a number, found a string"),
            Err(bad) => self.fail_at(at, bad.description()),
        }
    }

    /// Steps over whatever value is here; it must be valid all the same.
    pub(in crate::transcode) fn skip(&mut self) -> Outcome {
        match self.token() {
            b'{' => self.skip_object(),
            b'[' => self.skip_array(),
            b'"' => self.skip_string(),
            b'n' => self.word("null"),
            b't' | b'f' => self.boolean().map(drop),
            b'-' | b'0'..=b'9' => self.number(|_| Ok(())),
            _ => self.expected("a value"),
        }
    }

    fn skip_string(&mut self) -> Outcome {
        if self.plain_string()?.is_none() {
            self.escaped_string()?;
        }
        Ok(())
    }

    fn skip_object(&mut self) -> Outcome {
        self.open(b'{', "an object")?;
        let mut more = self.first(b'}');
        while more {
            self.token();
            self.skip_string()?;
            self.colon()?;
            self.skip()?;
            more = self.next(b'}')?;
        }
        Ok(())
    }

    fn skip_array(&mut self) -> Outcome {
        self.open(b'[', "an array")?;
        let mut more = self.first(b']');
        while more {
            self.skip()?;
            more = self.next(b']')?;
        }
        Ok(())
    }
}
