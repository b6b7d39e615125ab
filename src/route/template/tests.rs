//! The grammar by example, every error with its column, and the canonical text.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn variables(text: &str) -> Vec<(String, bool)> {
    parse(text).variables().iter().map(|it| (it.path.join("."), it.multi)).collect()
}

fn error(text: &str) -> (usize, String) {
    let error = Template::parse(text).expect_err(text);
    (error.column, error.message)
}

#[test]
fn templates_have_a_canonical_text_and_a_shape() {
    for (text, canonical, shape) in [
        ("/", "/", "/"),
        ("/v1/shelves", "/v1/shelves", "/v1/shelves"),
        ("/v1/{id}", "/v1/{id}", "/v1/*"),
        ("/v1/{id=*}", "/v1/{id}", "/v1/*"),
        ("/v1/{a.b_2.c=shelves/*}", "/v1/{a.b_2.c=shelves/*}", "/v1/shelves/*"),
        ("/v1/{name=**}", "/v1/{name=**}", "/v1/**"),
        ("/v1/{name=a/*/b/**}/c/{d}:e", "/v1/{name=a/*/b/**}/c/{d}:e", "/v1/a/*/b/**/c/*:e"),
        ("/v1/{x=literal}", "/v1/{x=literal}", "/v1/literal"),
        ("/*/**", "/*/**", "/*/**"),
        ("/v1:search", "/v1:search", "/v1:search"),
        ("/v1/*:search", "/v1/*:search", "/v1/*:search"),
        ("/v1/a:b:c", "/v1/a%3Ab:c", "/v1/a%3Ab:c"),
        ("/a:b/c", "/a%3Ab/c", "/a%3Ab/c"),
        ("/{a=x:y}:z", "/{a=x%3Ay}:z", "/x%3Ay:z"),
        ("/v1/caf%c3%a9%2f%41", "/v1/caf%C3%A9%2FA", "/v1/caf%C3%A9%2FA"),
        ("/{a}:b%3Ac", "/{a}:b%3Ac", "/*:b%3Ac"),
        ("/google.v1.Books/GetBook", "/google.v1.Books/GetBook", "/google.v1.Books/GetBook"),
        ("/v1/$discovery/(x)='y'", "/v1/$discovery/(x)='y'", "/v1/$discovery/(x)='y'"),
        (
            "/v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id}",
            "/v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id}",
            "/v1/projects/*/databases/*/documents/*/**/*",
        ),
    ] {
        let template = parse(text);
        assert_eq!(template.to_string(), canonical);
        assert_eq!(template.shape(), shape);
        assert_eq!(parse(canonical), template);
    }
}

#[test]
fn variables_stand_in_order_of_appearance() {
    let of = |all: &[(&str, bool)]| {
        all.iter().map(|(name, multi)| ((*name).to_owned(), *multi)).collect::<Vec<_>>()
    };
    assert_eq!(variables("/v1/{z}/{a.b=x/*}/{c=**}"), of(&[("z", false), ("a.b", true), ("c", true)]));
    assert_eq!(variables("/v1/{a=x}/{b=*}"), of(&[("a", false), ("b", false)]));
    assert_eq!(variables("/v1/*/**"), of(&[]));
    assert_eq!(parse("/v1/{a.b}").variables()[0].path, ["a", "b"]);
    assert_eq!(parse("/v1/{a}:do").verb(), Some("do"));
    assert_eq!(parse("/v1/{a}").verb(), None);
}

