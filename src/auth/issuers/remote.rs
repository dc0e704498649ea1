//! An issuer's keys from a URL: fetched, kept, fetched again, used stale while the issuer is down.
//!
//! One task for each issuer does all fetching, so that there is never more than one request under way. It fetches at the
//! start, after `jwks_refresh`, sooner after a failure, and when a token names a key that is not there: then at most once
//! a [`REFETCH`], whoever asks for it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell, watch};

use super::key_set::{KeySet, MAX_KEY_SET};
use crate::base::clock::{Clock, Timestamp};
use crate::base::outbound::{Client, ClientSettings, Destination, OnlyHost, Outbound, OutboundRequest};
use crate::base::secret::sha256;

/// The least time between the last fetch, whatever its reason, and one that a token with an unknown key asks for.
pub const REFETCH: Duration = Duration::from_mins(1);

/// How long things may take; on tokio's time, for sockets wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One fetch, to the last byte.
    pub fetch: Duration,
    /// A request that waits for a fetch.
    pub request: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { fetch: Duration::from_secs(10), request: Duration::from_secs(5) }
    }
}

/// Fetches the keys at `url` once, and says how many of them can be used. The error is for people.
pub async fn fetch_once(url: &Destination, outbound: Arc<Outbound>, clock: Arc<dyn Clock>) -> Result<usize, String> {
    let means = Means { outbound, clock, patience: Patience::default() };
    let remote = Remote::new(String::new(), url.clone(), Duration::MAX, means);
    let keys = KeySet::parse(&remote.download().await?).map_err(|error| format!("the answer {error}"))?;
    Ok(keys.len())
}

/// What all issuers fetch with.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) outbound: Arc<Outbound>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Patience,
}

/// The keys of one issuer.
pub(super) struct Remote {
    issuer: String,
    pub(super) url: Destination,
    pub(super) refresh: Duration,
    means: Means,
    client: OnceCell<Client>,
    fetched: ArcSwapOption<Fetched>,
    state: Mutex<State>,
    /// Wakes the task before its time.
    wanted: Notify,
    /// Rises with the end of each fetch.
    ended: watch::Sender<u64>,
}

/// Keys that were fetched.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// Rises when the keys change: what was verified with those of another version is verified again.
    pub(super) version: u64,
    digest: [u8; 32],
}

#[derive(Default)]
struct State {
    under_way: bool,
    first_attempt: Option<Timestamp>,
    last_attempt: Option<Timestamp>,
    last_success: Option<Timestamp>,
    /// Since the last success.
    failures: u32,
    /// Since the start.
    all_failures: u64,
}

/// How fresh the keys are, for metrics.
pub(super) struct Freshness {
    /// When they were fetched last; where they never were, when that was first tried.
    pub(super) since: Option<Timestamp>,
    /// Keys that can be used.
    pub(super) keys: usize,
    /// Fetches that failed since the start.
    pub(super) failures: u64,
}

impl Remote {
    pub(super) fn new(issuer: String, url: Destination, refresh: Duration, means: Means) -> Self {
        Self {
            issuer,
            url,
            refresh,
            means,
            client: OnceCell::new(),
            fetched: ArcSwapOption::empty(),
            state: Mutex::default(),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// This one with the keys that `earlier` has fetched from the same place: they are good until others come.
    pub(super) fn succeeding(self, earlier: &Self) -> Self {
        self.fetched.store(earlier.fetched());
        self
    }

    /// Whether it fetches with these.
    pub(super) fn goes_by(&self, means: &Means) -> bool {
        Arc::ptr_eq(&self.means.outbound, &means.outbound)
    }

    /// The keys as they are now; `None` before the first fetch that succeeds.
    pub(super) fn fetched(&self) -> Option<Arc<Fetched>> {
        self.fetched.load_full()
    }

    /// Whether the last fetch failed, or there was none yet.
    pub(super) fn is_down(&self) -> bool {
        let state = self.state.lock();
        state.failures > 0 || state.last_success.is_none()
    }

    pub(super) fn freshness(&self) -> Freshness {
        let keys = self.fetched().map_or(0, |fetched| fetched.keys.len());
        let state = self.state.lock();
        Freshness { since: state.last_success.or(state.first_attempt), keys, failures: state.all_failures }
    }

    /// Waits for the fetch that is under way, or asks for one if that is due and waits for it; at most as long as a
    /// request may wait. What is there then may be what was there before.
    pub(super) async fn renew(&self) {
        let mut ended = self.ended.subscribe();
        {
            let state = self.state.lock();
            if !state.under_way {
                if !state.may_refetch(self.means.clock.now()) {
                    return;
                }
                self.wanted.notify_one();
            }
        }
        // Neither the end of the time nor that of the task changes what there is.
        let _ = tokio::time::timeout(self.means.patience.request, ended.changed()).await;
    }

    /// Fetches for ever.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            self.fetch().await;
            self.rest().await;
        }
    }

    /// Until the next fetch is due, or a request wants one and may.
    async fn rest(&self) {
        let next = self.state.lock().next(self.refresh);
        let due = self.means.clock.sleep_until(next);
        tokio::pin!(due);
        loop {
            tokio::select! {
                () = &mut due => return,
                () = self.wanted.notified() => {}
            }
            // What wanted it may have been served by the last fetch.
            if self.state.lock().may_refetch(self.means.clock.now()) {
                return;
            }
        }
    }

