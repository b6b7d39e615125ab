//! How problems look.

use std::sync::Arc;

use super::*;

const PLAIN: Colours = Colours(false);

fn at(file: &Path, position: Option<(u32, u32)>, key: &str) -> Location {
    Location { file: Some(Arc::new(file.to_owned())), position, key: key.to_owned() }
}

#[test]
fn problems_stand_by_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, "[server]\nlisten = \"nowhere\"\n\ttimeot\t= \"\u{9b}2J\" # \u{e4}\n").unwrap();
    let problems = [
        Problem::warning(at(&file, Some((3, 2)), "server.timeot"), "unknown key").help("timeout"),
        Problem::error(at(&file, Some((2, 10)), "server.listen"), "no address"),
        outside("the port is gone".to_owned()),
        Problem::error(at(&file, None, ""), "no upstreams"),
    ];
    let shown = file.display();
    let expected = format!(
        "error: the port is gone\n\
         \n\
         error: no upstreams\n  \
           --> {shown}\n\
         \n\
         error: no address\n \
          --> {shown}:2:10\n  \
           |\n\
         2 | listen = \"nowhere\"\n  \
           |          ^^^^^^^^^\n  \
           = key: server.listen\n\
         \n\
         warning: unknown key\n \
          --> {shown}:3:2\n  \
           |\n\
         3 | \ttimeot\t= \"\u{fffd}2J\" # \u{e4}\n  \
           | \t^^^^^^\n  \
           = key: server.timeot\n  \
           = help: timeout\n\
         \n\
         3 errors, 1 warning\n"
    );
    assert_eq!(render(&problems, PLAIN), expected);
}

#[test]
fn a_place_that_is_not_there_is_named_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gone.toml");
    let problem = Problem::error(at(&file, Some((7, 3)), "a.b"), "what was here");
    let text = render(&[problem], PLAIN);
    assert!(text.contains("gone.toml:7:3"), "{text}");
    assert!(!text.contains('^'), "{text}");
}

#[test]
fn colours_are_only_colours() {
    let problem = Problem::error(Location::default(), "no").help("yes");
    let coloured = render(std::slice::from_ref(&problem), Colours(true));
    assert!(coloured.contains("\x1b[1;31merror\x1b[0m"));
    let mut plain = coloured;
    for escape in ["\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"] {
        plain = plain.replace(escape, "");
    }
    assert_eq!(plain, render(&[problem], PLAIN));
}

#[test]
fn the_extent_of_what_is_meant() {
    for (text, length) in
        [("name = 1", 4), ("\"a b\" # c", 5), ("'a'", 3), ("\"open", 5), ("", 1), ("= 1", 1)]
    {
        assert_eq!(extent(text.chars()), length, "{text}");
    }
}
