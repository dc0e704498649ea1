//! Keys from a URL: rotation, an issuer that is down, slow, or answers nonsense.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tidings::auth::issuers::{ForeignDenied, KeySource, MAX_KEY_SET, Patience, REFETCH, TrustedIssuers};
use tidings::base::clock::ManualClock;
use tidings::base::outbound::Destination;
use tidings::base::stop::Stop;

use crate::house::{ISSUER, NOW, at, claims, entry, header, outbound, with};
use crate::signer::{Signer, key_set};
use crate::upstream::{Reply, Upstream};

const REFRESH: Duration = Duration::from_mins(10);

/// An appliance that trusts the issuer at the other end of a URL, and the keys that the issuer has.
struct Distance {
    upstream: Upstream,
    clock: ManualClock,
    issuers: Arc<TrustedIssuers>,
    stop: Stop,
}

impl Distance {
    async fn new(reply: Reply) -> Self {
        Self::with_patience(reply, Patience::default()).await
    }

    async fn with_patience(reply: Reply, patience: Patience) -> Self {
        let upstream = Upstream::start(reply).await;
        let clock = ManualClock::new(at(NOW));
        let url = Destination::parse(&upstream.url("jwks?v=1")).unwrap();
        let settings = entry(KeySource::Url { url, refresh: REFRESH });
        let issuers = TrustedIssuers::with_patience(vec![settings], outbound(), Arc::new(clock.clone()), patience);
        let (issuers, stop) = (Arc::new(issuers), Stop::new());
        tokio::spawn(Arc::clone(&issuers).run(stop.clone()));
        Self { upstream, clock, issuers, stop }
    }

    async fn take(&self, token: &str) -> Result<(), ForeignDenied> {
        self.issuers.bearer(token, None).await.unwrap().map(drop)
    }

    /// Waits until so many fetches have begun, and their outcome shows.
    async fn hits(&self, count: usize) {
        until(|| self.upstream.hits() >= count).await;
        assert_eq!(self.upstream.hits(), count);
    }

    fn metric(&self, name: &str) -> f64 {
        let (mut registry, mut text) = (Registry::default(), String::new());
        TrustedIssuers::register(&self.issuers, &mut registry);
        encode(&mut text, &registry).unwrap();
        let line = format!("{name}{{issuer=\"{ISSUER}\"}} ");
        let value = text.lines().find_map(|l| l.strip_prefix(&line)).map_or(0.0, |value| value.parse().unwrap());
        assert!(text.contains(&format!("# TYPE {}", name.trim_end_matches("_total"))), "{name}: {text}");
        value
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    let holds = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), holds).await.expect("it comes in time");
}

fn keys(of: &[(&Signer, &str)]) -> Reply {
    let keys: Vec<_> = of.iter().map(|(signer, id)| signer.jwk(id)).collect();
    Reply::ok(key_set(&keys).to_string())
}

fn signed(signer: &Signer, id: &str) -> String {
    signed_claims(signer, id, &with(claims(), "exp", json!(NOW + 100_000)))
}

fn signed_claims(signer: &Signer, id: &str, claims: &Value) -> String {
    signer.sign(&with(header(signer.algorithm), "kid", json!(id)), claims)
}

