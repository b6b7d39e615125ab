//! Lists of books: filters and pages.

use std::cmp::Ordering;

use prost_types::Timestamp;
use tonic::Status;

use super::catalogue::Catalogue;
use super::fault;
use super::name::{BookName, ShelfName};
use crate::demo::proto::transom::demo::v1::book::Availability;
use crate::demo::proto::transom::demo::v1::{Book, ListBooksRequest, ListBooksResponse, YearRange};

/// Books of a page when the request names no number.
const PAGE: usize = 10;

/// Books of the largest page; who asks for more gets as many.
const MAX_PAGE: usize = 100;

/// One page of the books that the request asks for.
pub fn list(catalogue: &Catalogue, request: &ListBooksRequest) -> Result<ListBooksResponse, Status> {
    let shelf = match request.parent.as_str() {
        "" => None,
        parent => Some(ShelfName::parse("parent", parent)?),
    };
    let size = page_size(request.page_size)?;
    let after = page_token(&request.page_token)?;

    let mut found = catalogue.books(shelf)?;
    found.retain(|(_, book)| wanted(request, book));
    let total_size = i32::try_from(found.len()).unwrap_or(i32::MAX);
    found.retain(|(name, _)| after.is_none_or(|after| *name > after));
    let more = found.len() > size;
    found.truncate(size);

    let last = found.last().filter(|_| more);
    Ok(ListBooksResponse {
        next_page_token: last.map(|(name, _)| token(*name)).unwrap_or_default(),
        books: found.into_iter().map(|(_, book)| book.clone()).collect(),
        total_size,
    })
}

fn page_size(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE),
        Ok(size) => Ok(size.min(MAX_PAGE)),
        Err(_) => Err(fault::invalid_field("page_size", "not a negative number")),
    }
}

/// A token is the last book of the page: pages neither repeat nor skip a book when others come and go.
fn token(BookName { shelf, book }: BookName) -> String {
    format!("{}.{book}", shelf.0)
}

fn page_token(token: &str) -> Result<Option<BookName>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = |token: &str| {
        let (shelf, book) = token.split_once('.')?;
        Some(BookName { shelf: ShelfName(shelf.parse().ok()?), book: book.parse().ok()? })
    };
    parts(token).map(Some).ok_or_else(|| fault::invalid_field("page_token", "not a token of this method"))
}

fn wanted(request: &ListBooksRequest, book: &Book) -> bool {
    (request.genre == 0 || book.genre == request.genre)
        && by_author(book, &request.author)
        && request.published.is_none_or(|years| published_in(book, years))
        && request.added_after.as_ref().is_none_or(|time| added_after(book, time))
        && request.available.is_none_or(|available| is_available(book) == available)
        && request.labels.iter().all(|label| has_label(book, label))
}

fn by_author(book: &Book, name: &str) -> bool {
    let name = name.to_lowercase();
    name.is_empty() || book.authors.iter().any(|author| author.family_name.to_lowercase() == name)
}

fn published_in(book: &Book, years: YearRange) -> bool {
    let year = book.first_published;
    (years.from == 0 || year >= years.from) && (years.to == 0 || year <= years.to)
}

fn added_after(book: &Book, time: &Timestamp) -> bool {
    let order = |added: &Timestamp| added.seconds.cmp(&time.seconds).then(added.nanos.cmp(&time.nanos));
    book.added.as_ref().is_some_and(|added| order(added) == Ordering::Greater)
}

fn is_available(book: &Book) -> bool {
    !matches!(book.availability, Some(Availability::Loan(_)))
}

fn has_label(book: &Book, label: &str) -> bool {
    match label.split_once(':') {
        Some((key, value)) => book.labels.get(key).is_some_and(|has| has == value),
        None => book.labels.contains_key(label),
    }
}

#[cfg(test)]
mod tests {
    use super::super::seed;
    use super::*;
    use crate::demo::proto::transom::demo::v1::Genre;

    fn names(request: &ListBooksRequest) -> Vec<String> {
        let request = ListBooksRequest { page_size: 100, ..request.clone() };
        let found = list(&seed::catalogue(), &request).unwrap();
        assert_eq!(found.next_page_token, "");
        assert_eq!(usize::try_from(found.total_size).unwrap(), found.books.len());
        found.books.into_iter().map(|book| book.name).collect()
    }

    #[test]
    fn pages_of_every_size_give_every_book_once() {
        let catalogue = seed::catalogue();
        let all = names(&ListBooksRequest::default());
        assert_eq!(all.len(), catalogue.len());
        for page_size in 1..30 {
            let mut seen = Vec::new();
            let mut request = ListBooksRequest { page_size, ..ListBooksRequest::default() };
            loop {
                let page = list(&catalogue, &request).unwrap();
                assert!(page.books.len() <= usize::try_from(page_size).unwrap());
                seen.extend(page.books.into_iter().map(|book| book.name));
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, all, "{page_size}");
        }
    }

    #[test]
    fn each_filter_filters() {
        let request = ListBooksRequest::default;
        let all = names(&request()).len();
        let genre = Genre::Mystery.into();
        let mystery = names(&ListBooksRequest { genre, ..request() });
        assert!(!mystery.is_empty() && mystery.len() < all);
        let by = |author: &str| names(&ListBooksRequest { author: author.into(), ..request() });
        assert_eq!(by("le guin"), ["shelves/2/books/1"]);
        assert!(by("nobody").is_empty());
        let shelf = names(&ListBooksRequest { parent: "shelves/3".into(), ..request() });
        assert!(shelf.iter().all(|name| name.starts_with("shelves/3/")) && !shelf.is_empty());
        let years =
            |from, to| names(&ListBooksRequest { published: Some(YearRange { from, to }), ..request() });
        assert_eq!(years(0, 1900).len() + years(1901, 0).len(), all);
        let available = |available| names(&ListBooksRequest { available: Some(available), ..request() });
        assert_eq!(available(true).len() + available(false).len(), all);
        assert!(!available(false).is_empty());
        let labelled =
            |label: &str| names(&ListBooksRequest { labels: vec![label.into()], ..request() }).len();
        assert!(labelled("binding:hardcover") < labelled("binding"));
        assert!(labelled("binding:hardcover") > 0);
        let added_after = Some(Timestamp { seconds: i64::MAX, nanos: 0 });
        assert!(names(&ListBooksRequest { added_after, ..request() }).is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let token =
            |token: &str| ListBooksRequest { page_token: token.into(), ..ListBooksRequest::default() };
        let refused = [
            ListBooksRequest { page_size: -1, ..ListBooksRequest::default() },
            ListBooksRequest { parent: "shelf/1".into(), ..ListBooksRequest::default() },
            ListBooksRequest { parent: "shelves/99".into(), ..ListBooksRequest::default() },
            token("x"),
            token("1"),
            token("1.x"),
        ];
        for request in refused {
            assert!(list(&seed::catalogue(), &request).is_err(), "{request:?}");
        }
    }
}
