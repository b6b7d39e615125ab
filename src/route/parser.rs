//! The grammar of path templates (google/api/http.proto, "Path template syntax").
//!
//! ```text
//! Template  = "/" [ Segments [ Verb ] ] ;
//! Segments  = Segment { "/" Segment } ;
//! Segment   = "*" | "**" | LITERAL | Variable ;
//! Variable  = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb      = ":" LITERAL ;
//! ```
//!
//! Wider than the comment in http.proto in two points: the root `/` is a template, and `**` may have
//! segments behind it, because published APIs do (`/v1/{parent=documents/*/**}/{collection_id}`).
//! A colon in the last segment starts the verb; elsewhere, and as `%3A`, it is a part of the literal.

use super::segment;
use super::template::{MAX_SEGMENTS, Segment, Template, TemplateError, Variable};

/// Reads one template from left to right.
pub(super) struct Parser<'t> {
    text: &'t str,
    /// How much is read, in bytes.
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

/// What the segments being read are part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Template,
    Variable,
}

type Parsed<T> = Result<T, TemplateError>;

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, segments: Vec::new(), variables: Vec::new() }
    }

    /// `Template`
    pub(super) fn template(mut self) -> Parsed<Template> {
        if !self.eat('/') {
            return Err(self.error(0, "a path template must start with a slash"));
        }
        if !self.rest().is_empty() {
            self.segments(Within::Template)?;
        }
        let verb = if self.eat(':') { Some(self.verb()?) } else { None };
        match self.peek() {
            None => Ok(Template { segments: self.segments, variables: self.variables, verb }),
            Some('}') => Err(self.error(self.at, "no `{` opens the variable that ends here")),
            Some(found) => Err(self.lonely(found)),
        }
    }

    /// `Segments`
    fn segments(&mut self, within: Within) -> Parsed<()> {
        loop {
            self.segment(within)?;
            if self.segments.len() > MAX_SEGMENTS {
                return Err(self.error(self.at, format!("a template has at most {MAX_SEGMENTS} segments")));
            }
            if !self.eat('/') {
                return Ok(());
            }
        }
    }

    /// `Segment`
    fn segment(&mut self, within: Within) -> Parsed<()> {
        match self.peek() {
            Some('*') => self.wildcard(),
            Some('{') if within == Within::Template => self.variable(),
            Some('{') => Err(self.error(self.at, "a variable cannot contain another variable")),
            _ => self.literal(within),
        }
    }

    /// `"*" | "**"`
    fn wildcard(&mut self) -> Parsed<()> {
        let start = self.at;
        let segment = match self.take_while(|it| it == '*') {
            "*" => Segment::Any,
            "**" if self.segments.contains(&Segment::Rest) => {
                return Err(self.error(start, "`**` can stand in a template only once"));
            }
            "**" => Segment::Rest,
            _ => return Err(self.error(start, "a wildcard is either `*` or `**`")),
        };
        self.segments.push(segment);
        Ok(())
    }

    /// `LITERAL`, without the verb that the last segment may end in
    fn literal(&mut self, within: Within) -> Parsed<()> {
        let start = self.at;
        let mut raw = self.take_while(|it| !matches!(it, '/' | '{' | '}' | '*'));
        if within == Within::Template
            && self.peek() != Some('/')
            && let Some((before, verb)) = raw.rsplit_once(':')
        {
            raw = before;
            self.at -= verb.len() + 1;
        }
        if raw.is_empty() {
            return Err(self.empty_segment(start));
        }
        let text = self.decode(start, raw)?;
        self.segments.push(Segment::Literal(text));
        Ok(())
    }

    /// `Variable`
    fn variable(&mut self) -> Parsed<()> {
        let start = self.at;
        self.eat('{');
        let path = self.field_path()?;
        if self.variables.iter().any(|it| it.path == path) {
            return Err(self.error(start + 1, format!("the variable `{}` stands here twice", path.join("."))));
        }
        let first = self.segments.len();
        if self.eat('=') {
            self.segments(Within::Variable)?;
        } else {
            self.segments.push(Segment::Any);
        }
        if !self.eat('}') {
            return Err(self.unclosed(start));
        }
        let range = first..self.segments.len();
        let multi = range.len() != 1 || self.segments.last() == Some(&Segment::Rest);
        self.variables.push(Variable { path, multi, range });
        Ok(())
    }

    /// `FieldPath`
    fn field_path(&mut self) -> Parsed<Vec<String>> {
        let mut path = Vec::new();
        loop {
            let start = self.at;
            let name = self.take_while(|it| it == '_' || it.is_ascii_alphanumeric());
            if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) {
                let mut error = self.error(start, "a field name is expected here");
                error.help = Some("letters, digits and `_`, not starting with a digit".to_owned());
                return Err(error);
            }
            path.push(name.to_owned());
            if !self.eat('.') {
                return Ok(path);
            }
        }
    }

    /// The `LITERAL` of `Verb`
    fn verb(&mut self) -> Parsed<String> {
        let start = self.at;
        let raw = self.take_while(|_| true);
        if raw.is_empty() {
            return Err(self.error(start, "the verb behind the colon is empty"));
        }
        if let Some(at) = raw.find(['/', '{', '}', '*']) {
            return Err(self.error(start + at, "a verb is literal text and ends the template"));
        }
        if let Some(at) = raw.find(':') {
            let mut error = self.error(start + at, "a verb holds no colon");
            error.help = Some("write it as `%3A`".to_owned());
            return Err(error);
        }
        self.decode(start, raw)
    }

    fn decode(&self, start: usize, raw: &str) -> Parsed<String> {
        match segment::decode(raw) {
            Ok(text) => Ok(text.into_owned()),
            Err((at, flaw)) => Err(self.error(start + at, flaw.to_string())),
        }
    }

    fn empty_segment(&self, at: usize) -> TemplateError {
        let mut error = self.error(at, "a segment is empty");
        if self.text.len() == at {
            error.help = Some("leave out the slash at the end".to_owned());
        }
        error
    }

    /// What follows a segment is neither a slash nor a verb.
    fn lonely(&self, found: char) -> TemplateError {
        let mut error = self.error(self.at, format!("`{found}` cannot follow here"));
        error.help = Some("a wildcard or variable is a whole segment".to_owned());
        error
    }

    fn unclosed(&self, start: usize) -> TemplateError {
        match self.peek() {
            None => self.error(start, "no `}` closes this variable"),
            Some(found) => {
                let mut error = self.lonely(found);
                if !found.is_ascii_alphanumeric() && found != '*' {
                    error.help = Some("a variable is `{field.path}` or `{field.path=pattern}`".to_owned());
                }
                error
            }
        }
    }

    fn error(&self, at: usize, message: impl Into<String>) -> TemplateError {
        let column = self.text.get(..at).map_or(1, |before| before.chars().count() + 1);
        TemplateError { column, message: message.into(), help: None }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        self.at += if found { expected.len_utf8() } else { 0 };
        found
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = rest.find(|it| !accept(it)).and_then(|end| rest.get(..end)).unwrap_or(rest);
        self.at += taken.len();
        taken
    }
}
