//! Colours where a terminal shows them, nothing elsewhere (<https://no-color.org>).

use std::fmt;
use std::io::IsTerminal;

/// Whether to colour what goes to one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours(pub bool);

impl Colours {
    /// Coloured on a terminal, unless `NO_COLOR` is set.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(stream.is_terminal() && !refused)
    }

    pub(super) const fn red<T>(self, text: T) -> Coloured<T> {
        self.with("\x1b[1;31m", text)
    }

    pub(super) const fn yellow<T>(self, text: T) -> Coloured<T> {
        self.with("\x1b[1;33m", text)
    }

    pub(super) const fn green<T>(self, text: T) -> Coloured<T> {
        self.with("\x1b[32m", text)
    }

    pub(super) const fn blue<T>(self, text: T) -> Coloured<T> {
        self.with("\x1b[1;34m", text)
    }

    pub(super) const fn bold<T>(self, text: T) -> Coloured<T> {
        self.with("\x1b[1m", text)
    }

    pub(super) const fn dim<T>(self, text: T) -> Coloured<T> {
        self.with("\x1b[2m", text)
    }

    const fn with<T>(self, start: &'static str, text: T) -> Coloured<T> {
        Coloured { start: if self.0 { start } else { "" }, text, end: if self.0 { "\x1b[0m" } else { "" } }
    }
}

/// Text between two escape sequences. Width and alignment apply to the text alone.
pub(super) struct Coloured<T> {
    start: &'static str,
    text: T,
    end: &'static str,
}

impl<T: fmt::Display> fmt::Display for Coloured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start)?;
        self.text.fmt(f)?;
        f.write_str(self.end)
    }
}
