//! Binding, and accepting until the drain.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::Mutex;

use super::super::testing::{LONG, SHORT, soon};
use super::*;
use crate::config::problem::Location;
use crate::telemetry::guard::Drain;

fn located<T>(value: T) -> Located<T> {
    Located { value, at: Location { key: "server.listen".to_owned(), ..Location::default() } }
}

fn tcp(listen: &str) -> Located<Listen> {
    located(Listen::Tcp(listen.parse().unwrap()))
}

fn port(listener: &Listener) -> u16 {
    match listener.address().unwrap() {
        Listen::Tcp(address) => address.port(),
        Listen::Unix(_) => unreachable!(),
    }
}

#[test]
fn a_group_has_one_port() {
    let group = bind(&tcp("127.0.0.1:0"), 3).unwrap();
    assert_eq!(group.len(), 3);
    assert!(group.iter().all(|listener| port(listener) == port(&group[0])));
}

#[test]
fn an_address_in_use_is_a_problem_at_its_place_also_for_a_group() {
    for (taken, wanted) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let first = bind(&tcp("127.0.0.1:0"), taken).unwrap();
        let address = format!("127.0.0.1:{}", port(&first[0]));
        let problem = bind(&tcp(&address), wanted).unwrap_err();
        assert_eq!(problem.message, format!("{address} is already in use"));
        assert_eq!(problem.at.key, "server.listen");
        assert!(problem.help.is_some());
    }
}

#[test]
fn an_address_of_another_machine_is_a_problem() {
    let problem = bind(&tcp("192.0.2.1:0"), 2).unwrap_err();
    assert_eq!(problem.message, "192.0.2.1:0 is no address of this machine");
}

#[test]
fn a_unix_socket_replaces_one_that_nobody_listens_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = located(Listen::Unix(folder.path().join("s")));
    let first = bind(&path, 4).unwrap();
    assert_eq!(first.len(), 1);
    let problem = bind(&path, 4).unwrap_err();
    assert!(problem.message.ends_with("is already in use"), "{}", problem.message);
    drop(first);
    bind(&path, 4).unwrap();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    std::fs::write(&path, "mine").unwrap();
    assert!(bind(&located(Listen::Unix(path.clone())), 1).is_err());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "mine");
}

/// Keeps what it takes, up to so many.
#[derive(Clone, Default)]
struct Kept {
    taken: Arc<Mutex<Vec<Accepted>>>,
    room: usize,
}

impl Destination for Kept {
    fn has_room(&self) -> bool {
        self.taken.lock().unwrap().len() < self.room
    }

    fn take(&mut self, accepted: Accepted) {
        self.taken.lock().unwrap().push(accepted);
    }
}

#[tokio::test]
async fn without_room_nothing_is_accepted_but_at_the_drain() {
    let listener = bind(&tcp("127.0.0.1:0"), 1).unwrap().remove(0);
    let address = format!("127.0.0.1:{}", port(&listener));
    let (drain, draining) = Drain::new();
    let kept = Kept { room: 2, ..Kept::default() };
    let accepting = tokio::spawn(accept(listener, draining, kept.clone()));
    let clients: Vec<_> = (0..5).map(|_| StdTcpStream::connect(&address).unwrap()).collect();
    tokio::time::sleep(SHORT).await;
    assert_eq!(kept.taken.lock().unwrap().len(), 2);
    drain.begin(tokio::time::Instant::now() + LONG);
    soon(accepting).await.unwrap().unwrap();
    assert_eq!(kept.taken.lock().unwrap().len(), clients.len());
}

#[tokio::test]
async fn a_unix_socket_is_accepted_from_and_gone_after_the_drain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = bind(&located(Listen::Unix(path.clone())), 1).unwrap().remove(0);
    let (drain, draining) = Drain::new();
    let kept = Kept { room: 9, ..Kept::default() };
    let accepting = tokio::spawn(accept(listener, draining, kept.clone()));
    let mut client = StdUnixStream::connect(&path).unwrap();
    client.write_all(b"x").unwrap();
    drain.begin(tokio::time::Instant::now() + LONG);
    soon(accepting).await.unwrap().unwrap();
    assert!(!path.exists());
    let taken = kept.taken.lock().unwrap();
    assert!(matches!(taken[..], [Accepted::Unix(_)]));
    assert_eq!(taken[0].client(), None);
}
