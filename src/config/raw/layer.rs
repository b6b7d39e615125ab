//! One source of keys (a file, the environment) in the form in which the `config` crate merges it.
//!
//! Look here for how two sources become one tree: tables merge key by key, a later source wins, and
//! the lists of tables of several files are joined. Whether a key may be set twice is not decided here.

use ::config::{Config, ConfigError, Map, Source, Value, ValueKind};

/// The keys of the top level whose lists are joined, in the order of the files.
pub(super) const JOINED: &[&str] = &["schema", "policies", "routes"];

/// The one key that everything stands below in the merged tree: the `config` crate reads the keys of
/// its top level, and only those, as paths (`"a[9]"` would make a list of ten).
const ROOT: &str = "gateway";

/// The values of one level.
pub(in crate::config) type Table = Map<String, Value>;

/// The keys of one source.
#[derive(Clone, Debug)]
pub(super) struct Layer(pub Table);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        Ok(Table::from_iter([(ROOT.to_owned(), Value::from(self.0.clone()))]))
    }

    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        let mut joined = self.clone();
        for name in JOINED {
            if let (Some(earlier), Some(own)) = (earlier_list(cache, name), joined.list_mut(name)) {
                own.splice(0..0, earlier.iter().cloned());
            }
        }
        Merge(joined).collect_to(cache)
    }
}

impl Layer {
    fn list_mut(&mut self, name: &str) -> Option<&mut Vec<Value>> {
        match &mut self.0.get_mut(name)?.kind {
            ValueKind::Array(list) => Some(list),
            _ => None,
        }
    }
}

/// A layer merged by the rules of the `config` crate alone.
#[derive(Clone, Debug)]
struct Merge(Layer);

impl Source for Merge {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        self.0.collect()
    }
}

fn earlier_list<'c>(cache: &'c Value, name: &str) -> Option<&'c Vec<Value>> {
    let ValueKind::Table(top) = &cache.kind else { return None };
    let ValueKind::Table(root) = &top.get(ROOT)?.kind else { return None };
    match &root.get(name)?.kind {
        ValueKind::Array(list) => Some(list),
        _ => None,
    }
}

/// Merges defaults and layers, the farthest first.
pub(super) fn merge(
    defaults: impl IntoIterator<Item = (&'static str, Value)>,
    layers: Vec<Layer>,
) -> Result<Table, ConfigError> {
    let mut builder = Config::builder();
    for (key, value) in defaults {
        builder = builder.set_default(format!("{ROOT}.{key}"), value)?;
    }
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let tree = builder.build()?.cache;
    let ValueKind::Table(mut top) = tree.kind else { return Ok(Table::new()) };
    match top.remove(ROOT).map(|root| root.kind) {
        Some(ValueKind::Table(root)) => Ok(root),
        _ => Ok(Table::new()),
    }
}
