//! `Chat`: a talk with the bookseller, one answer for each message and a goodbye at the end.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Code, Request, Response, Status, Streaming};

use super::bookshop::Shop;
use super::fault;
use super::proto::transom::demo::v1::{TalkRequest, TalkResponse, chat_server};

/// How long a visitor may say nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// The longest text, in bytes.
const MAX_TEXT: usize = 4096;

/// The longest name of a visitor, in bytes.
const MAX_VISITOR: usize = 100;

/// The service.
pub struct Chat {
    pub shop: Shop,
}

#[tonic::async_trait]
impl chat_server::Chat for Chat {
    type TalkStream = BoxStream<'static, Result<TalkResponse, Status>>;

    async fn talk(
        &self,
        request: Request<Streaming<TalkRequest>>,
    ) -> Result<Response<Self::TalkStream>, Status> {
        let talk = Talk::new(self.shop.clone());
        let answers = stream::unfold(Some((talk, request.into_inner())), |state| async move {
            let (mut talk, mut requests) = state?;
            let answer = match tokio::time::timeout(PATIENCE, requests.message()).await {
                Ok(Ok(Some(request))) => talk.answer(request),
                Ok(Ok(None)) => Ok(talk.goodbye()),
                Ok(Err(status)) => Err(status),
                Err(_) => Err(Status::deadline_exceeded("you have said nothing for five minutes")),
            };
            let over = answer.as_ref().map_or(true, |answer| answer.goodbye);
            Some((answer, (!over).then_some((talk, requests))))
        });
        Ok(Response::new(answers.boxed()))
    }
}

/// One talk.
struct Talk {
    shop: Shop,
    /// Who speaks; known from the first message on.
    visitor: Option<String>,
    answers: i32,
}

impl Talk {
    fn new(shop: Shop) -> Self {
        Self { shop, visitor: None, answers: 0 }
    }

    fn answer(&mut self, request: TalkRequest) -> Result<TalkResponse, Status> {
        if request.fail_code != 0 {
            let code = fault::code("fail_code", request.fail_code, Code::Unknown)?;
            return Err(Status::new(code, "the bookseller left, as you asked"));
        }
        if request.text.len() > MAX_TEXT {
            return Err(fault::invalid_field("text", "longer than 4096 bytes"));
        }
        if request.visitor.len() > MAX_VISITOR {
            return Err(fault::invalid_field("visitor", "longer than 100 bytes"));
        }
        let first = self.visitor.is_none();
        let visitor = self.visitor.get_or_insert(request.visitor);
        let greeting = if first { greeting(visitor) } else { String::new() };
        self.answers = self.answers.saturating_add(1);
        Ok(TalkResponse {
            number: self.answers,
            text: greeting + &advice(&self.shop, &request.text),
            in_reply_to: request.text,
            goodbye: false,
        })
    }

    fn goodbye(&mut self) -> TalkResponse {
        let text = match self.answers {
            0 => "You have not said a word. Come again.".to_owned(),
            1 => "Goodbye. That was one question.".to_owned(),
            many => format!("Goodbye. Those were {many} questions."),
        };
        let number = self.answers.saturating_add(1);
        TalkResponse { number, text, in_reply_to: String::new(), goodbye: true }
    }
}

fn greeting(visitor: &str) -> String {
    if visitor.is_empty() { "Good day. ".to_owned() } else { format!("Good day, {visitor}. ") }
}

/// What the bookseller says to `text`.
fn advice(shop: &Shop, text: &str) -> String {
    let catalogue = shop.catalogue();
    let Some(book) = catalogue.mentioned(text) else {
        return "I do not know that one. Tell me an author you like.".to_owned();
    };
    format!("You will want \"{}\": it is {}.", book.title, book.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(talk: &mut Talk, text: &str) -> TalkResponse {
        let request = TalkRequest { visitor: "Ada".into(), text: text.into(), fail_code: 0 };
        talk.answer(request).unwrap()
    }

    #[test]
    fn the_bookseller_answers_counts_and_takes_leave() {
        let mut talk = Talk::new(Shop::seeded());
        let first = say(&mut talk, "Have you anything by LE GUIN?");
        assert_eq!(
            first.text,
            "Good day, Ada. You will want \"The Left Hand of Darkness\": it is shelves/2/books/1."
        );
        let second = say(&mut talk, "zzz");
        assert_eq!(second.text, "I do not know that one. Tell me an author you like.");
        assert_eq!((second.number, second.in_reply_to.as_str()), (2, "zzz"));
        let last = talk.goodbye();
        assert_eq!((last.number, last.text.as_str()), (3, "Goodbye. Those were 2 questions."));
        assert!(last.goodbye);
    }

    #[test]
    fn a_message_can_end_the_talk_and_a_long_one_is_refused() {
        let mut talk = Talk::new(Shop::seeded());
        let code = |talk: &mut Talk, request| talk.answer(request).err().map(|status| status.code());
        let fail = |fail_code| TalkRequest { fail_code, ..TalkRequest::default() };
        assert_eq!(code(&mut talk, fail(8)), Some(Code::ResourceExhausted));
        assert_eq!(code(&mut talk, fail(99)), Some(Code::InvalidArgument));
        let long = TalkRequest { text: "x".repeat(MAX_TEXT + 1), ..TalkRequest::default() };
        assert_eq!(code(&mut talk, long), Some(Code::InvalidArgument));
    }
}
