//! Tokens that are good, and the ways in which others are made to look so.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use futures_util::FutureExt as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value as Json, json};

use super::*;
use crate::config::auth::{Algorithm, KeySource, Reference};
use crate::config::problem::{Located, Location};

const NOW: u64 = 1_800_000_000;

struct Issuer {
    key: EcdsaKeyPair,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { key }
    }

    fn jwk(&self, id: &str) -> Json {
        let point = self.key.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| BASE64URL.encode_to_string(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
            "x": part(1..33), "y": part(33..65) })
    }

    fn token(&self, header: &Json, claims: &Json) -> String {
        let signed = unsigned(header, claims);
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL.encode_to_string(signature.as_ref()))
    }

    fn block(&self, change: impl FnOnce(&mut Spec)) -> Jwt {
        let mut spec = Spec {
            issuer: "https://issuer.example.com".into(),
            audiences: vec!["shop".into(), "other".into()],
            jwks: Located {
                value: KeySource::Reference(Reference::Env(String::new())),
                at: Location::default(),
            },
            jwks_ca: None,
            algorithms: vec![Algorithm::Es256],
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            token_type: None,
            claims_to_metadata: [("/sub".to_owned(), HeaderName::from_static("x-user"))].into(),
        };
        change(&mut spec);
        let set = json!({ "keys": [{ "kty": "oct", "kid": "x", "k": "AAAA" }, self.jwk("one")] });
        let keys = KeySet::parse(set.to_string().as_bytes()).unwrap();
        Jwt::new("users".into(), spec, false, Keys::Fixed(keys))
    }
}

fn unsigned(header: &Json, claims: &Json) -> String {
    let part = |json: &Json| BASE64URL.encode_to_string(json.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

fn header() -> Json {
    json!({ "alg": "ES256", "kid": "one", "typ": "JWT" })
}

fn claims() -> Json {
    json!({ "iss": "https://issuer.example.com", "aud": "shop", "exp": NOW + 60, "sub": "ada",
        "scope": "read write", "role": ["admin"] })
}

/// The claims with some of them other, or away where they are null.
fn with(changes: &Json) -> Json {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Json::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// Verifies at once: the keys are there.
fn verify(block: &Jwt, token: &str, now: u64) -> Result<Arc<Identity>, &'static str> {
    block.verify(token, now).now_or_never().expect("it does not wait").map_err(|refused| match refused {
        Refused::Token(why) => why,
        Refused::NoKeys => panic!("there are keys"),
    })
}

fn refused(token: &str, block: &Jwt) -> &'static str {
    verify(block, token, NOW).map(|identity| identity.subject.clone()).expect_err("the token is refused")
}

#[test]
fn a_good_token_says_who_calls() {
    let issuer = Issuer::new();
    let block = issuer.block(|_| {});
    let identity = verify(&block, &issuer.token(&header(), &claims()), NOW).unwrap();
    assert_eq!(&*identity.subject, "ada");
    assert_eq!(identity.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>(), ["read", "write"]);
    assert_eq!(identity.metadata, [(HeaderName::from_static("x-user"), HeaderValue::from_static("ada"))]);
    assert_eq!(identity.strip, Some(AUTHORIZATION));
    // Without `kid`, and with a list of audiences.
    let token = issuer.token(&json!({ "alg": "ES256" }), &with(&json!({ "aud": ["else", "other"] })));
    verify(&block, &token, NOW).unwrap();
}

#[test]
fn algorithms_cannot_be_confused() {
    let issuer = Issuer::new();
    let block = issuer.block(|_| {});
    let not_allowed = "is signed with an algorithm that is not allowed";
    for algorithm in ["none", "None", "HS256", "ES384", "RS256", "es256", ""] {
        let token = issuer.token(&json!({ "alg": algorithm, "kid": "one" }), &claims());
        assert_eq!(refused(&token, &block), not_allowed, "{algorithm}");
    }
    // A key of one type never serves another's algorithm, even where both are allowed.
    let block = issuer.block(|spec| spec.algorithms = vec![Algorithm::Rs256, Algorithm::Es256]);
    let token = issuer.token(&json!({ "alg": "RS256", "kid": "one" }), &claims());
    assert_eq!(refused(&token, &block), "is signed with an unknown key");
}

#[test]
fn a_token_without_signature_or_with_another_is_refused() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let block = issuer.block(|_| {});
    let wrong = "has a wrong signature";
    assert_eq!(refused(&format!("{}.", unsigned(&header(), &claims())), &block), wrong);
    assert_eq!(refused(&other.token(&header(), &claims()), &block), wrong);
    // `jwk` in the header is the forger's own key.
    let mut own_key = header();
    own_key["jwk"] = other.jwk("one");
    assert_eq!(refused(&other.token(&own_key, &claims()), &block), wrong);
    // The signature of one set of claims under another.
    let good = issuer.token(&header(), &claims());
    let signature = good.rsplit_once('.').unwrap().1;
    let forged = format!("{}.{signature}", unsigned(&header(), &with(&json!({ "sub": "root" }))));
    assert_eq!(refused(&forged, &block), wrong);
    let unknown = issuer.token(&json!({ "alg": "ES256", "kid": "two" }), &claims());
    assert_eq!(refused(&unknown, &block), "is signed with an unknown key");
}

