//! Where a configuration comes from. A stand-in until the configuration is merged: it knows the two
//! addresses only.

use std::path::PathBuf;
use std::sync::Arc;

use super::model::{Accept, Admin, Collisions, Config, Listen, PolicyKeys, Server};
use super::problem::{Located, Location, Problem};

#[derive(Clone, Debug)]
pub struct Source {
    pub kind: Kind,
    pub env: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub enum Kind {
    File(PathBuf),
    Text { name: String, text: String, base: PathBuf, descriptors: Option<&'static [u8]> },
}

#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Problem>,
}

impl Source {
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { kind: Kind::File(path.into()), env: std::env::vars().collect() }
    }

    fn get<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        let found = self.env.iter().find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.parse().ok()).unwrap_or(default)
    }
}

pub fn load(source: &Source) -> Result<Loaded, Vec<Problem>> {
    let files = match &source.kind {
        Kind::File(path) if path.exists() => vec![path.clone()],
        Kind::File(path) => {
            let at = Location { file: Some(Arc::new(path.clone())), ..Location::default() };
            return Err(vec![Problem::error(at, "the file cannot be read")]);
        }
        Kind::Text { .. } => Vec::new(),
    };
    let located =
        |value| Located { value, at: Location { key: "server.listen".into(), ..Location::default() } };
    let config = Config {
        collisions: Collisions::Error,
        server: Server {
            listen: vec![located(Listen::Tcp(
                source.get("TRANSOM_SERVER__LISTEN", ([127, 0, 0, 1], 8080).into()),
            ))],
            workers: 2,
            accept: if source.get("SHARED", false) { Accept::Shared } else { Accept::PerCore },
            tls: None,
        },
        admin: Admin {
            listen: Located {
                value: source.get("TRANSOM_ADMIN__LISTEN", ([127, 0, 0, 1], 9901).into()),
                at: Location { key: "admin.listen".into(), ..Location::default() },
            },
        },
        schema: Vec::new(),
        upstreams: Vec::new(),
        defaults: PolicyKeys::default(),
        policies: Vec::new(),
        routes: Vec::new(),
        files,
        include: Vec::new(),
    };
    Ok(Loaded { config, warnings: Vec::new() })
}
