//! What was learned from a server so far, and the descriptor set that it becomes.
//!
//! The server is not trusted to stop: files, names and bytes are limited.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use prost::Message as _;

use super::{OTHERWISE, Trouble, shown};
use crate::schema::is_standard;

/// The most services, files, and imports of one file.
const SERVICES: usize = 10_000;
const FILES: usize = 10_000;
const IMPORTS: usize = 10_000;

/// The most bytes of all files together.
const BYTES: usize = 64 << 20;

const TOO_MUCH: &str = "name its descriptors as `descriptor_set`, which has no such limit";

/// A `google.protobuf.FileDescriptorProto`, as far as the conversation needs it.
#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    dependency: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    service: Vec<Service>,
}

/// A `google.protobuf.ServiceDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

/// A `google.protobuf.FileDescriptorSet` of files that stay encoded.
#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// A whole schema.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) set: Bytes,
    pub(super) services: Vec<String>,
    /// Services that are listed and declared nowhere.
    pub(super) undeclared: Vec<String>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Collection {
    services: BTreeSet<String>,
    /// The services that the files declare.
    declared: HashSet<String>,
    files: BTreeMap<String, Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    encoded: Bytes,
    imports: Vec<String>,
}

impl Collection {
    /// A collection for a server that lists these services.
    pub(super) fn new(services: Vec<String>) -> Result<Self, Trouble> {
        if services.len() > SERVICES {
            return Err(Trouble::new(format!("it lists more than {SERVICES} services"), TOO_MUCH));
        }
        if let Some(name) = services.iter().find(|name| !is_full_name(name)) {
            let message = format!("it lists a service `{}`, which is no name", shown(name));
            return Err(Trouble::new(message, OTHERWISE));
        }
        let (declared, files) = (HashSet::new(), BTreeMap::new());
        let services = services.into_iter().collect();
        Ok(Self { services, declared, files, bytes: 0 })
    }

    /// The listed services, in order.
    pub(super) fn services(&self) -> impl Iterator<Item = String> {
        self.services.iter().cloned()
    }

    pub(super) fn has_service(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    pub(super) fn has_file(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Adds a file, unless it is there; what it imports.
    pub(super) fn add(&mut self, encoded: &Bytes) -> Result<Vec<String>, Trouble> {
        let file = File::decode(encoded.clone()).map_err(|error| {
            Trouble::new(format!("it sends a file that cannot be read: {error}"), OTHERWISE)
        })?;
        if file.name.is_empty() {
            return Err(Trouble::new("it sends a file without a name", OTHERWISE));
        }
        if self.has_file(&file.name) {
            return Ok(Vec::new());
        }
        self.bytes += encoded.len();
        if self.files.len() >= FILES || self.bytes > BYTES || file.dependency.len() > IMPORTS {
            let message = format!(
                "it has more than {FILES} files, {IMPORTS} imports of one file or {} MiB of both",
                BYTES >> 20
            );
            return Err(Trouble::new(message, TOO_MUCH));
        }
        let full = |service: Service| match file.package.as_str() {
            "" => service.name,
            package => format!("{package}.{}", service.name),
        };
        self.declared.extend(file.service.into_iter().map(full));
        let imports = file.dependency.clone();
        // What was read shares the memory of the whole answer, which is not to be kept.
        let encoded = Bytes::copy_from_slice(encoded);
        self.files.insert(file.name, Kept { encoded, imports: file.dependency });
        Ok(imports)
    }

    /// The whole schema, when there is nothing left to ask.
    pub(super) fn finish(self) -> Result<Told, Trouble> {
        let (services, undeclared): (Vec<_>, Vec<_>) =
            self.services.into_iter().partition(|service| self.declared.contains(service));
        if services.is_empty() {
            return Err(Trouble::new("it declares no service but gRPC's own", OTHERWISE));
        }
        let set = FileSet { file: in_order(self.files)? };
        Ok(Told { set: set.encode_to_vec().into(), services, undeclared })
    }
}

/// A name of protobuf: identifiers with dots between them.
fn is_full_name(name: &str) -> bool {
    let is_identifier = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|char: char| char.is_ascii_digit())
            && part.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    name.len() <= 512 && name.split('.').all(is_identifier)
}

/// Every file after those that it imports; otherwise by name, so that the same files are the same set.
fn in_order(mut files: BTreeMap<String, Kept>) -> Result<Vec<Bytes>, Trouble> {
    let mut waits: HashMap<&str, usize> = HashMap::new();
    let mut importers: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, file) in &files {
        let imports: BTreeSet<&str> = file.imports.iter().map(String::as_str).collect();
        let there = imports.iter().filter(|import| files.contains_key(**import));
        waits.insert(name, there.clone().count());
        there.for_each(|import| importers.entry(import).or_default().push(name));
        if let Some(missing) =
            imports.iter().find(|import| !files.contains_key(**import) && !is_standard(import))
        {
            let message = format!("it has no file {}, which {} imports", shown(missing), shown(name));
            let help = "give the server descriptors with their imports, or name them as `descriptor_set` or `protos` instead";
            return Err(Trouble::new(message, help));
        }
    }
    let mut ready: BTreeSet<&str> =
        waits.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut order: Vec<String> = Vec::with_capacity(files.len());
    while let Some(name) = ready.pop_first() {
        for importer in importers.get(name).into_iter().flatten() {
            let Some(count) = waits.get_mut(importer) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.insert(importer);
            }
        }
        order.push(name.to_owned());
    }
    if order.len() < files.len() {
        files.retain(|name, _| !order.contains(name));
        let name = files.keys().next().map(String::as_str).unwrap_or_default();
        let message = format!("its files import one another in a circle: {}, for one", shown(name));
        return Err(Trouble::new(message, OTHERWISE));
    }
    Ok(order.iter().filter_map(|name| files.remove(name)).map(|file| file.encoded).collect())
}

#[cfg(test)]
mod tests;
