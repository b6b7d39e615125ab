//! Good pairs, wrong ones, unknown users, and floods of them.

use argon2::{Algorithm, PasswordHasher as _, Version};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::*;

/// The hash of a password, as cheap as Argon2 can be.
fn hash(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), b"saltsalt").unwrap().to_string()
}

fn block() -> Basic {
    let text = format!(
        "[users.ada]\nargon2 = \"{}\"\nscopes = [\"read\"]\nmetadata = {{ \"x-user\" = \"ada\" }}\n[users.bob]\nargon2 = \"{}\"\n",
        hash("pass:word"),
        hash("")
    );
    let turns = Arc::new(Turns::new(2));
    Basic { turns, ..Basic::new(&"staff".into(), false, &text).unwrap() }
}

fn head(authorization: &str) -> Parts {
    let request = http::Request::builder().header(AUTHORIZATION, authorization).body(()).unwrap();
    request.into_parts().0
}

fn pair(text: &str) -> Parts {
    head(&format!("Basic {}", base64_simd::STANDARD.encode_to_string(text)))
}

#[tokio::test]
async fn a_user_is_name_and_password() {
    let block = block();
    let identity = block.authenticate(&pair("ada:pass:word")).await.unwrap().unwrap();
    assert_eq!(
        (&*identity.subject, &*identity.policy, identity.strip.clone()),
        ("ada", "staff", Some(AUTHORIZATION))
    );
    assert!(block.authenticate(&pair("bob:")).await.unwrap().is_some());
    assert!(block.authenticate(&head("Bearer x")).await.unwrap().is_none());
    for wrong in [
        "ada:pass",
        "ada:",
        "ADA:pass:word",
        "eve:pass:word",
        ":pass:word",
        "bob:pass:word",
        "ada:pass:word ",
    ] {
        let status = block.authenticate(&pair(wrong)).await.unwrap_err();
        assert_eq!(status.reason().as_deref(), Some("PASSWORD_INVALID"), "{wrong}");
        let challenge = status.metadata.unwrap().get("www-authenticate").cloned().unwrap();
        assert_eq!(challenge, "Basic realm=\"staff\", charset=\"UTF-8\"");
    }
    for malformed in ["Basic", "Basic ?", "Basic YWRh", "Basic /w=="] {
        assert_eq!(block.authenticate(&head(malformed)).await.unwrap_err().http_status(), 400, "{malformed}");
    }
}

#[tokio::test]
async fn a_hash_of_the_reference_implementation_is_one() {
    // `echo -n pass:word | argon2 saltsalt -id -k 8 -t 1 -p 1 -e`
    let hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$zBW/VV2D+oyM5wAFJIQGlHS5YUiQBJb0gswG75KSzus";
    let text = format!("[users.ada]\nargon2 = \"{hash}\"\n");
    let block = Basic { turns: Arc::new(Turns::new(2)), ..Basic::new(&"staff".into(), true, &text).unwrap() };
    assert_eq!(block.authenticate(&pair("ada:pass:word")).await.unwrap().unwrap().strip, None);
}

#[tokio::test]
async fn a_good_pair_is_remembered_and_a_wrong_one_is_not() {
    let block = block();
    block.authenticate(&pair("ada:pass:word")).await.unwrap();
    block.authenticate(&pair("ada:wrong")).await.unwrap_err();
    block.authenticate(&pair("eve:x")).await.unwrap_err();
    // With all turns taken, nothing is hashed: only what is remembered has an answer.
    let taken = Arc::clone(&block.turns.running).try_acquire_many_owned(2).unwrap();
    let answer = |text| block.authenticate(&pair(text)).now_or_never();
    assert!(answer("ada:pass:word").unwrap().unwrap().is_some());
    assert!(answer("bob:").is_none(), "it was not seen before");
    assert!(answer("ada:wrong").is_none());
    assert!(answer("eve:x").is_none(), "an unknown user is hashed as well");
    drop(taken);
    assert!(block.authenticate(&pair("bob:")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_flood_is_bounded_and_ends() {
    let block = block();
    let heads: Vec<_> = (0..1000).map(|number| pair(&format!("ada:guess-{number}"))).collect();
    let statuses = join_all(heads.iter().map(|head| block.authenticate(head))).await;
    let statuses: Vec<u16> = statuses.into_iter().map(|status| status.unwrap_err().http_status()).collect();
    let busy = statuses.iter().filter(|status| **status == 503).count();
    assert!(statuses.iter().all(|status| [401, 503].contains(status)));
    assert!((800..1000).contains(&busy), "{busy}");
    block.authenticate(&pair("ada:pass:word")).await.unwrap();
}

#[test]
fn what_is_wrong_with_a_file_is_told_without_its_text() {
    let dear = hash("x").replace("m=8,", "m=1048576,");
    for (entry, wrong) in [
        ("argon2 = \"topsecret\"", "users.a: argon2 must be a hash such as"),
        ("argon2 = \"$2b$12$topsecret\"", "users.a: argon2 must be a hash such as"),
        ("password = \"topsecret\"", "line 2 is not as it should be: an entry is `[users.NAME]`"),
        ("argon2 = \"x\"\nscopes = \"topsecret\"", "line 3 is not as it should be"),
        (&*format!("argon2 = \"{dear}\""), "users.a: the hash asks for more than 262144 KiB"),
        (
            &*format!("argon2 = \"{}\"", hash("x").replace("argon2id", "argon2i")),
            "users.a: argon2 must be a hash by argon2id",
        ),
    ] {
        let error = Basic::new(&"p".into(), false, &format!("[users.a]\n{entry}\n")).unwrap_err();
        assert!(error.starts_with(wrong) && !error.contains("topsecret"), "{error}");
    }
    let colon = format!("[users.\"a:b\"]\nargon2 = \"{}\"\n", hash("x"));
    assert!(Basic::new(&"p".into(), false, &colon).unwrap_err().contains("has no colon"));
    assert_eq!(Basic::new(&"p".into(), false, "").unwrap_err(), "the file lists no users");
}
