//! Servers that tell their schema by reflection: well, or as a test wants them to.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::transport::Server;
use tonic::transport::server::{Connected, Router};
use tonic::{Request, Response, Status, Streaming};
pub use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Question;
pub use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse, server_reflection_server as v1,
};

use super::tls::Identity;

/// What a server answers to a question; `None`: nothing, for ever.
type Answers = Arc<dyn Fn(Question) -> Option<Answer> + Send + Sync>;

/// `grpc.reflection.v1` by a function.
#[derive(Clone)]
pub struct Reflection {
    answers: Answers,
    /// The questions so far.
    pub asked: Arc<Mutex<Vec<Question>>>,
}

impl Reflection {
    pub fn by(answers: impl Fn(Question) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), asked: Arc::default() }
    }

    /// What sets say, the first that knows.
    pub fn of(set: &[u8]) -> Self {
        let described = Described::new(set);
        Self::by(move |question| Some(described.answer(&question)))
    }
}

#[tonic::async_trait]
impl v1::ServerReflection for Reflection {
    type ServerReflectionInfoStream = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let this = self.clone();
        let answers = request.into_inner().then(move |question| {
            let this = this.clone();
            async move {
                let question = question?.message_request.unwrap();
                this.asked.lock().unwrap().push(question.clone());
                let Some(answer) = (this.answers)(question) else { return std::future::pending().await };
                Ok(ServerReflectionResponse { message_response: Some(answer), ..Default::default() })
            }
        });
        Ok(Response::new(answers.boxed()))
    }
}

/// A descriptor set, ready for questions.
pub struct Described {
    files: HashMap<String, Bytes>,
    declaring: HashMap<String, Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

impl Described {
    pub fn new(set: &[u8]) -> Self {
        let mut described = Self { files: HashMap::new(), declaring: HashMap::new() };
        for encoded in FileSet::decode(set).unwrap().file {
            let file = prost_types::FileDescriptorProto::decode(encoded.clone()).unwrap();
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                described.declaring.insert(name, encoded.clone());
            }
            described.files.insert(file.name().to_owned(), encoded);
        }
        described
    }

    pub fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::ListServices(_) => list(self.declaring.keys().map(String::as_str)),
            Question::FileByFilename(name) => {
                self.files.get(name).map_or_else(not_found, |file| files(&[file]))
            }
            Question::FileContainingSymbol(name) => {
                self.declaring.get(name).map_or_else(not_found, |file| files(&[file]))
            }
            _ => not_found(),
        }
    }
}

pub fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> Answer {
    let service = names.into_iter().map(|name| ServiceResponse { name: name.to_owned() }).collect();
    Answer::ListServicesResponse(ListServiceResponse { service })
}

pub fn files(files: &[&Bytes]) -> Answer {
    let file_descriptor_proto = files.iter().map(|file| file.to_vec()).collect();
    Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
}

pub fn not_found() -> Answer {
    Answer::ErrorResponse(ErrorResponse { error_code: 5, error_message: "unknown".to_owned() })
}

/// A file of package `a.v1` with a service `A` of one method, and imports.
pub fn file(name: &str, imports: &[&str]) -> Bytes {
    use prost_types::{DescriptorProto, FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};
    let stem = name.trim_end_matches(".proto").replace('/', "_");
    let message = format!("M{stem}");
    let method = MethodDescriptorProto {
        name: Some("Get".into()),
        input_type: Some(format!(".a.v1.{message}")),
        output_type: Some(format!(".a.v1.{message}")),
        ..Default::default()
    };
    let service =
        ServiceDescriptorProto { name: Some(format!("S{stem}")), method: vec![method], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some(name.into()),
        package: Some("a.v1".into()),
        dependency: imports.iter().map(ToString::to_string).collect(),
        message_type: vec![DescriptorProto { name: Some(message), ..Default::default() }],
        service: vec![service],
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    file.encode_to_vec().into()
}

/// The descriptor set of sources, imports and annotations included.
pub fn compile(file: &str, source: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file), source).unwrap();
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let mut compiler = protox::Compiler::new([folder.path(), protos.as_ref()]).unwrap();
    compiler.include_imports(true).open_file(file).unwrap();
    compiler.encode_file_descriptor_set()
}

/// A running tonic server; it ends when dropped.
pub struct Running {
    /// As an endpoint of an upstream names it.
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A router with a reflection service.
pub fn router(reflection: Reflection) -> Router {
    Server::builder().add_service(v1::ServerReflectionServer::new(reflection))
}

/// Serves on a free port.
pub async fn serve(router: Router) -> Running {
    serve_at(router, "127.0.0.1:0").await
}

/// Serves at an address, where another may have served before.
pub async fn serve_at(router: Router, address: &str) -> Running {
    let listener = TcpListener::bind(address).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accepted = stream::try_unfold(listener, |listener| async move {
        let (socket, _) = listener.accept().await?;
        Ok(Some((Socket(Box::new(socket)), listener)))
    });
    run(url, router, accepted)
}

/// Serves on a Unix socket.
pub fn serve_unix(router: Router, path: &Path) -> Running {
    let listener = UnixListener::bind(path).unwrap();
    let accepted = stream::try_unfold(listener, |listener| async move {
        let (socket, _) = listener.accept().await?;
        Ok(Some((Socket(Box::new(socket)), listener)))
    });
    run(format!("unix:{}", path.display()), router, accepted)
}

/// Serves TLS on a free port, as `localhost`.
pub async fn serve_tls(router: Router, identity: &Identity) -> Running {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = acceptor(identity);
    let accepted = stream::try_unfold((listener, acceptor), |(listener, acceptor)| async move {
        let socket = accept_tls(&listener, &acceptor).await?;
        Ok(Some((Socket(Box::new(socket)), (listener, acceptor))))
    });
    run(url, router, accepted)
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// The next client that trusts us.
async fn accept_tls(
    listener: &TcpListener,
    acceptor: &TlsAcceptor,
) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    loop {
        let (socket, _) = listener.accept().await?;
        if let Ok(socket) = acceptor.accept(socket).await {
            return Ok(socket);
        }
    }
}

fn run(
    url: String,
    router: Router,
    accepted: impl futures_util::Stream<Item = std::io::Result<Socket>> + Send + 'static,
) -> Running {
    let accepted = accepted.into_stream();
    let task = tokio::spawn(async move { router.serve_with_incoming(accepted).await.unwrap() });
    Running { url, task }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Any socket.
struct Socket(Box<dyn Stream>);

impl Connected for Socket {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