#[test]
fn claims_that_are_absent_or_wrong_are_refused() {
    let issuer = Issuer::new();
    let block = issuer.block(|spec| spec.max_lifetime = Some(Duration::from_hours(1)));
    for (changes, why) in [
        (json!({ "aud": null }), "is for another audience"),
        (json!({ "aud": "shop2" }), "is for another audience"),
        (json!({ "aud": ["x"] }), "is for another audience"),
        (json!({ "aud": [] }), "is for another audience"),
        (json!({ "iss": null }), "is from another issuer"),
        (json!({ "iss": "https://issuer.example.com/" }), "is from another issuer"),
        (json!({ "iss": ["https://issuer.example.com"] }), "is from another issuer"),
        (json!({ "exp": null }), "does not say when it expires"),
        (json!({ "exp": "1900000000" }), "does not say when it expires"),
        (json!({ "exp": u64::MAX }), "does not say when it expires"),
        (json!({ "exp": -1 }), "does not say when it expires"),
        (json!({ "exp": NOW - 30 }), "has expired"),
        (json!({ "exp": NOW + 3_631 }), "is valid for too long"),
        (json!({ "nbf": NOW + 31 }), "is not valid yet"),
        (json!({ "iat": NOW + 31 }), "is not valid yet"),
        (json!({ "nbf": "now" }), "has a date that is none"),
    ] {
        assert_eq!(refused(&issuer.token(&header(), &with(&changes)), &block), why, "{changes}");
    }
    // Within the leeway, from both sides; dates may have fractions.
    let edge = with(&json!({ "exp": NOW - 29, "nbf": NOW + 30, "iat": 1_799_999_999.5 }));
    verify(&block, &issuer.token(&header(), &edge), NOW).unwrap();
}

#[test]
fn critical_headers_and_other_types_are_refused() {
    let issuer = Issuer::new();
    let block = issuer.block(|spec| spec.token_type = Some("at+jwt".into()));
    assert_eq!(refused(&issuer.token(&header(), &claims()), &block), "is of another type");
    let mut access = header();
    access["typ"] = "application/AT+JWT".into();
    verify(&block, &issuer.token(&access, &claims()), NOW).unwrap();
    access["crit"] = json!(["exp"]);
    assert_eq!(refused(&issuer.token(&access, &claims()), &block), "has critical headers");
}

#[test]
fn a_remembered_token_still_expires() {
    let issuer = Issuer::new();
    let block = issuer.block(|_| {});
    let token = issuer.token(&header(), &claims());
    verify(&block, &token, NOW).unwrap();
    verify(&block, &token, NOW + 89).unwrap();
    assert_eq!(verify(&block, &token, NOW + 90).map(drop), Err("has expired"));
}

/// A refusal is not remembered, and what was verified has begun, whatever the clock says later.
#[test]
fn a_clock_that_jumps_harms_nobody_when_it_is_right_again() {
    let issuer = Issuer::new();
    let block = issuer.block(|_| {});
    let token = issuer.token(&header(), &with(&json!({ "iat": NOW })));
    for (now, outcome) in
        [(NOW, Ok(())), (NOW + 3_600, Err("has expired")), (NOW, Ok(())), (NOW - 3_600, Ok(()))]
    {
        assert_eq!(verify(&block, &token, now).map(drop), outcome, "{now}");
    }
    let fresh = issuer.block(|_| {});
    assert_eq!(verify(&fresh, &token, NOW - 3_600).map(drop), Err("is not valid yet"));
    verify(&fresh, &token, NOW).unwrap();
}

