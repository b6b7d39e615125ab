//! `transom init`: asks a running server for its schema, and writes a `gateway.toml` and a descriptor set
//! that serve it.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::colour::Colours;
use super::problems::{self, Problem, outside, print};
use crate::config::{self, Kind, Source};
use crate::gateway::{Gateway, reflection};

/// The files that are written.
const CONFIG: &str = "gateway.toml";
const SET: &str = "schema.binpb";

/// What the upstream is called until its packages are known.
const UNKNOWN: &str = "upstream";

/// Whom to ask, and where to write.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The server: http://HOST:PORT, https://HOST:PORT, unix:PATH or dns:///NAME:PORT. It is asked by
    /// grpc.reflection.v1, then v1alpha.
    #[arg(long, value_name = "URL")]
    reflect: String,
    /// The folder for gateway.toml and schema.binpb; it is made where it is missing.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Replace files that are there already.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    tls: Tls,
}

/// How an https server is verified, and what it is shown.
#[derive(Debug, Args)]
struct Tls {
    /// The roots to trust in place of the system's, in PEM.
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
    /// A certificate of our own, for mutual TLS, in PEM.
    #[arg(long, value_name = "PEM", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "PEM", requires = "cert")]
    key: Option<PathBuf>,
    /// The name that the server's certificate has, where it is not the URL's.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

pub(super) fn run(options: &Options) -> ExitCode {
    match init(options) {
        Ok(text) => {
            print(&mut io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Err(problems) => {
            problems::to_stderr(&problems);
            ExitCode::FAILURE
        }
    }
}

/// Asks, writes, and loads what was written as `transom check` does.
fn init(options: &Options) -> Result<String, Vec<Problem>> {
    let [config, set] = [CONFIG, SET].map(|name| options.out.join(name));
    // Before anybody is asked; the writing itself looks again.
    for path in [&config, &set] {
        if !options.force && path.symlink_metadata().is_ok() {
            return Err(vec![is_there(path)]);
        }
    }
    let learned = ask(options)?;
    problems::to_stderr(&learned.warnings);
    fs::create_dir_all(&options.out).map_err(|error| vec![unwritable(&options.out, &error)])?;
    let text = gateway_toml(options, &name_of(&learned.services));
    write(&set, &learned.set, options.force)?;
    write(&config, text.as_bytes(), options.force)?;
    let loaded = Gateway::load(Source { kind: Kind::File(config.clone()), env: Vec::new() });
    let (gateway, warnings) = loaded.map_err(|mut problems| {
        let message = format!("{} was written, but does not load as it is", config.display());
        problems.push(
            outside(message)
                .help("the problems are the server's own; `exclude` and [[routes]] get around many"),
        );
        problems
    })?;
    problems::to_stderr(&warnings);
    Ok(done(&config, &set, learned.services.len(), &gateway))
}

/// What the server says. The configuration's own reader reads the URL, so that both mean the same.
fn ask(options: &Options) -> Result<reflection::Learned, Vec<Problem>> {
    let text = format!("[[schema]]\nreflection = \"{UNKNOWN}\"\n\n{}", upstream_table(options, UNKNOWN));
    let kind = Kind::Text {
        name: "the command line".to_owned(),
        text,
        base: std::env::current_dir().unwrap_or_default(),
        descriptors: None,
    };
    let loaded = config::load(&Source { kind, env: Vec::new() });
    let loaded = loaded.map_err(|problems| problems.into_iter().map(of_command_line).collect::<Vec<_>>())?;
    let Some(upstream) = loaded.config.upstreams.first() else {
        return Err(vec![outside("there is no server to ask".to_owned())]);
    };
    let asked = reflection::ask(upstream, &config::problem::Location::default());
    asked.map_err(|problems| problems.into_iter().map(of_command_line).collect())
}

/// There is no file whose lines could be shown.
fn of_command_line(problem: Problem) -> Problem {
    Problem { at: config::problem::Location::default(), ..problem }
}

fn is_there(path: &Path) -> Problem {
    outside(format!("{} is there already", path.display()))
        .help("choose another folder with --out, or replace it with --force")
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    outside(format!("cannot write {}: {error}", path.display()))
}

/// Writes a file whole or not at all; one that is there is replaced only where that was said.
fn write(path: &Path, content: &[u8], force: bool) -> Result<(), Vec<Problem>> {
    let written = if force { replace(path, content) } else { create(path, content) };
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => vec![is_there(path)],
        _ => vec![unwritable(path, &error)],
    })
}

fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content).inspect_err(|_| {
        // Half a file is worse than none; that it cannot be removed either changes nothing of the error.
        drop(fs::remove_file(path));
    })
}