#[test]
fn errors_have_their_column() {
    let whole = "a wildcard or variable is a whole segment";
    for (text, column, message) in [
        ("", 1, "a path template must start with a slash"),
        ("v1/x", 1, "a path template must start with a slash"),
        ("{x}", 1, "a path template must start with a slash"),
        ("//", 2, "a segment is empty"),
        ("/v1//x", 5, "a segment is empty"),
        ("/v1/", 5, "a segment is empty"),
        ("/:verb", 2, "a segment is empty"),
        ("/v1/:verb", 5, "a segment is empty"),
        ("/v1/{a=}", 8, "a segment is empty"),
        ("/v1/{a=x/}", 10, "a segment is empty"),
        ("/v1/{a=/x}", 8, "a segment is empty"),
        ("/v1/x:", 7, "the verb behind the colon is empty"),
        ("/v1/{x}:", 9, "the verb behind the colon is empty"),
        ("/v1/{x}:a/b", 10, "a verb is literal text and ends the template"),
        ("/v1/{x}:{y}", 9, "a verb is literal text and ends the template"),
        ("/v1/{x}:a:b", 10, "a verb holds no colon"),
        ("/v1/{x}:a%", 10, "`%` must be followed by two hexadecimal digits"),
        ("/v1/{", 6, "a field name is expected here"),
        ("/v1/{}", 6, "a field name is expected here"),
        ("/v1/{1a}", 6, "a field name is expected here"),
        ("/v1/{a.}", 8, "a field name is expected here"),
        ("/v1/{a..b}", 8, "a field name is expected here"),
        ("/v1/{*}", 6, "a field name is expected here"),
        ("/v1/{a", 5, "no `}` closes this variable"),
        ("/v1/{a=x", 5, "no `}` closes this variable"),
        ("/v1/{a=x/*", 5, "no `}` closes this variable"),
        ("/v1/{a b}", 7, "` ` cannot follow here"),
        ("/v1/{a/b}", 7, "`/` cannot follow here"),
        ("/v1/{a=x{b}}", 9, "`{` cannot follow here"),
        ("/v1/{a={b}}", 8, "a variable cannot contain another variable"),
        ("/v1/{a=x/{b}}", 10, "a variable cannot contain another variable"),
        ("/v1/{a=*x}", 9, "`x` cannot follow here"),
        ("/v1/{a=*:x}", 9, "`:` cannot follow here"),
        ("/v1/{a}b", 8, "`b` cannot follow here"),
        ("/v1/a{b}", 6, "`{` cannot follow here"),
        ("/v1/{a}{b}", 8, "`{` cannot follow here"),
        ("/v1/*a", 6, "`a` cannot follow here"),
        ("/v1/a*", 6, "`*` cannot follow here"),
        ("/v1/***", 5, "a wildcard is either `*` or `**`"),
        ("/v1/a}", 6, "no `{` opens the variable that ends here"),
        ("/v1/{a}}", 8, "no `{` opens the variable that ends here"),
        ("/**/x/**", 7, "`**` can stand in a template only once"),
        ("/{a=**}/{b=x/**}", 14, "`**` can stand in a template only once"),
        ("/{a}/{b}/{a}", 11, "the variable `a` stands here twice"),
        ("/v1/%2", 5, "`%` must be followed by two hexadecimal digits"),
        ("/v1/a%00", 6, "NUL is not allowed"),
        ("/v1/..", 5, "dot segments are not allowed"),
        ("/v1/%2e", 5, "dot segments are not allowed"),
        ("/v1/a\\b", 6, "a backslash is not allowed"),
        ("/v1/a b", 6, "the byte 0x20 must be written as `%20`"),
        ("/v1/x?y=z", 6, "`?` must be written as `%3F`"),
        ("/é/{x", 2, "the byte 0xc3 must be written as `%C3`"),
        ("/a%C3%28", 2, "the escapes do not decode to UTF-8"),
    ] {
        assert_eq!(error(text), (column, message.to_owned()), "{text}");
    }
    assert_eq!(Template::parse("/v1/a*").unwrap_err().help.as_deref(), Some(whole));
    assert_eq!(
        Template::parse("/v1/").unwrap_err().to_string(),
        "column 5: a segment is empty (leave out the slash at the end)"
    );
}

#[test]
fn columns_count_characters() {
    // The variable's flaw stands behind a character of two bytes that the verb may not hold either.
    let error = Template::parse("/{x}:aé{").unwrap_err();
    assert_eq!(error.column, 8);
}

#[test]
fn the_length_is_limited() {
    assert!(Template::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    assert_eq!(error(&"/a".repeat(MAX_SEGMENTS + 1)).1, "a template has at most 128 segments");
    let long = parse(&"/a".repeat(MAX_SEGMENTS));
    assert!(long.prefixed("/b").is_err());
}

#[test]
fn a_prefix_stands_before_everything() {
    let books = parse("/v1/{shelf=shelves/*}/**/{book}:read");
    let prefixed = books.prefixed("/shop/eu").unwrap();
    assert_eq!(prefixed.to_string(), "/shop/eu/v1/{shelf=shelves/*}/**/{book}:read");
    assert_eq!(prefixed, parse(&prefixed.to_string()));
    assert_eq!(parse("/").prefixed("/shop").unwrap(), parse("/shop"));
    assert_eq!(books.prefixed("/").unwrap(), books);
    for (prefix, column) in
        [("", 1), ("shop", 1), ("/shop/", 7), ("/{x}", 1), ("/*", 1), ("/a/**", 1), ("/a:b", 1)]
    {
        assert_eq!(books.prefixed(prefix).expect_err(prefix).column, column, "{prefix}");
    }
}

/// Every shape of template in googleapis (npm's google-proto-files 5.0.3: 15,381 rules, 11,576 templates), with
/// `x` for each literal and letters for field names: the grammar tells templates apart by no more.
const GOOGLEAPIS: &str = include_str!("googleapis.txt");

#[test]
fn every_shape_of_googleapis_is_a_template() {
    let shapes: Vec<&str> = GOOGLEAPIS.lines().collect();
    assert_eq!(shapes.len(), 270);
    for shape in shapes {
        let template = parse(shape);
        assert_eq!(parse(&template.to_string()), template, "{shape}");
        assert_eq!(template.variables().len(), shape.matches('{').count(), "{shape}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_parses_prints_itself(text in "[/{}*=:.%a2fé ]{0,16}") {
        let text = format!("/{text}");
        match Template::parse(&text) {
            Ok(template) => prop_assert_eq!(parse(&template.to_string()), template),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column)),
        }
    }
}
