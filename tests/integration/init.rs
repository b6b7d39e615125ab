//! `transom init`: from a running server to a folder that serves it.

use crate::support::reflecting::{Reflection, compile, router, serve, serve_tls, serve_unix};
use crate::support::shop::PROTO;
use crate::support::site::{Ran, Site};
use crate::support::tls::Identity;

/// A folder without anything in it.
fn empty() -> Site {
    let site = Site::new("");
    std::fs::remove_file(site.path("gateway.toml")).unwrap();
    site
}

fn succeeded(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("ok: ") && ran.stderr.is_empty(), "{ran:?}");
}

#[tokio::test]
async fn the_samples_become_a_folder_that_serves_them() {
    let samples = transom::demo::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let site = empty();
    let url = format!("http://{}", samples.addr);
    let ran = site.run(&["init", "--reflect", &url]).await;
    succeeded(&ran);
    assert!(ran.stdout.contains("with 6 services"), "{ran:?}");
    let text = std::fs::read_to_string(site.path("gateway.toml")).unwrap();
    assert!(text.contains(&format!("[upstreams.demo]\nendpoints = [\"{url}\"]\n")), "{text}");
    let checked = site.run(&["check"]).await;
    assert_eq!((checked.code, checked.stdout.lines().count()), (Some(0), 1), "{checked:?}");
    let gateway = site.serve().await;
    let book = gateway.get("/v1/shelves/2/books/1").fetch().await.ok();
    assert_eq!(book["title"], "The Left Hand of Darkness");
}

#[tokio::test]
async fn nothing_is_overwritten_without_being_told() {
    let running = serve(router(Reflection::of(&compile("shop.proto", PROTO)))).await;
    for there in ["gateway.toml", "schema.binpb"] {
        let site = empty().file(there, "mine");
        let ran = site.run(&["init", "--reflect", &running.url]).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(&format!("{there} is there already")), "{ran:?}");
        assert!(ran.stderr.contains("--out") && ran.stderr.contains("--force"), "{ran:?}");
        let files: Vec<_> = std::fs::read_dir(site.path(".")).unwrap().collect();
        assert_eq!(files.len(), 1, "nothing else was written: {files:?}");
        assert_eq!(std::fs::read_to_string(site.path(there)).unwrap(), "mine");
        succeeded(&site.run(&["init", "--force", "--reflect", &running.url]).await);
        assert!(std::fs::read_to_string(site.path("gateway.toml")).unwrap().contains("[upstreams.shop]"));
        assert_eq!(site.run(&["check"]).await.code, Some(0));
    }
}

#[tokio::test]
async fn a_folder_is_made_where_it_is_missing() {
    let running = serve(router(Reflection::of(&compile("shop.proto", PROTO)))).await;
    let site = empty();
    succeeded(&site.run(&["init", "--out", "a/b", "--reflect", &running.url]).await);
    assert_eq!(site.run(&["check", "--config", "a/b/gateway.toml"]).await.code, Some(0));
    let ran = site.file("c", "a file").run(&["init", "--out", "c", "--reflect", &running.url]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("cannot write c"), "{ran:?}");
}

#[tokio::test]
async fn unix_sockets_and_tls_are_written_so_that_they_work_from_anywhere() {
    let reflection = Reflection::of(&compile("shop.proto", PROTO));
    let identity = Identity::new();
    let site = empty().file("ca.pem", &identity.cert);
    let _unix = serve_unix(router(reflection.clone()), &site.path("shop.sock"));
    let tls = serve_tls(router(reflection), &identity).await;
    succeeded(&site.run(&["init", "--out", "unix", "--reflect", "unix:shop.sock"]).await);
    succeeded(&site.run(&["init", "--out", "tls", "--ca", "ca.pem", "--reflect", &tls.url]).await);
    for folder in ["unix", "tls"] {
        let config = format!("{folder}/gateway.toml");
        // The server is asked again by what was written.
        let text = std::fs::read_to_string(site.path(&config)).unwrap();
        let asking =
            text.replace("descriptor_set = \"schema.binpb\"\n", "").replace("# reflection", "reflection");
        site.write(&config, asking);
        let checked = site.run(&["check", "--config", &config]).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
    }
    let untrusted = site.run(&["init", "--out", "x", "--reflect", &tls.url]).await;
    assert_eq!(untrusted.code, Some(1), "{untrusted:?}");
    assert!(untrusted.stderr.contains("does not tell its schema"), "{untrusted:?}");
    assert!(!site.path("x").exists());
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let site = empty();
    for (url, part) in [
        ("ftp://a", "ftp://a"),
        ("http://127.0.0.1:1", "does not tell its schema"),
        ("http://a\"\n[server]", "http://a"),
        ("", "endpoint"),
    ] {
        let ran = site.run(&["init", "--reflect", url]).await;
        assert_eq!(ran.code, Some(1), "{url}: {ran:?}");
        assert!(ran.stderr.contains(part), "{url}: {ran:?}");
        assert!(!site.path("gateway.toml").exists(), "{url}");
    }
    for arguments in
        [&["init"][..], &["init", "--reflect"], &["init", "--reflect", "http://a", "--cert", "b"]]
    {
        assert_eq!(site.run(arguments).await.code, Some(2), "{arguments:?}");
    }
    let help = site.run(&["init", "--help"]).await;
    assert_eq!(help.code, Some(0));
    for option in ["--reflect", "--out", "--force", "--ca", "--server-name"] {
        assert!(help.stdout.contains(option), "{option}: {}", help.stdout);
    }
}