/// A gateway that serves the folder never sees half a file.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, content)?;
    fs::rename(draft, path)
}

/// A name for the upstream: the last part of the first service's package that is no version.
fn name_of(services: &[String]) -> String {
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
    };
    let first = services.first().map(String::as_str).unwrap_or_default();
    let package = first.rsplit_once('.').map_or("", |(package, _)| package);
    let part = package.rsplit('.').find(|part| !part.is_empty() && !is_version(part));
    part.unwrap_or(UNKNOWN).to_owned()
}

fn gateway_toml(options: &Options, name: &str) -> String {
    let url = quoted(&options.reflect);
    let upstream = upstream_table(options, name);
    format!(
        r#"# A gateway for what the server at {url} said of itself by reflection, written by `transom init`.
# `transom check` finds what is wrong with it, `transom routes` shows its routes, `transom` serves it.

[server]
listen = "127.0.0.1:8080"

[[schema]]
descriptor_set = "{SET}"
# Or the server is asked anew whenever this file is loaded:
# reflection = "{name}"

{upstream}
# Routes beside the google.api.http annotations and POST /package.Service/Method:
# [[routes]]
# selector = "package.Service.Method"
# get = "/v1/items/{{id}}"
"#
    )
}

/// The table of the upstream. Paths are from the root: the command's folder need not be the file's.
fn upstream_table(options: &Options, name: &str) -> String {
    let path = |path: &Option<PathBuf>| {
        path.as_ref()
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string())
    };
    let mut table = format!("[upstreams.{name}]\nendpoints = [{}]\n", quoted(&from_root(&options.reflect)));
    let Tls { ca, cert, key, server_name } = &options.tls;
    let pairs =
        [("ca", path(ca)), ("cert", path(cert)), ("key", path(key)), ("server_name", server_name.clone())];
    let pairs: Vec<_> =
        pairs.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}", quoted(&value?)))).collect();
    if !pairs.is_empty() {
        let written = writeln!(table, "tls = {{ {} }}", pairs.join(", "));
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    table
}

/// A string of TOML. JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The URL, with the path of a Unix socket from the root.
fn from_root(url: &str) -> String {
    match url.strip_prefix("unix:").map(std::path::absolute) {
        Some(Ok(path)) => format!("unix:{}", path.display()),
        _ => url.to_owned(),
    }
}

fn done(config: &Path, set: &Path, services: usize, gateway: &Gateway) -> String {
    let colours = Colours::of(&io::stdout());
    let rows = gateway.routes();
    let mut text = format!(
        "{}: {} and {} with {services} services and {} routes\n",
        colours.green("ok"),
        config.display(),
        set.display(),
        rows.len()
    );
    if rows.iter().all(|row| row.source == "auto") {
        // Servers that decode descriptors without knowing google.api.http lose it.
        text.push_str(
            "No method has a google.api.http annotation, or the server's reflection leaves them out:\n",
        );
        text.push_str("each is POST /package.Service/Method; add [[routes]] for more.\n");
    }
    let serve = colours.bold(format!("transom --config {}", config.display()));
    text.extend(["Serve it: ".to_owned(), serve.to_string(), "\n".to_owned()]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_named_after_its_package() {
        let name = |service: &str| name_of(&[service.to_owned()]);
        assert_eq!(name("shop.v1.Shop"), "shop");
        assert_eq!(name("google.cloud.vision.v1p2beta1.Annotator"), "vision");
        assert_eq!(name("video.Player"), "video");
        assert_eq!(name("v1.Shop"), UNKNOWN);
        assert_eq!(name("Shop"), UNKNOWN);
        assert_eq!(name_of(&[]), UNKNOWN);
    }
}
