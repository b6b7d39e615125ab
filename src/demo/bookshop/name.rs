//! Resource names: `shelves/{number}` and `shelves/{number}/books/{number}`.

use std::fmt;

use tonic::Status;

use super::fault;

/// `shelves/{0}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShelfName(pub u64);

/// `shelves/{shelf}/books/{book}`; in the order of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BookName {
    pub shelf: ShelfName,
    pub book: u64,
}

impl ShelfName {
    /// Reads the name of a shelf; `field` is where the request has it.
    pub fn parse(field: &str, name: &str) -> Result<Self, Status> {
        name.strip_prefix("shelves/")
            .and_then(number)
            .map(Self)
            .ok_or_else(|| fault::invalid_field(field, "not of the form shelves/{number}"))
    }
}

impl BookName {
    /// Reads the name of a book; `field` is where the request has it.
    pub fn parse(field: &str, name: &str) -> Result<Self, Status> {
        let parts = |name: &str| {
            let (shelf, book) = name.strip_prefix("shelves/")?.split_once("/books/")?;
            Some(Self { shelf: ShelfName(number(shelf)?), book: number(book)? })
        };
        parts(name)
            .ok_or_else(|| fault::invalid_field(field, "not of the form shelves/{number}/books/{number}"))
    }
}

/// A number as it is printed: one name for one thing.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl fmt::Display for ShelfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shelves/{}", self.0)
    }
}

impl fmt::Display for BookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/books/{}", self.shelf, self.book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = BookName { shelf: ShelfName(3), book: 14 };
        assert_eq!(BookName::parse("name", &name.to_string()).unwrap(), name);
        assert_eq!(ShelfName::parse("name", "shelves/3").unwrap(), ShelfName(3));
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let max = "18446744073709551616";
        for wrong in ["", "shelves", "shelves/", "shelves/x", "shelves/+1", "shelves/01", "shelves/-1", max] {
            assert!(ShelfName::parse("name", wrong).is_err(), "{wrong}");
            assert!(BookName::parse("name", &format!("{wrong}/books/1")).is_err(), "{wrong}");
        }
        for wrong in
            ["shelves/1", "shelves/1/books", "shelves/1/books/", "shelves/1/books/2/", "shelves/1/book/2"]
        {
            assert!(BookName::parse("name", wrong).is_err(), "{wrong}");
        }
    }
}
