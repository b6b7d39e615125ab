//! What a server may say, file by file, and what becomes of it.

use super::*;

fn file(name: &str, imports: &[&str], services: &[&str]) -> Bytes {
    let file = File {
        name: name.to_owned(),
        package: "a.v1".to_owned(),
        dependency: imports.iter().map(|&name| name.to_owned()).collect(),
        service: services.iter().map(|&name| Service { name: name.to_owned() }).collect(),
    };
    file.encode_to_vec().into()
}

fn collection(services: &[&str]) -> Collection {
    Collection::new(services.iter().map(|&name| name.to_owned()).collect()).unwrap()
}

/// The names of the files of a set, in its order.
fn names(told: &Told) -> Vec<String> {
    let set = FileSet::decode(told.set.clone()).unwrap();
    set.file.into_iter().map(|file| File::decode(file).unwrap().name).collect()
}

fn trouble(files: &[Bytes]) -> String {
    let mut collection = collection(&["a.v1.A"]);
    let added = files.iter().try_for_each(|file| collection.add(file).map(drop));
    added.and_then(|()| collection.finish()).unwrap_err().message
}

#[test]
fn files_follow_what_they_import_in_whatever_order_they_came() {
    let files = [
        file("d.proto", &["b.proto", "c.proto", "b.proto"], &["A"]),
        file("b.proto", &["a.proto"], &[]),
        file("c.proto", &["a.proto", "google/protobuf/empty.proto"], &[]),
        file("a.proto", &[], &[]),
    ];
    let mut sets = Vec::new();
    for first in 0..files.len() {
        let mut collection = collection(&["a.v1.A"]);
        for index in 0..files.len() {
            collection.add(&files[(first + index) % files.len()]).unwrap();
        }
        let told = collection.finish().unwrap();
        assert_eq!(names(&told), ["a.proto", "b.proto", "c.proto", "d.proto"]);
        assert_eq!(told.services, ["a.v1.A"]);
        sets.push(told.set);
    }
    sets.dedup();
    assert_eq!(sets.len(), 1, "the same files are the same set");
}

#[test]
fn a_file_that_comes_again_counts_once() {
    let mut collection = collection(&["a.v1.A"]);
    assert_eq!(collection.add(&file("a.proto", &["b.proto"], &["A"])).unwrap(), ["b.proto"]);
    assert!(collection.add(&file("a.proto", &["c.proto"], &["B"])).unwrap().is_empty());
    assert!(collection.has_service("a.v1.A") && !collection.has_service("a.v1.B"));
    assert!(collection.has_file("a.proto") && !collection.has_file("b.proto"));
}

#[test]
fn a_service_that_no_file_declares_is_told_and_left_out() {
    let mut collection = collection(&["a.v1.B", "a.v1.A"]);
    collection.add(&file("a.proto", &[], &["A"])).unwrap();
    let told = collection.finish().unwrap();
    assert_eq!((told.services, told.undeclared), (vec!["a.v1.A".to_owned()], vec!["a.v1.B".to_owned()]));
}

#[test]
fn what_cannot_be_a_schema_is_told() {
    let circle = [file("a.proto", &["b.proto"], &["A"]), file("b.proto", &["a.proto"], &[])];
    assert!(trouble(&circle).contains("in a circle: a.proto"), "{}", trouble(&circle));
    assert!(trouble(&[file("a.proto", &["a.proto"], &["A"])]).contains("in a circle"));
    let holes = trouble(&[file("a.proto", &["b\n.proto"], &["A"])]);
    assert_eq!(holes, "it has no file b\\n.proto, which a.proto imports");
    assert!(trouble(&[file("", &[], &["A"])]).contains("without a name"));
    assert!(trouble(&[Bytes::from_static(b"\x0a\xff")]).contains("cannot be read"));
    assert!(trouble(&[]).contains("no service"));
}

#[test]
fn a_server_that_never_ends_is_stopped() {
    let mut endless = collection(&["a.v1.A"]);
    let added = (0..=FILES).try_for_each(|n| endless.add(&file(&n.to_string(), &[], &[])).map(drop));
    assert!(added.unwrap_err().message.contains("more than"));
    let mut large = collection(&["a.v1.A"]);
    let mut one = |n: usize| large.add(&file(&format!("{n}{}", "x".repeat(8 << 20)), &[], &[])).map(drop);
    assert!((0..9).try_for_each(&mut one).unwrap_err().message.contains("64 MiB"));
    let many: Vec<_> = (0..=IMPORTS).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(trouble(&[file("a", &many, &["A"])]).contains("more than"));
    assert!(Collection::new(vec!["a".to_owned(); SERVICES + 1]).is_err());
}

#[test]
fn names_of_services_are_names() {
    for name in ["", ".", "a.", "1a", "a b", "a\n", "ä", "\"", &"a".repeat(513)] {
        assert!(Collection::new(vec![name.to_owned()]).is_err(), "{name:?}");
    }
    for name in ["A", "_a.B1"] {
        assert!(Collection::new(vec![name.to_owned()]).is_ok(), "{name:?}");
    }
}
