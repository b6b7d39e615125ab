//! `[server]` and `[admin]`.

use std::net::{Ipv4Addr, SocketAddr};

use ::config::ValueKind;

use super::address;
use crate::config::entry::{Choice, Entry};
use crate::config::model::{Accept, Admin, ClientAuth, Listen, Server, ServerTls};
use crate::config::problem::{Located, Location};
use crate::config::proxies::{Network, Proxies, ProxyHeader};
use crate::config::raw::MOST_WORKERS;
use crate::config::table::Table;

impl Choice for Accept {
    const WORDS: &'static [(&'static str, Self)] = &[("per-core", Self::PerCore), ("shared", Self::Shared)];
}

impl Choice for ProxyHeader {
    const WORDS: &'static [(&'static str, Self)] =
        &[("x-forwarded-for", Self::XForwardedFor), ("forwarded", Self::Forwarded)];
}

pub(super) fn server(root: &mut Table<'_>) -> Server {
    let mut server = Server {
        listen: Vec::new(),
        workers: 1,
        accept: Accept::default(),
        tls: None,
        proxies: Proxies::default(),
    };
    let Some(mut table) = root.table("server") else { return server };
    server.listen = table.get("listen", listen).unwrap_or_default();
    server.workers = table.get("workers", |entry| entry.number(&(1..=MOST_WORKERS))).unwrap_or(1);
    server.accept = table.get("accept", Entry::choice).unwrap_or_default();
    server.tls = table.table("tls").and_then(tls);
    server.proxies = proxies(&mut table);
    table.finish();
    server
}

/// One address or a list of them.
fn listen(entry: &Entry<'_>) -> Option<Vec<Located<Listen>>> {
    let example = "write at least one address, such as \"127.0.0.1:8080\"";
    match entry.value {
        _ if entry.is_empty_list() => entry.wrong("must not be empty", example),
        ValueKind::String(text) if entry.variable().is_none() => {
            Some(vec![entry.located(|entry| address::listen(entry, text))?])
        }
        ValueKind::String(_) | ValueKind::Array(_) => entry.texts(address::listen),
        _ => entry.wrong("must be an address or a list of addresses", example),
    }
}

/// Who is believed, and by which header.
fn proxies(table: &mut Table<'_>) -> Proxies {
    let mut proxies = Proxies::default();
    let trusted = table.get("trusted_proxies", |entry| {
        entry.texts(|entry, text| match Network::parse(text) {
            Ok(network) => Some(Some(network)),
            Err(_) if text == "unix" => Some(None),
            Err(why) => {
                let help = "write a network, one address or \"unix\": \"10.0.0.0/8\", \"2001:db8::7\"";
                entry.wrong(format!("\"{text}\" {why}"), help)
            }
        })
    });
    for network in trusted.unwrap_or_default() {
        match network.value {
            Some(network) => proxies.networks.push(network),
            None => proxies.local = true,
        }
    }
    let header = table.get("proxy_header", Entry::choice);
    if header.is_some() && proxies.is_empty() && !table.has("trusted_proxies") {
        table.wrong(
            "`proxy_header` without `trusted_proxies`",
            "add trusted_proxies = [\"10.0.0.0/8\"]: who may write it",
        );
    }
    proxies.header = header.unwrap_or_default();
    proxies
}

fn tls(mut table: Table<'_>) -> Option<ServerTls> {
    let cert = table.required("cert", "\"tls.crt\"", Entry::path);
    let key = table.required("key", "\"tls.key\"", Entry::path);
    let clients = clients(&mut table);
    table.finish();
    Some(ServerTls { cert: cert?, key: key?, clients })
}

fn clients(table: &mut Table<'_>) -> Option<ClientAuth> {
    let ca = table.located("client_ca", Entry::path);
    let auth: Option<Located<Asked>> = table.located("client_auth", Entry::choice);
    if let (None, Some(_)) = (&ca, &auth) {
        table.wrong(
            "`client_auth` without `client_ca`",
            "add client_ca = \"clients.pem\": who vouches for clients",
        );
    }
    let required = auth.is_none_or(|auth| auth.value == Asked::Required);
    Some(ClientAuth { ca: ca?, required })
}

/// `server.tls.client_auth`.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Required,
    Optional,
}

impl Choice for Asked {
    const WORDS: &'static [(&'static str, Self)] =
        &[("required", Self::Required), ("optional", Self::Optional)];
}

pub(super) fn admin(root: &mut Table<'_>) -> Admin {
    let listen = root.table("admin").and_then(|mut table| {
        let listen = table.located("listen", |entry| address::socket(entry, entry.text()?));
        table.finish();
        listen
    });
    // Only with a problem told: the key has a default.
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Admin { listen: listen.unwrap_or(Located { value: nowhere, at: Location::default() }) }
}
