//! The `gateway.toml` that comes with Transom, and the reference of its keys.

use super::super::policy;
use super::*;

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_shipped_file_is_right() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let loaded = load(&Source { kind: Kind::File(file), env: Vec::new() }).unwrap();
    assert_eq!(loaded.warnings, []);
}

#[test]
fn its_commented_defaults_are_the_defaults() {
    let text = shipped("gateway.toml");
    // "#key = value" is a default, "# text" is a comment.
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
        _ => line,
    });
    let with = lines.collect::<Vec<_>>().join("\n");
    assert!(with.lines().count() == text.lines().count() && with != text);
    let kind = |text: String| Kind::Text {
        name: "gateway.toml".to_owned(),
        text,
        base: env!("CARGO_MANIFEST_DIR").into(),
        descriptors: None,
    };
    let [without, with] = [text, with].map(|text| {
        let loaded = load(&Source { kind: kind(text), env: Vec::new() });
        loaded.unwrap_or_else(|problems| panic!("{problems:#?}")).config
    });
    let keys = policy::effective(&[&with.defaults]);
    assert!(keys.iter().filter(|row| !row.key.contains("streams")).all(|row| row.at.is_some()), "{keys:#?}");
    assert_eq!(policy::resolve(&[&with.defaults]), policy::Policy::default());
    assert_eq!(with.collisions, without.collisions);
    assert_eq!(with.server.accept, without.server.accept);
    assert_eq!(with.server.proxies, without.server.proxies);
    assert_eq!(with.admin.listen.value, without.admin.listen.value);
    assert_eq!(with.upstreams[0].balance.value, without.upstreams[0].balance.value);
    assert_eq!(with.upstreams[0].auto_routes, without.upstreams[0].auto_routes);
}

#[test]
fn the_reference_has_every_policy_key_with_its_default() {
    let reference = shipped("docs/configuration.md");
    for row in policy::effective(&[]).iter().filter(|row| !row.key.contains("streams")) {
        let line = format!("| `{}` | `{}` |", row.key, row.value);
        assert!(reference.contains(&line), "{line}");
    }
}