#[tokio::test]
async fn keys_are_fetched_at_the_start_and_a_token_waits_for_them() {
    let signer = Signer::new("ES256");
    let distance = Distance::new(keys(&[(&signer, "a")])).await;
    assert_eq!(distance.take(&signed(&signer, "a")).await, Ok(()));
    distance.hits(1).await;
    let request = &distance.upstream.requests()[0];
    assert!(request.starts_with("GET /jwks?v=1 HTTP/1.1\r\n") && request.contains("accept: application/jwk-set+json"));
    distance.clock.advance(Duration::from_secs(30));
    assert!((distance.metric("tidings_issuer_jwks_age_seconds") - 30.0).abs() < 1e-9);
    assert!((distance.metric("tidings_issuer_jwks_keys") - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn keys_are_fetched_again_after_the_refresh_time() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let distance = Distance::new(keys(&[(&old, "a")])).await;
    assert_eq!(distance.take(&signed(&old, "a")).await, Ok(()));
    distance.upstream.reply(keys(&[(&new, "b")]));
    distance.clock.advance(REFRESH.saturating_sub(Duration::from_millis(1)));
    tokio::task::yield_now().await;
    distance.hits(1).await;
    assert_eq!(distance.take(&signed(&old, "a")).await, Ok(()), "remembered, and its key is still there");
    distance.clock.advance(Duration::from_millis(1));
    distance.hits(2).await;
    until(|| distance.metric("tidings_issuer_jwks_age_seconds") < 1.0).await;
    assert_eq!(distance.take(&signed(&new, "b")).await, Ok(()));
    assert_eq!(distance.take(&signed(&old, "a")).await, Err(ForeignDenied::UnknownKey), "remembered, and revoked");
    distance.hits(2).await;
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_most_once_a_minute() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let distance = Distance::new(keys(&[(&old, "a")])).await;
    assert_eq!(distance.take(&signed(&old, "a")).await, Ok(()));
    distance.upstream.reply(keys(&[(&old, "a"), (&new, "b")]));
    let token = signed(&new, "b");
    distance.clock.advance(REFETCH.saturating_sub(Duration::from_millis(1)));
    for _ in 0..3 {
        assert_eq!(distance.take(&token).await, Err(ForeignDenied::UnknownKey), "the last fetch is not a minute ago");
    }
    distance.hits(1).await;
    distance.clock.advance(Duration::from_millis(1));
    assert_eq!(distance.take(&token).await, Ok(()));
    distance.hits(2).await;
    for n in 0..20 {
        let stranger = signed(&new, &format!("stranger-{n}"));
        assert_eq!(distance.take(&stranger).await, Err(ForeignDenied::UnknownKey));
    }
    distance.hits(2).await;
    distance.clock.advance(REFETCH);
    assert_eq!(distance.take(&signed(&new, "stranger")).await, Err(ForeignDenied::UnknownKey));
    distance.hits(3).await;
    assert_eq!(distance.take(&signed(&old, "a")).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_wait_for_one_fetch() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let distance = Distance::new(keys(&[(&old, "a")])).await;
    assert_eq!(distance.take(&signed(&old, "a")).await, Ok(()));
    distance.upstream.reply(keys(&[(&new, "b")]));
    distance.clock.advance(REFETCH);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let token = signed_claims(&new, "b", &with(claims(), "jti", json!(n)));
        let issuers = Arc::clone(&distance.issuers);
        tasks.spawn(async move { issuers.bearer(&token, None).await.unwrap().map(drop) });
    }
    while let Some(outcome) = tasks.join_next().await {
        assert_eq!(outcome.unwrap(), Ok(()));
    }
    distance.hits(2).await;
}

#[tokio::test]
async fn keys_are_used_stale_while_the_issuer_is_down() {
    let (known, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let distance = Distance::new(keys(&[(&known, "a")])).await;
    assert_eq!(distance.take(&signed(&known, "a")).await, Ok(()));
    let good = key_set(&[new.jwk("b")]).to_string();
    let bad = [
        Reply::Closed,
        Reply::Whole(500, String::new(), good.clone().into_bytes()),
        Reply::Whole(204, String::new(), Vec::new()),
        Reply::ok("<html>"),
        Reply::ok("{\"keys\":[]}"),
        Reply::ok(format!("{good}{}", " ".repeat(MAX_KEY_SET))),
        Reply::Endless,
    ];
    for (failures, reply) in (0_u32..).zip(bad) {
        distance.upstream.reply(reply.clone());
        distance.clock.advance(REFRESH);
        until(|| distance.metric("tidings_issuer_jwks_failures_total") > f64::from(failures)).await;
        let again = signed_claims(&known, "a", &with(claims(), "exp", json!(NOW + 100_000 + i64::from(failures))));
        assert_eq!(distance.take(&again).await, Ok(()), "{reply:?}");
        assert_eq!(distance.take(&signed(&new, "b")).await, Err(ForeignDenied::KeysUnavailable), "{reply:?}");
        let age = REFRESH.as_secs_f64() * f64::from(failures + 1);
        assert!((distance.metric("tidings_issuer_jwks_age_seconds") - age).abs() < 1e-9, "{reply:?}");
    }
    distance.upstream.reply(Reply::ok(good));
    distance.clock.advance(REFETCH);
    assert_eq!(distance.take(&signed(&new, "b")).await, Ok(()));
    assert_eq!(distance.take(&signed(&known, "a")).await, Err(ForeignDenied::UnknownKey));
}

#[tokio::test]
async fn an_issuer_that_was_never_up_is_tried_again_soon() {
    let signer = Signer::new("ES256");
    let distance = Distance::new(Reply::Closed).await;
    assert_eq!(distance.take(&signed(&signer, "a")).await, Err(ForeignDenied::KeysUnavailable));
    until(|| distance.metric("tidings_issuer_jwks_failures_total") > 0.5).await;
    assert_eq!(distance.take(&signed(&signer, "a")).await, Err(ForeignDenied::KeysUnavailable));
    distance.hits(1).await;
    distance.upstream.reply(keys(&[(&signer, "a")]));
    distance.clock.advance(Duration::from_secs(1));
    distance.hits(2).await;
    until(|| distance.metric("tidings_issuer_jwks_keys") > 0.5).await;
    assert_eq!(distance.take(&signed(&signer, "a")).await, Ok(()));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let signer = Signer::new("ES256");
    let elsewhere = Upstream::start(keys(&[(&signer, "a")])).await;
    let location = format!("Location: {}\r\n", elsewhere.url("jwks"));
    let distance = Distance::new(Reply::Whole(302, location, Vec::new())).await;
    assert_eq!(distance.take(&signed(&signer, "a")).await, Err(ForeignDenied::KeysUnavailable));
    assert_eq!(elsewhere.hits(), 0);
}

#[tokio::test]
async fn nobody_waits_longer_than_patience_lasts() {
    let signer = Signer::new("ES256");
    let short = Duration::from_millis(20);
    let long = Duration::from_hours(1);
    // The request gives up before the fetch does, and the other way round.
    for (fetch, request) in [(long, short), (short, long)] {
        let distance = Distance::with_patience(Reply::Silence, Patience { fetch, request }).await;
        assert_eq!(distance.take(&signed(&signer, "a")).await, Err(ForeignDenied::KeysUnavailable));
    }
}

#[tokio::test]
async fn replaced_issuers_keep_the_keys_of_a_url_that_stays() {
    let signer = Signer::new("ES256");
    let distance = Distance::new(keys(&[(&signer, "a")])).await;
    assert_eq!(distance.take(&signed(&signer, "a")).await, Ok(()));
    distance.upstream.reply(Reply::Silence);
    let url = Destination::parse(&distance.upstream.url("jwks?v=1")).unwrap();
    distance.issuers.replace(vec![entry(KeySource::Url { url, refresh: REFRESH })]);
    assert_eq!(distance.take(&signed(&signer, "a")).await, Ok(()));
    distance.upstream.reply(Reply::ok(key_set(&[signer.jwk("b")]).to_string()));
    let url = Destination::parse(&distance.upstream.url("jwks?v=2")).unwrap();
    distance.issuers.replace(vec![entry(KeySource::Url { url, refresh: REFRESH })]);
    assert_eq!(distance.take(&signed(&signer, "b")).await, Ok(()));
    assert!(distance.upstream.requests().iter().any(|request| request.starts_with("GET /jwks?v=2")));
}
