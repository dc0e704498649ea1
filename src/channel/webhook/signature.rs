//! The signatures of a webhook (Standard Webhooks 1.0.0, "Signature scheme").

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::clock::Timestamp;
use crate::base::ed25519::SignAll;
use crate::model::target::{SigningSecret, WebhookTarget};

/// What is signed: id, time in seconds, and body.
pub(super) struct Signed<'m> {
    pub(super) id: &'m str,
    pub(super) seconds: i64,
    pub(super) body: &'m [u8],
}

impl Signed<'_> {
    /// The value of `webhook-signature`; `None` if nothing signs at `now`.
    pub(super) fn signatures(&self, target: &WebhookTarget, keys: &dyn SignAll, now: Timestamp) -> Option<String> {
        let head = format!("{}.{}.", self.id, self.seconds);
        let secrets = target.secrets.iter().filter(|secret| secret.is_valid(now));
        let mut signatures: Vec<_> = secrets.map(|secret| self.symmetric(&head, secret)).collect();
        if target.asymmetric {
            let whole = [head.as_bytes(), self.body].concat();
            let signed = keys.sign(&whole, now).into_iter();
            signatures.extend(signed.map(|signature| format!("v1a,{}", STANDARD.encode(signature))));
        }
        (!signatures.is_empty()).then(|| signatures.join(" "))
    }

    fn symmetric(&self, head: &str, secret: &SigningSecret) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret.key));
        context.update(head.as_bytes());
        context.update(self.body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::base::ed25519::{PrivateKey, Signature};

    const NOW: Timestamp = Timestamp::from_millis(1_614_265_330_000);

    struct Keys(Vec<PrivateKey>);

    impl SignAll for Keys {
        fn sign(&self, message: &[u8], _: Timestamp) -> Vec<Signature> {
            self.0.iter().map(|key| key.sign(message)).collect()
        }
    }

    fn keys(count: u8) -> Keys {
        Keys((0..count).map(|n| PrivateKey::from_seed(&[n; 32]).unwrap()).collect())
    }

    fn target(secrets: Vec<SigningSecret>, asymmetric: bool) -> WebhookTarget {
        WebhookTarget { secrets, asymmetric, ..WebhookTarget::new("https://h/", "plant") }
    }

    fn secret(key: &str, not_before: Option<i64>, not_after: Option<i64>) -> SigningSecret {
        let at = |millis: Option<i64>| millis.map(|millis| Timestamp::from_millis(NOW.as_millis() + millis));
        let key = Zeroizing::new(STANDARD.decode(key).unwrap());
        SigningSecret { key, not_before: at(not_before), not_after: at(not_after) }
    }

    const SIGNED: Signed<'_> =
        Signed { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1_614_265_330, body: b"{\"test\": 2432232314}" };

    /// The example of the reference libraries.
    #[test]
    fn the_known_message_has_the_known_signature() {
        let target = target(vec![secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None, None)], false);
        let signature = SIGNED.signatures(&target, &keys(0), NOW).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_secret_signs_while_it_is_valid_and_the_own_key_where_it_is_wanted() {
        let one = || secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Some(-1), Some(1));
        let other = || secret("BBBBAAAAAAAAAAAAAAAAAAAAAAAAAAAA", None, None);
        let count = |secrets, asymmetric, keys: &Keys| {
            let signatures = SIGNED.signatures(&target(secrets, asymmetric), keys, NOW);
            signatures
                .map(|text| text.split(' ').map(|one| one.split(',').next().unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(count(vec![one(), other()], false, &keys(2)).unwrap(), ["v1", "v1"]);
        assert_eq!(count(vec![one(), other()], true, &keys(2)).unwrap(), ["v1", "v1", "v1a", "v1a"]);
        assert_eq!(count(vec![], true, &keys(1)).unwrap(), ["v1a"]);
        let ended = || secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", None, Some(0));
        let early = || secret("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Some(1), None);
        assert_eq!(count(vec![ended(), early()], false, &keys(1)), None);
        assert_eq!(count(vec![ended(), early()], true, &keys(1)).unwrap(), ["v1a"]);
    }

    #[test]
    fn the_own_key_signs_the_same_content() {
        let keys = keys(1);
        let signature = SIGNED.signatures(&target(vec![], true), &keys, NOW).unwrap();
        let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
        let content = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        assert!(keys.0[0].public().verifies(content, &signature));
    }
}
