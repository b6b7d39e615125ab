//! Reads the paths out of Rust source: enough of the language to know what is code, and no more.

/// A path that starts at the crate's root.
#[derive(Debug, PartialEq, Eq)]
pub struct Import {
    pub line: usize,
    /// Its segments below the root; `*` ends a glob. Empty: the root itself, under another name.
    pub path: Vec<String>,
}

/// The paths in a file that start with `root`, `super` or `self`, all made absolute.
///
/// `module` is the path of the file's module; `root` is `crate`, or the crate's name for its binary.
pub fn imports(module: &[&str], root: &str, source: &str) -> Vec<Import> {
    let tokens = tokens(source);
    let mut scanner = Scanner { tokens: &tokens, root, at: 0, found: Vec::new() };
    let mut module: Vec<String> = module.iter().map(|&name| name.to_owned()).collect();
    // For each open brace, whether it opened a module.
    let mut braces = Vec::new();
    while let Some(token) = scanner.peek(0) {
        match token {
            "mod" if scanner.peek(2) == Some("{") => {
                module.extend(scanner.peek(1).map(str::to_owned));
                braces.push(true);
                scanner.at += 3;
            }
            "{" | "}" => {
                if token == "{" {
                    braces.push(false);
                } else if braces.pop() == Some(true) {
                    module.pop();
                }
                scanner.at += 1;
            }
            _ if scanner.starts_path() => scanner.tree(&module),
            _ => scanner.at += 1,
        }
    }
    scanner.found
}

/// The modules that a file declares and keeps elsewhere, as written: `pub mod rpc`.
pub fn declared_modules(source: &str) -> Vec<String> {
    let tokens: Vec<&str> = tokens(source).into_iter().map(|token| token.text).collect();
    let statements = tokens.split(|token| *token == ";" || *token == "]" || *token == "}");
    statements.filter(|it| it.contains(&"mod")).map(|it| it.join(" ")).collect()
}

struct Scanner<'s> {
    tokens: &'s [Token<'s>],
    root: &'s str,
    at: usize,
    found: Vec<Import>,
}

impl<'s> Scanner<'s> {
    fn peek(&self, ahead: usize) -> Option<&'s str> {
        self.tokens.get(self.at + ahead).map(|token| token.text)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.peek(0) == Some(text);
        self.at += usize::from(found);
        found
    }

    /// Whether a path of interest starts here; `pub(crate)` and `self.field` are none.
    fn starts_path(&self) -> bool {
        let starts = self.peek(0).is_some_and(|it| it == self.root || it == "super" || it == "self");
        let continues = self
            .at
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before))
            .is_some_and(|it| it.text == "::");
        starts && !continues && matches!(self.peek(1), Some("::" | "as"))
    }

    /// Reads a path and, where it ends in braces, all paths in them.
    fn tree(&mut self, base: &[String]) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        let mut path = base.to_vec();
        loop {
            match self.peek(0) {
                Some("{") => return self.group(&path),
                Some(name) if name == self.root => path.clear(),
                Some("super") => drop(path.pop()),
                Some("self") => {}
                Some(name) if name == "*" || is_name(name) => path.push(name.to_owned()),
                // A turbofish: the path has ended.
                _ => break,
            }
            self.at += 1;
            if !self.eat("::") {
                break;
            }
        }
        if self.eat("as") {
            self.at += 1;
        }
        self.found.push(Import { line, path });
    }

    fn group(&mut self, base: &[String]) {
        self.at += 1;
        while self.peek(0).is_some() && !self.eat("}") {
            let before = self.at;
            self.tree(base);
            self.eat(",");
            // What is no path is skipped, so that the loop ends.
            self.at += usize::from(self.at == before);
        }
    }
}

#[derive(Debug)]
struct Token<'s> {
    text: &'s str,
    line: usize,
}

/// The names and signs of a source, without comments, strings and lifetimes.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let line =
            1 + source.len().checked_sub(rest.len()).and_then(|end| source.get(..end)).map_or(0, lines);
        let (length, is_code) = match skipped(rest) {
            Some(length) => (length, false),
            None if is_name(rest) => (name_length(rest), true),
            None if rest.starts_with("::") => (2, true),
            None => (first.len_utf8(), !first.is_whitespace()),
        };
        let (text, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if is_code {
            tokens.push(Token { text, line });
        }
        rest = after;
    }
    tokens
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|it: char| it == '_' || it.is_alphanumeric())
}

fn name_length(text: &str) -> usize {
    text.find(|it: char| it != '_' && !it.is_alphanumeric()).unwrap_or(text.len())
}

/// The length of a comment, string, character or lifetime that starts here.
fn skipped(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    let quoted = text.trim_start_matches(['b', 'c', 'r']);
    let prefix = text.len() - quoted.len();
    let is_raw = prefix > 0 && text.get(..prefix).is_some_and(|it| it.ends_with('r'));
    if prefix <= 2 && is_raw && quoted.trim_start_matches('#').starts_with('"') {
        return Some(prefix + raw_string(quoted));
    }
    if prefix <= 1 && quoted.starts_with('"') {
        return Some(prefix + until_quote(quoted, '"'));
    }
    let inner = quoted.strip_prefix('\'').filter(|_| prefix <= 1)?;
    let is_char = inner.starts_with('\\') || inner.chars().nth(1) == Some('\'');
    Some(prefix + if is_char { until_quote(quoted, '\'') } else { 1 + name_length(inner) })
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match rest.get(..2) {
            Some("/*") => depth += 1,
            Some("*/") => depth -= 1,
            _ => {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

/// `#"…"#` with any number of `#`.
fn raw_string(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let opened = hashes + 1;
    let body = text.get(opened..).unwrap_or_default();
    body.find(&end).map_or(text.len(), |at| opened + at + end.len())
}

/// From one quote to the next that is not escaped.
fn until_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, found) in text.char_indices().skip(1) {
        if found == quote && !escaped {
            return at + 1;
        }
        escaped = found == '\\' && !escaped;
    }
    text.len()
}
