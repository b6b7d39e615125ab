//! The exchange with one server: which services it has, the file of each, the files that those import.
//!
//! A few questions are under way at a time, so that a server far away is not asked file by file; more
//! would be answered in vain, since many servers add all imports to every answer.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::codec::Streaming;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Code, Status};

use super::collection::{Collection, Told};
use super::{ANSWER, OTHERWISE, Trouble, shown};
use crate::rpc::services::grpc::reflection::v1::server_reflection_client::ServerReflectionClient as V1;
use crate::rpc::services::grpc::reflection::v1::server_reflection_request::MessageRequest as Question;
use crate::rpc::services::grpc::reflection::v1::server_reflection_response::MessageResponse as Answer;
use crate::rpc::services::grpc::reflection::v1::{
    ErrorResponse, ServerReflectionRequest, ServerReflectionResponse,
};
use crate::rpc::services::grpc::reflection::v1alpha::server_reflection_client::ServerReflectionClient as V1Alpha;
use crate::rpc::{Caller, Client};

/// Questions under way at a time.
const AHEAD: usize = 8;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The package of gRPC's own services, which nobody calls through a gateway.
const RESERVED: &str = "grpc.";

/// Holds the whole conversation.
pub(super) async fn hold(client: Client<impl Caller>) -> Result<Told, Trouble> {
    let (mut conversation, services) = Conversation::open(client).await?;
    let mut collection = Collection::new(services)?;
    let mut waiting: VecDeque<Topic> = collection.services().map(Topic::Service).collect();
    let mut named: HashSet<String> = HashSet::new();
    let mut under_way = VecDeque::new();
    loop {
        while under_way.len() < AHEAD
            && let Some(topic) = waiting.pop_front()
        {
            if !topic.is_known(&collection) {
                conversation.ask(topic.question()).await?;
                under_way.push_back(topic);
            }
        }
        let Some(topic) = under_way.pop_front() else { break };
        match conversation.answer().await? {
            Answer::FileDescriptorResponse(answer) => {
                for file in answer.file_descriptor_proto {
                    let imports = collection.add(&file)?.into_iter();
                    waiting.extend(imports.filter(|name| named.insert(name.clone())).map(Topic::File));
                }
            }
            Answer::ErrorResponse(error) => topic.refused(&error)?,
            _ => return Err(unexpected()),
        }
    }
    collection.finish()
}

/// What a question is about.
enum Topic {
    Service(String),
    File(String),
}

impl Topic {
    fn question(&self) -> Question {
        match self {
            Self::Service(name) => Question::FileContainingSymbol(name.clone()),
            Self::File(name) => Question::FileByFilename(name.clone()),
        }
    }

    fn is_known(&self, collection: &Collection) -> bool {
        match self {
            Self::Service(name) => collection.has_service(name),
            Self::File(name) => collection.has_file(name),
        }
    }

    /// What is not found is judged when everything is there; every other error ends the conversation.
    fn refused(&self, error: &ErrorResponse) -> Result<(), Trouble> {
        let (Self::Service(name) | Self::File(name)) = self;
        if Code::from_i32(error.error_code) == Code::NotFound {
            return Ok(());
        }
        let message = format!("asked for {}, it answers: {}", shown(name), shown(&error.error_message));
        Err(Trouble::new(message, OTHERWISE))
    }
}

/// An open stream of questions and answers.
struct Conversation {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    /// Opens a stream with the question which services there are, and gives the answer.
    async fn open(client: Client<impl Caller>) -> Result<(Self, Vec<String>), Trouble> {
        match Self::begin(client.clone(), false).await? {
            Ok(opened) => Ok(opened),
            Err(status) if status.code() == Code::Unimplemented => match Self::begin(client, true).await? {
                Ok(opened) => Ok(opened),
                Err(status) if status.code() == Code::Unimplemented => Err(Trouble::new(
                    "it has no reflection, neither grpc.reflection.v1 nor v1alpha",
                    "add the reflection service to the server, or name its descriptors as `descriptor_set` or `protos` instead",
                )),
                Err(status) => Err(failed(&status)),
            },
            Err(status) => Err(failed(&status)),
        }
    }

    /// The inner error is what the server answers to the very first question.
    async fn begin(
        client: Client<impl Caller>,
        alpha: bool,
    ) -> Result<Result<(Self, Vec<String>), Status>, Trouble> {
        let (questions, asked) = mpsc::channel(AHEAD);
        let list = request(Question::ListServices(String::new()));
        // The channel is new and has room.
        questions.try_send(list).map_err(|_| unexpected())?;
        let opening = async {
            let asked = received(asked);
            let answers = if alpha {
                V1Alpha::new(client).max_decoding_message_size(ANSWER).server_reflection_info(asked).await
            } else {
                V1::new(client).max_decoding_message_size(ANSWER).server_reflection_info(asked).await
            };
            let mut answers = answers?.into_inner();
            let first = answers.message().await?;
            Ok((Self { questions, answers }, first))
        };
        let (conversation, first) = match timeout(PATIENCE, opening).await.map_err(|_| silent())? {
            Ok(opened) => opened,
            Err(status) => return Ok(Err(status)),
        };
        match first.and_then(|first| first.message_response) {
            Some(Answer::ListServicesResponse(list)) => {
                let names = list.service.into_iter().map(|service| service.name);
                Ok(Ok((conversation, names.filter(|name| !name.starts_with(RESERVED)).collect())))
            }
            Some(Answer::ErrorResponse(error)) => {
                let message = format!("asked for its services, it answers: {}", shown(&error.error_message));
                Err(Trouble::new(message, OTHERWISE))
            }
            _ => Err(unexpected()),
        }
    }

    async fn ask(&self, question: Question) -> Result<(), Trouble> {
        let sent = timeout(PATIENCE, self.questions.send(request(question))).await;
        sent.map_err(|_| silent())?.map_err(|_| ended())
    }

    /// The answer to the oldest question that has none.
    async fn answer(&mut self) -> Result<Answer, Trouble> {
        let answer = timeout(PATIENCE, self.answers.message()).await.map_err(|_| silent())?;
        let answer = answer.map_err(|status| failed(&status))?.ok_or_else(ended)?;
        answer.message_response.ok_or_else(unexpected)
    }
}

fn request(question: Question) -> ServerReflectionRequest {
    ServerReflectionRequest { host: String::new(), message_request: Some(question) }
}

/// The questions as a stream, which ends with their sender.
fn received(asked: mpsc::Receiver<ServerReflectionRequest>) -> impl Stream<Item = ServerReflectionRequest> {
    futures_util::stream::unfold(asked, |mut asked| async move { Some((asked.recv().await?, asked)) })
}

fn failed(status: &Status) -> Trouble {
    Trouble::new(shown(status.message()), OTHERWISE)
}

fn silent() -> Trouble {
    Trouble::new(format!("it has not answered within {} s", PATIENCE.as_secs()), OTHERWISE)
}

fn ended() -> Trouble {
    Trouble::new("it has ended the conversation in the middle", OTHERWISE)
}

fn unexpected() -> Trouble {
    Trouble::new("it answers something that was not asked", OTHERWISE)
}
