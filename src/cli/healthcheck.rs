//! `transom healthcheck`: asks a running gateway whether it is ready, for containers without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::ConfigFile;
use super::problems;
use crate::config;

/// Of connecting, and of each read and write.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where to ask.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// What to ask instead of the configuration's admin listener, such as http://127.0.0.1:9901/readyz.
    #[arg(long)]
    url: Option<http::Uri>,
}

pub(super) fn run(config: &ConfigFile, target: &Target) -> ExitCode {
    let asked = match &target.url {
        Some(url) => ask_url(url),
        None => match config::load(&config.source()) {
            Ok(loaded) => ask(&[reachable(loaded.config.admin.listen.value)], None, "/readyz"),
            Err(problems) => {
                problems::to_stderr(&problems);
                return ExitCode::FAILURE;
            }
        },
    };
    match asked {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => fail(&format!("not ready: status {status}")),
        Err(error) => fail(&format!("not reachable: {error}")),
    }
}

fn fail(why: &str) -> ExitCode {
    problems::print(&mut io::stderr(), &format!("{why}\n"));
    ExitCode::FAILURE
}

/// A wildcard address is no address to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn ask_url(url: &http::Uri) -> io::Result<u16> {
    let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
    if url.scheme_str() != Some("http") {
        return Err(invalid("the URL has to start with http://"));
    }
    let authority = url.authority().ok_or_else(|| invalid("the URL names no host"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = (host, authority.port_u16().unwrap_or(80)).to_socket_addrs()?.collect();
    ask(&addresses, Some(authority.as_str()), url.path_and_query().map_or("/", |path| path.as_str()))
}

/// The status of a GET at the first address that can be connected to.
fn ask(addresses: &[SocketAddr], host: Option<&str>, path: &str) -> io::Result<u16> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => {
                let host = host.map_or_else(|| address.to_string(), str::to_owned);
                return get(stream, &host, path);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn get(mut stream: TcpStream, host: &str, path: &str) -> io::Result<u16> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    // "HTTP/1.1 200": all that matters.
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn status(line: &[u8; 12]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    line.get(2..)?.parse().ok()
}

#[cfg(test)]
mod tests;