#[test]
fn a_clock_at_either_end_of_time_overflows_nothing() {
    let issuer = Issuer::new();
    let block = issuer.block(|spec| spec.leeway = Duration::MAX);
    let token = issuer.token(&header(), &claims());
    verify(&block, &token, 0).unwrap();
    assert_eq!(verify(&block, &token, u64::MAX).map(drop), Err("has expired"));
    let strict = issuer.block(|spec| spec.max_lifetime = Some(Duration::from_secs(3_600)));
    assert_eq!(verify(&strict, &token, 0).map(drop), Err("is valid for too long"));
}

#[test]
fn whatever_is_sent_is_refused_and_no_more() {
    let block = Issuer::new().block(|_| {});
    for text in ["", ".", "..", "...", "a.b.c", "eyJ9.e30.", "ä.ö.ü", "e30.e30.e30", "bnVsbA.bnVsbA.AA"] {
        refused(text, &block);
    }
}

/// Signatures that another implementation made: `openssl dgst -sha256 -sign`, the second one with
/// `-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32`.
#[test]
fn rsa_signatures_of_openssl_verify() {
    const N: &str = "wMqYj9q-pFQDWS_0lk4LAC4L6FORS2uISuTaTmoeaKorKUHhV9BgykjqsEMsu_rFajvpBQCwEjevwDVJvXp60Ds5g5h00lMr4p7XwIim3w1EgoLH14YKd6FrV8XdyRJ_V-CkZ00MHrZGB0rwvEapEoYR7mQf76CJaS9PAuPwLQIdD5-zCLKH3PY_E6syGkYh-eqN3-z6oQr3iBL-_3QHQX_QfHxP-qIMaYE0NTQVf6OSZLTWym-nQovftoT-AbqsUaWjsAE1rSZ0HW7q2F-QO4qzUswLdfNXYx0jGafKYDclDeux7jQzl3ZKBzC_2oLiyVAOMaLB16s6lTSPKhaDPQ";
    const RS256: &str = "hfR51rizXKul2FzZGg6QOrOCAOBuXOI6Z-4qRb2fEzIVMiI8zTMKmKis3tT8-nkSwO60y4g1pq-EkUkJ5smdlwICjOyuszj1sq-PVDAsVO-82JwkpT-l4C9dGzFVQX5OCmQ4wi4XhvTOuBJrbMgz5ZdFMdMz4i7Dmdn-Mkne9_C_VW7PuHTSqQhzgeS4dd_-yyhDnvNMOUG94uglyLA8QkJzvUcyJT__FJlyhInPiU-VNV7dXk4kA6az7Zp1U4qN1QZgWDbpEEWeKCmmxMcSiyDMvIaGFfU3vcq7yi3pzDnl1x_M1qKL3WKg68ZvHjPiwXG1BbpNOyPWoXo4Emzy-Q";
    const PS256: &str = "JTueFNBc3Hy6-LPuPAw-Ynxogb8QfOWo_fC05OJYhTBqrN2p4IbMUL32jm8jkSHlFiabvKfAypXo-05CWKnz9B6HItEih11AGYDS1pKtPmUlJ8yrc8nW9vN8d9v_I7GxzYua51aJTWhRf6VOn3wrl1GKXld9JEt3LeqrkWuD2b7AhEsyJM4WHDnHhIjV9vHqfOJgFFY3p6Zv7POymAWlM88ECOyu4pXR0FMsGB3zSDEF7R-pDwuzQKnHMfBKfglLbp9-vRJaYSBDGBkfSdSyM0IHt2M8VI6F7Y0Q-LgWlzpwJvVMf4DgMHBVk_BYNBWLHGWu3GqNSjP0yWz1JNBWfA";
    let set = json!({ "keys": [{ "kty": "RSA", "n": N, "e": "AQAB" }] });
    let keys = KeySet::parse(set.to_string().as_bytes()).unwrap();
    let verify = |algorithm, signature: &str| {
        let signature = BASE64URL.decode_to_vec(signature).unwrap();
        keys.verify(algorithm, None, b"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ", &signature)
    };
    assert_eq!(verify(Algorithm::Rs256, RS256), Ok(()));
    assert_eq!(verify(Algorithm::Ps256, PS256), Ok(()));
    for (algorithm, signature) in
        [(Algorithm::Rs384, RS256), (Algorithm::Ps256, RS256), (Algorithm::Rs256, PS256)]
    {
        assert_eq!(verify(algorithm, signature), Err(Rejected::Forged));
    }
    assert_eq!(verify(Algorithm::Es256, RS256), Err(Rejected::UnknownKey));
}
