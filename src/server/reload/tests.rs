//! Reloads as the watcher makes them, against a gateway with files.

use std::time::Duration;

use super::super::testing::{CONFIG, Files, LONG};
use super::super::watch::Watcher;
use super::*;
use crate::config::Source;

/// One route more than [`CONFIG`].
fn more() -> String {
    format!("{CONFIG}\n[[routes]]\nselector = \"t.S.M\"\nget = \"/m\"\n")
}

/// Looks again and again until the gateway has so many routes.
async fn routes(gateway: &Gateway, count: usize) {
    let waiting = async {
        while gateway.routes().len() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect("the change is loaded");
}

#[tokio::test]
async fn a_good_change_is_loaded_and_a_bad_one_is_not() {
    let files = Files::new();
    let (gateway, _) = Gateway::load(Source::file(files.path())).unwrap();
    let reloader = Reloader::new(Arc::clone(&gateway), None);
    let watcher = Watcher::new(reloader.watched());
    let watching = tokio::spawn(watcher.run(Duration::from_millis(20), reloader));
    routes(&gateway, 1).await;
    files.write(&more());
    routes(&gateway, 2).await;
    files.write("broken");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(gateway.routes().len(), 2);
    files.write(CONFIG);
    routes(&gateway, 1).await;
    std::fs::remove_file(files.path()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(gateway.routes().len(), 1);
    files.write(&more());
    routes(&gateway, 2).await;
    watching.abort();
}

#[tokio::test]
async fn reloads_come_one_after_the_other() {
    let files = Files::new();
    let (gateway, _) = Gateway::load(Source::file(files.path())).unwrap();
    let reloader = Reloader::new(Arc::clone(&gateway), None);
    files.write(&more());
    let (one, other) = tokio::join!(reloader.reload(Cause::Admin), reloader.reload(Cause::Signal));
    let generations = [one.unwrap(), other.unwrap()].map(|reloaded| (reloaded.generation, reloaded.changed));
    assert_eq!(generations, [(2, true), (2, false)]);
}
