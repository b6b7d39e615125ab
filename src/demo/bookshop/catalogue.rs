//! What the shop has: shelves, books and covers, in memory, within limits.
//!
//! Every change is checked before anything is touched. This module knows resource names and limits; what
//! makes a book valid stands in `check`, what changes it in `update`.
#![expect(clippy::similar_names, reason = "a shop has shelves, and Rust has self")]

use std::collections::BTreeMap;

use tonic::Status;

use super::cover::Cover;
use super::name::{BookName, ShelfName};
use super::{check, fault, update};
use crate::demo::proto::google::api::HttpBody;
use crate::demo::proto::transom::demo::v1::{Book, Shelf};

const MAX_SHELVES: usize = 100;
const MAX_BOOKS: usize = 2000;
const MAX_COVERS: usize = 64;

/// The longest theme of a shelf, in bytes.
const MAX_THEME: usize = 200;

/// All shelves in the order of their numbers. Numbers are not used twice.
#[derive(Default)]
pub struct Catalogue {
    shelves: BTreeMap<ShelfName, Standing>,
    last_shelf: u64,
}

/// A shelf as it stands.
struct Standing {
    theme: String,
    copies: BTreeMap<u64, Copy>,
    last_book: u64,
}

/// A book with what is not in its message.
struct Copy {
    book: Book,
    cover: Option<Cover>,
}

impl Catalogue {
    /// How many books there are.
    pub fn len(&self) -> usize {
        self.shelves.values().map(|shelf| shelf.copies.len()).sum()
    }

    /// All shelves.
    pub fn shelves(&self) -> Vec<Shelf> {
        self.shelves.iter().map(|(name, shelf)| shelf.message(*name)).collect()
    }

    /// One shelf.
    pub fn shelf(&self, name: &str) -> Result<Shelf, Status> {
        let parsed = ShelfName::parse("name", name)?;
        Ok(self.standing(parsed)?.message(parsed))
    }

    /// Puts up a shelf.
    pub fn create_shelf(&mut self, shelf: &Shelf) -> Result<Shelf, Status> {
        if shelf.theme.is_empty() || shelf.theme.len() > MAX_THEME {
            return Err(fault::invalid_field("shelf.theme", "from 1 to 200 bytes"));
        }
        if self.shelves.len() >= MAX_SHELVES {
            return Err(fault::exhausted("shelves", "the shop has no room for another shelf"));
        }
        Ok(self.add_shelf(&shelf.theme, []))
    }

    /// Puts up a shelf with books on it, as they are.
    pub fn add_shelf(&mut self, theme: &str, books: impl IntoIterator<Item = Book>) -> Shelf {
        self.last_shelf += 1;
        let name = ShelfName(self.last_shelf);
        let mut standing = Standing { theme: theme.to_owned(), copies: BTreeMap::new(), last_book: 0 };
        for book in books {
            standing.add(name, book);
        }
        let message = standing.message(name);
        self.shelves.insert(name, standing);
        message
    }

    /// Takes a shelf down; with books on it only by force.
    pub fn delete_shelf(&mut self, name: &str, force: bool) -> Result<(), Status> {
        let parsed = ShelfName::parse("name", name)?;
        if !self.standing(parsed)?.copies.is_empty() && !force {
            let why = "there are books on the shelf; force=true takes them down as well";
            return Err(fault::precondition("SHELF_NOT_EMPTY", name, why));
        }
        self.shelves.remove(&parsed);
        Ok(())
    }

    /// The books of one shelf, or of all, in the order of their names.
    pub fn books(&self, shelf: Option<ShelfName>) -> Result<Vec<(BookName, &Book)>, Status> {
        if let Some(name) = shelf {
            self.standing(name)?;
        }
        let wanted = |name: ShelfName| shelf.is_none_or(|shelf| shelf == name);
        let shelves = self.shelves.iter().filter(|(name, _)| wanted(**name));
        let books = shelves.flat_map(|(&shelf, standing)| {
            standing.copies.iter().map(move |(&book, copy)| (BookName { shelf, book }, &copy.book))
        });
        Ok(books.collect())
    }

    /// The book of this name.
    pub fn book(&self, name: &str) -> Result<&Book, Status> {
        self.copy(BookName::parse("name", name)?).map(|copy| &copy.book)
    }

    /// The first book of this ISBN; hyphens do not count.
    pub fn book_by_isbn(&self, isbn: &str) -> Result<&Book, Status> {
        let digits = isbn.replace('-', "");
        if !check::is_isbn(&digits) {
            return Err(fault::invalid_field("isbn", "not an ISBN-13"));
        }
        self.all()
            .find(|book| book.isbn.as_deref() == Some(&digits))
            .ok_or_else(|| fault::not_found("Book", &format!("isbn/{digits}")))
    }

