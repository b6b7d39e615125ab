//! What must hold of templates and of the router, whatever text comes.

use transom::route::{Miss, Router, RouterBuilder, Template};

/// The text is a template, or an error that says where.
pub fn template(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Template::parse(text) {
        Ok(template) => {
            let shown = template.to_string();
            let again = Template::parse(&shown).expect("a template is shown as one");
            assert_eq!(again.to_string(), shown);
            assert_eq!(again.shape(), template.shape());
            assert_eq!(again.verb(), template.verb());
            assert_eq!(again.variables(), template.variables());
        }
        Err(error) => assert!((1..=text.len() + 1).contains(&error.column), "column {}", error.column),
    }
}

/// The first line is a request (`METHOD path`), each other one a route.
pub fn router(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.lines();
    let Some((method, path)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let mut all = RouterBuilder::new();
    let mut alone = Vec::new();
    for line in lines.take(32) {
        let Some((method, template)) = line.split_once(' ') else { continue };
        let Ok(template) = Template::parse(template) else { continue };
        if all.insert(method, &template, alone.len()).is_ok() {
            let mut one = RouterBuilder::new();
            assert!(one.insert(method, &template, template.variables().len()).is_ok());
            alone.push(one.build());
        }
    }
    check(&all.build(), &alone, method, path);
}

/// A router finds what one of its routes alone would find, and the same captures.
fn check(all: &Router<usize>, alone: &[Router<usize>], method: &str, path: &str) {
    match all.find(method, path) {
        Ok(found) => {
            let one = alone[*found.value].find(method, path).expect("the route matches alone");
            assert!(found.captures.iter().eq(one.captures.iter()));
            assert_eq!(found.captures.len(), *one.value);
        }
        Err(Miss::NotFound) => {
            let missed = |router: &Router<usize>| matches!(router.find(method, path), Err(Miss::NotFound));
            assert!(alone.iter().all(missed), "a route is lost");
        }
        Err(Miss::MethodNotAllowed { allow }) => {
            assert!(allow.is_sorted() && !allow.is_empty());
            assert!(!allow.iter().any(|allowed| allowed == method), "{method} is allowed");
            assert!(alone.iter().all(|router| router.find(method, path).is_err()), "a route is lost");
        }
        // What is wrong with a path may be seen only where a variable takes it.
        Err(Miss::InvalidPath(_)) => {}
    }
}
