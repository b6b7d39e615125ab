//! No text may make loading panic, and no problem may point outside the file.

use super::*;

/// Pieces of configurations, right and wrong, that make more interesting texts than letters do.
const PIECES: &[&str] = &[
    "[server]\n",
    "[[routes]]\n",
    "[routes]\n",
    "[[schema]]\n",
    "[upstreams.a]\n",
    "[upstreams]\n",
    "[defaults]\n",
    "[[policies]]\n",
    "[admin]\n",
    "[",
    "]",
    "[[",
    "listen = ",
    "workers = ",
    "endpoints = ",
    "selector = ",
    "get = ",
    "timeout = ",
    "limits = ",
    "limits.body = ",
    "json = ",
    "include = ",
    "descriptor_set = ",
    "tls = ",
    "custom = ",
    "additional_bindings = ",
    "balance = ",
    "\"a\"",
    "'/v1/{a}'",
    "\"15s\"",
    "\"",
    "1",
    "-1",
    "1.5",
    "nan",
    "1979-05-27",
    "true",
    "[]",
    "{}",
    "{ a = 1 }",
    "[{ get = \"/\" }]",
    "[\"a\", 1]",
    "\n",
    "\r\n",
    " ",
    "#",
    ",",
    "=",
    ".",
    "a",
    "\"é\"",
    "\u{feff}",
    "\0",
    "\"\"\"\n",
    "'''",
    "\\u0000",
];

fn place_is_inside(text: &str, problem: &Problem) -> bool {
    let Some((line, column)) = problem.at.position else { return true };
    // A text may end with the break of its last line, after which nothing stands at column 1.
    let lines: Vec<&str> = text.split('\n').collect();
    let Some(line) = lines.get(line as usize - 1) else { return false };
    column >= 1 && column as usize <= line.chars().count() + 1
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let problems = load_text(text, &[]).map_or_else(|problems| problems, |loaded| loaded.warnings);
    for problem in problems.iter().filter(|problem| problem.at.file.is_some()) {
        prop_assert!(place_is_inside(text, problem), "{problem} in {text:?}");
        prop_assert!(!problem.message.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text: String) {
        check(&text)?;
    }

    #[test]
    fn pieces_of_configurations(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check(&pieces.concat())?;
    }

    #[test]
    fn any_environment(variables in prop::collection::vec(("[A-Z_a-z0-9.\\[\\]]{0,24}", any::<String>()), 0..6)) {
        let variables: Vec<_> = variables.into_iter().map(|(name, text)| (format!("TRANSOM_{name}"), text)).collect();
        let variables: Vec<_> = variables.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let _ = load_text("server.workers = 1", &variables);
    }
}

#[test]
fn every_beginning_of_a_file_is_survived() {
    let text = fs::read_to_string(folder().join("ten-mistakes.toml")).unwrap();
    for end in 0..text.len() {
        check(&text[..end]).unwrap();
    }
}

#[test]
fn deep_nesting_ends() {
    for text in [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        "a.".repeat(100_000),
        "a={".repeat(9999),
    ] {
        assert!(load_text(&text, &[]).is_err());
    }
}

#[test]
fn what_is_no_file_is_told() {
    for path in ["/dev/zero", "/", "nowhere/gateway.toml"] {
        let problems = load(&Source { kind: Kind::File(path.into()), env: Vec::new() }).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message.starts_with(&format!("cannot read {path}")), "{}", problems[0]);
    }
}