    async fn fetch(&self) {
        let _under_way = UnderWay::begin(self);
        let outcome = self.download().await.and_then(|body| self.take(&body));
        self.settle(outcome);
    }

    async fn download(&self) -> Result<Bytes, String> {
        let client = self.client.get_or_try_init(|| self.new_client()).await?;
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        let request = OutboundRequest {
            method: Method::GET,
            to: self.url.clone(),
            headers: HeaderMap::from_iter([(ACCEPT, accept)]),
            body: Bytes::new(),
            timeout: self.means.patience.fetch,
            max_answer: MAX_KEY_SET,
            drain: 0,
        };
        let answer = client.send(request).await.map_err(|error| error.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("the answer was {}, not 200", answer.status));
        }
        if answer.complete { Ok(answer.body) } else { Err(format!("the answer is larger than {MAX_KEY_SET} bytes")) }
    }

    async fn new_client(&self) -> Result<Client, String> {
        let settings = ClientSettings {
            secure: self.url.is_secure(),
            port: self.url.port(),
            connect_timeout: self.means.patience.fetch,
            idle_connections: 0,
        };
        let (outbound, policy) = (Arc::clone(&self.means.outbound), Arc::new(OnlyHost::of(&self.url)));
        let made = tokio::task::spawn_blocking(move || outbound.client(settings, policy)).await;
        made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn take(&self, body: &[u8]) -> Result<(), String> {
        let digest = sha256(body);
        let earlier = self.fetched();
        if earlier.as_ref().is_some_and(|earlier| earlier.digest == digest) {
            return Ok(());
        }
        let keys = KeySet::parse(body).map_err(|error| format!("the answer {error}"))?;
        if !keys.ignored().is_empty() {
            tracing::debug!(issuer = self.issuer, ignored = ?keys.ignored(), "keys of the issuer that are not used");
        }
        let version = earlier.map_or(0, |earlier| earlier.version + 1);
        tracing::info!(issuer = self.issuer, keys = keys.len(), "the keys of the issuer have been fetched");
        self.fetched.store(Some(Arc::new(Fetched { keys, version, digest })));
        Ok(())
    }

    /// Notes what came of a fetch. That the issuer goes down or is back is told, and only that.
    fn settle(&self, outcome: Result<(), String>) {
        let mut state = self.state.lock();
        let (issuer, url) = (&self.issuer, &self.url);
        match outcome {
            Ok(()) => {
                if state.failures > 0 {
                    tracing::warn!(issuer, "the keys of the issuer can be fetched again from {url}");
                }
                state.failures = 0;
                state.last_success = Some(self.means.clock.now());
            }
            Err(problem) => {
                if state.failures == 0 {
                    let meanwhile = if self.fetched.load().is_some() {
                        "its tokens are checked with those fetched before"
                    } else {
                        "until they can, its tokens are refused"
                    };
                    tracing::warn!(
                        issuer,
                        "the keys of the issuer cannot be fetched from {url}: {problem}; {meanwhile}"
                    );
                }
                state.failures = state.failures.saturating_add(1);
                state.all_failures += 1;
            }
        }
    }
}

impl State {
    /// A clock that was set back holds nothing up.
    fn may_refetch(&self, now: Timestamp) -> bool {
        self.last_attempt.is_none_or(|last| now < last || now.since(last) >= REFETCH)
    }

    /// When to fetch next: after the refresh time, after failures in 1, 2, 4, … seconds, at most [`REFETCH`].
    fn next(&self, refresh: Duration) -> Timestamp {
        let pause = match self.failures.checked_sub(1) {
            None => refresh,
            Some(doublings) => Duration::from_secs(1 << doublings.min(6)).min(REFETCH).min(refresh),
        };
        self.last_attempt.unwrap_or(Timestamp::MIN).plus(pause)
    }
}

/// A fetch that is under way. Its end, also by being dropped, wakes who waits for it.
struct UnderWay<'r>(&'r Remote);

impl<'r> UnderWay<'r> {
    fn begin(remote: &'r Remote) -> Self {
        let mut state = remote.state.lock();
        state.under_way = true;
        state.last_attempt = Some(remote.means.clock.now());
        state.first_attempt = state.first_attempt.or(state.last_attempt);
        Self(remote)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state.lock().under_way = false;
        self.0.ended.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_longer_and_longer_pauses_up_to_a_minute() {
        let after = |failures| {
            let last_attempt = Some(Timestamp::from_millis(0));
            let state = State { last_attempt, failures, ..State::default() };
            state.next(Duration::from_mins(10)).as_millis() / 1000
        };
        assert_eq!([0, 1, 2, 3, 6, 7, 8, u32::MAX].map(after), [600, 1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn a_refetch_may_come_a_minute_after_the_last_fetch() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let state = State { last_attempt: Some(at(100)), ..State::default() };
        assert!(!state.may_refetch(at(100)) && !state.may_refetch(at(160).minus(Duration::from_millis(1))));
        assert!(state.may_refetch(at(160)) && state.may_refetch(at(99)));
        assert!(State::default().may_refetch(at(0)));
    }
}
