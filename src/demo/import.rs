//! `Import`: books one by one on a client stream, and a summary of what became of them.

use std::time::Duration;

use tonic::{Request, Response, Status, Streaming};

use super::bookshop::Shop;
use super::fault;
use super::proto::transom::demo::v1::import_summary::Refusal;
use super::proto::transom::demo::v1::{ImportBooksRequest, ImportSummary, import_server};

/// How long the next book may take to come.
const PATIENCE: Duration = Duration::from_secs(300);

/// Names and refusals that a summary holds at most.
const MAX_NAMES: usize = 100;
const MAX_REFUSALS: usize = 20;

/// The service.
pub struct Import {
    pub shop: Shop,
}

#[tonic::async_trait]
impl import_server::Import for Import {
    async fn import_books(
        &self,
        request: Request<Streaming<ImportBooksRequest>>,
    ) -> Result<Response<ImportSummary>, Status> {
        let mut requests = request.into_inner();
        let mut batch = Batch::new(self.shop.clone());
        let late = |_| Status::deadline_exceeded("no book has come for five minutes");
        while let Some(request) = tokio::time::timeout(PATIENCE, requests.message()).await.map_err(late)?? {
            batch.take(request);
        }
        Ok(Response::new(batch.summary))
    }
}

/// One import.
struct Batch {
    shop: Shop,
    parent: String,
    validate_only: bool,
    summary: ImportSummary,
}

impl Batch {
    fn new(shop: Shop) -> Self {
        Self { shop, parent: String::new(), validate_only: false, summary: ImportSummary::default() }
    }

    fn take(&mut self, request: ImportBooksRequest) {
        let index = self.summary.received;
        self.summary.received = index.saturating_add(1);
        if index == 0 {
            self.validate_only = request.validate_only;
        }
        match self.put(request) {
            Ok(name) => self.kept(name),
            Err(status) if self.summary.refusals.len() < MAX_REFUSALS => {
                let reason = status.message().to_owned();
                self.summary.refusals.push(Refusal { index, reason });
            }
            // The difference of `received` and `imported` tells that there were more.
            Err(_) => {}
        }
    }

    fn put(&mut self, request: ImportBooksRequest) -> Result<Option<String>, Status> {
        if !request.parent.is_empty() {
            self.parent = request.parent;
        }
        let book = request.book.ok_or_else(|| fault::invalid_field("book", "is missing"))?;
        let mut catalogue = self.shop.catalogue();
        if self.validate_only {
            return catalogue.check_new(&self.parent, &book).map(|()| None);
        }
        catalogue.create_book(&self.parent, book).map(|book| Some(book.name))
    }

    fn kept(&mut self, name: Option<String>) {
        self.summary.imported = self.summary.imported.saturating_add(1);
        if self.summary.names.len() < MAX_NAMES {
            self.summary.names.extend(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::transom::demo::v1::Book;
    use super::*;

    fn titled(parent: &str, title: &str) -> ImportBooksRequest {
        let book = Some(Book { title: title.into(), ..Book::default() });
        ImportBooksRequest { parent: parent.into(), book, validate_only: false }
    }

    #[test]
    fn the_summary_tells_what_was_kept_and_what_was_not() {
        let mut batch = Batch::new(Shop::seeded());
        batch.take(titled("shelves/1", "One"));
        batch.take(titled("", ""));
        batch.take(titled("", "Three"));
        batch.take(titled("shelves/99", "Four"));
        batch.take(ImportBooksRequest::default());
        let summary = batch.summary;
        assert_eq!((summary.received, summary.imported), (5, 2));
        assert_eq!(summary.names.len(), 2);
        let refused: Vec<_> = summary.refusals.iter().map(|refusal| refusal.index).collect();
        assert_eq!(refused, [1, 3, 4]);
        assert_eq!(summary.refusals[0].reason, "book.title: a book needs a title");
    }

    #[test]
    fn validate_only_keeps_nothing() {
        let shop = Shop::seeded();
        let before = shop.catalogue().len();
        let mut batch = Batch::new(shop.clone());
        batch.take(ImportBooksRequest { validate_only: true, ..titled("shelves/1", "One") });
        batch.take(titled("", "Two"));
        assert_eq!((batch.summary.imported, batch.summary.names.len()), (2, 0));
        assert_eq!(shop.catalogue().len(), before);
    }

    #[test]
    fn the_summary_is_bounded() {
        let mut batch = Batch::new(Shop::seeded());
        for _ in 0..200 {
            batch.take(titled("shelves/1", "Again"));
            batch.take(titled("", ""));
        }
        assert_eq!((batch.summary.received, batch.summary.imported), (400, 200));
        assert_eq!((batch.summary.names.len(), batch.summary.refusals.len()), (MAX_NAMES, MAX_REFUSALS));
    }
}