    /// The first book whose author's family name or a longer word of whose title is in `text`.
    pub fn mentioned(&self, text: &str) -> Option<&Book> {
        let text = text.to_lowercase();
        let written = |book: &Book| {
            let mut names = book.authors.iter().map(|author| author.family_name.to_lowercase());
            names.any(|name| !name.is_empty() && text.contains(&name))
        };
        let titled = |book: &Book| {
            let words = book.title.split_whitespace().map(str::to_lowercase);
            words.filter(|word| word.len() > 4).any(|word| text.contains(&word))
        };
        self.all().find(|book| written(book)).or_else(|| self.all().find(|book| titled(book)))
    }

    /// Whether `book` could be put on the shelf `parent`.
    pub fn check_new(&self, parent: &str, book: &Book) -> Result<(), Status> {
        self.standing(ShelfName::parse("parent", parent)?)?;
        check::book(book)?;
        if self.len() >= MAX_BOOKS {
            return Err(fault::exhausted("books", "the shop has no room for another book"));
        }
        Ok(())
    }

    /// Puts a book on the shelf `parent`.
    pub fn create_book(&mut self, parent: &str, book: Book) -> Result<Book, Status> {
        self.check_new(parent, &book)?;
        let shelf = ShelfName::parse("parent", parent)?;
        let standing = self.shelves.get_mut(&shelf).ok_or_else(|| fault::not_found("Shelf", parent))?;
        Ok(standing.add(shelf, update::new(book)))
    }

    /// Changes a book. When `change` fails or leaves it not valid, it stays as it was.
    pub fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Book) -> Result<(), Status>,
    ) -> Result<Book, Status> {
        let copy = self.copy_mut(BookName::parse("name", name)?)?;
        let mut changed = copy.book.clone();
        change(&mut changed)?;
        check::book(&changed)?;
        copy.book.clone_from(&changed);
        Ok(changed)
    }

    /// Takes a book away.
    pub fn delete_book(&mut self, name: &str) -> Result<(), Status> {
        let parsed = BookName::parse("name", name)?;
        let copies = self.shelves.get_mut(&parsed.shelf).map(|shelf| &mut shelf.copies);
        let gone = copies.and_then(|copies| copies.remove(&parsed.book));
        gone.map(drop).ok_or_else(|| fault::not_found("Book", name))
    }

    /// The cover of a book: its own, or one that is drawn for it.
    pub fn cover(&self, name: &str) -> Result<HttpBody, Status> {
        let copy = self.copy(BookName::parse("name", name)?)?;
        Ok(copy.cover.as_ref().map_or_else(|| super::cover::draw(&copy.book), Cover::body))
    }

    /// Gives a book a cover.
    pub fn set_cover(&mut self, name: &str, cover: Cover) -> Result<(), Status> {
        let covered = self.copies().filter(|copy| copy.cover.is_some()).count();
        let copy = self.copy_mut(BookName::parse("name", name)?)?;
        if copy.cover.is_none() && covered >= MAX_COVERS {
            return Err(fault::exhausted("covers", "the shop has no room for another cover"));
        }
        copy.cover = Some(cover);
        Ok(())
    }

    fn copies(&self) -> impl Iterator<Item = &Copy> {
        self.shelves.values().flat_map(|shelf| shelf.copies.values())
    }

    fn all(&self) -> impl Iterator<Item = &Book> {
        self.copies().map(|copy| &copy.book)
    }

    fn standing(&self, name: ShelfName) -> Result<&Standing, Status> {
        self.shelves.get(&name).ok_or_else(|| fault::not_found("Shelf", &name.to_string()))
    }

    fn copy(&self, name: BookName) -> Result<&Copy, Status> {
        let copy = self.shelves.get(&name.shelf).and_then(|shelf| shelf.copies.get(&name.book));
        copy.ok_or_else(|| fault::not_found("Book", &name.to_string()))
    }

    fn copy_mut(&mut self, name: BookName) -> Result<&mut Copy, Status> {
        let copy = self.shelves.get_mut(&name.shelf).and_then(|shelf| shelf.copies.get_mut(&name.book));
        copy.ok_or_else(|| fault::not_found("Book", &name.to_string()))
    }
}

impl Standing {
    /// Puts a book on this shelf, under the next number.
    fn add(&mut self, shelf: ShelfName, mut book: Book) -> Book {
        self.last_book += 1;
        book.name = BookName { shelf, book: self.last_book }.to_string();
        self.copies.insert(self.last_book, Copy { book: book.clone(), cover: None });
        book
    }

    fn message(&self, name: ShelfName) -> Shelf {
        let book_count = i32::try_from(self.copies.len()).unwrap_or(i32::MAX);
        Shelf { name: name.to_string(), theme: self.theme.clone(), book_count }
    }
}

#[cfg(test)]
mod tests;
