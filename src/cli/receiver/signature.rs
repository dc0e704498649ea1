//! Whether a message is signed as Standard Webhooks say.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderMap;

use super::keys::Key;
use crate::base::clock::Timestamp;

/// How far a timestamp may be from now, before and after.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The most signatures that are looked at.
const MAX_SIGNATURES: usize = 64;

/// What is found of the signatures of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// One is right.
    Verified {
        /// `v1` or `v1a`.
        version: &'static str,
        /// With which key, from 1: secrets, those of files, public keys.
        key: usize,
    },
    /// None is, for this reason.
    Wrong(String),
    /// There are no keys to check it with.
    Unchecked,
}

/// Checks the signatures of a message against all keys (Standard Webhooks, "Verifying signatures").
pub(super) fn check(headers: &HeaderMap, body: &[u8], keys: &[Key], now: Timestamp) -> Finding {
    if keys.is_empty() {
        return Finding::Unchecked;
    }
    find(headers, body, keys, now).unwrap_or_else(Finding::Wrong)
}

fn find(headers: &HeaderMap, body: &[u8], keys: &[Key], now: Timestamp) -> Result<Finding, String> {
    let id = text(headers, "webhook-id")?;
    let timestamp = text(headers, "webhook-timestamp")?;
    let signatures = text(headers, "webhook-signature")?;
    check_timestamp(timestamp, now)?;
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    for signature in signatures.split(' ').take(MAX_SIGNATURES) {
        let Some((version, encoded)) = signature.split_once(',') else { continue };
        let Ok(signature) = STANDARD.decode(encoded) else { continue };
        let right = |key: &Key| key.version() == version && key.verifies(&content, &signature);
        if let Some(index) = keys.iter().position(right) {
            return Ok(Finding::Verified { version: keys[index].version(), key: index + 1 });
        }
    }
    let made = signatures.split(' ').filter_map(|signature| Some(signature.split_once(',')?.0));
    let made: Vec<_> = made.take(MAX_SIGNATURES).collect();
    Err(format!(
        "none of its signatures ({}) is made with one of the {} keys: another secret, or it was changed on its way",
        made.join(", "),
        keys.len()
    ))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, String> {
    let value = headers.get(name).ok_or_else(|| format!("the header {name} is missing"))?;
    value.to_str().map_err(|_| format!("the header {name} is no text"))
}

fn check_timestamp(text: &str, now: Timestamp) -> Result<(), String> {
    let at = instant(text).ok_or_else(|| "webhook-timestamp is no number of seconds".to_owned())?;
    let (late, early) = (now.since(at), at.since(now));
    if late > TOLERANCE {
        Err(format!("its timestamp is {} s old, 300 s are the most", late.as_secs()))
    } else if early > TOLERANCE {
        Err(format!("its timestamp is {} s ahead of this machine's clock, 300 s are the most", early.as_secs()))
    } else {
        Ok(())
    }
}

/// The instant that a `webhook-timestamp` means.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok()?;
    seconds.checked_mul(1000).map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    // The example of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const AT: &str = "1614265330";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(signature: &str) -> HeaderMap {
        let header = |name, value: &str| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        [header("webhook-id", ID), header("webhook-timestamp", AT), header("webhook-signature", signature)]
            .into_iter()
            .collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis((1_614_265_330 + seconds) * 1000)
    }

    fn keys() -> Vec<Key> {
        vec![Key::secret("whsec_AAAA").unwrap(), Key::secret(SECRET).unwrap()]
    }

    #[test]
    fn the_example_of_the_specification_is_verified() {
        let verified = Finding::Verified { version: "v1", key: 2 };
        assert_eq!(check(&headers(SIGNATURE), BODY, &keys(), at(0)), verified);
        let rotated = format!("v1,AAAA v1a,AAAA nonsense {SIGNATURE}");
        assert_eq!(check(&headers(&rotated), BODY, &keys(), at(0)), verified);
        assert_eq!(check(&headers(SIGNATURE), BODY, &[], at(0)), Finding::Unchecked);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |headers: HeaderMap, body: &[u8], now| match check(&headers, body, &keys(), now) {
            Finding::Wrong(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert!(wrong(headers(SIGNATURE), b"{}", at(0)).contains("(v1) is made with one of the 2 keys"));
        assert!(wrong(headers(&SIGNATURE.replace("v1,", "v1a,")), BODY, at(0)).contains("(v1a)"));
        assert!(wrong(headers(SIGNATURE), BODY, at(301)).contains("301 s old"));
        assert!(wrong(headers(SIGNATURE), BODY, at(-301)).contains("301 s ahead"));
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut without = headers(SIGNATURE);
            without.remove(name);
            assert_eq!(wrong(without, BODY, at(0)), format!("the header {name} is missing"));
        }
        let mut never = headers(SIGNATURE);
        never.insert("webhook-timestamp", HeaderValue::from_static("soon"));
        assert!(wrong(never, BODY, at(0)).contains("no number"));
    }

    #[test]
    fn the_tolerance_is_five_minutes_on_both_sides() {
        for seconds in [-300, 300] {
            let found = check(&headers(SIGNATURE), BODY, &keys(), at(seconds));
            assert!(matches!(found, Finding::Verified { .. }), "{seconds}");
        }
    }

    #[test]
    fn a_signature_of_a_key_pair_is_verified() {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = Key::public(&format!("whpk_{}", STANDARD.encode(pair.public_key()))).unwrap();
        let content = [ID.as_bytes(), b".", AT.as_bytes(), b".", BODY].concat();
        let signature = format!("v1a,{}", STANDARD.encode(pair.sign(&content)));
        let found = check(&headers(&signature), BODY, &[key], at(0));
        assert_eq!(found, Finding::Verified { version: "v1a", key: 1 });
        for bad in ["whpk_AAAA", "whsec_AAAA", ""] {
            assert!(Key::public(bad).is_err(), "{bad}");
        }
        for bad in ["whsec_", "whsec_*", "AAAA", "whpk_AAAA"] {
            assert!(Key::secret(bad).unwrap_err().text.contains("whsec_ and a key"), "{bad}");
        }
    }
}
