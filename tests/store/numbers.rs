//! Numbers of notifications, counted by their receivers (contracts/management.md, "The webhook").

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::EndpointKind;
use tidings::model::subscription::{ContractName, SubscriptionDraft};
use tidings::model::target::{Ordering, Shape, Target, WebhookTarget};
use tidings::store::{Act, Action, NewEvent, Store, SubscriptionChange, TargetGroup};

use super::sent::*;
use super::subject::*;

/// Who may hold a subscription, to which type and where.
const HOLDERS: [&[&str]; 3] = [&["1", "2"], &["2", "1"], &["12"]];
const TYPES: [&str; 2] = ["301", "302"];
const URLS: [&str; 2] = ["https://10.0.0.7/a", "https://10.0.0.7/b"];
/// The same in other letters: each slot writes them in its own way.
const SPELT: [&str; 2] = ["HTTPS://10.0.0.7:443/./a", "https://10.7/b"];
const SLOTS: usize = 5;

type Receiver = (Vec<&'static str>, &'static str, &'static str);

#[derive(Clone, Debug)]
enum Step {
    /// Makes the subscription of a slot, in the place of the one that is there.
    Make {
        slot: usize,
        holders: usize,
        url: usize,
        numbered: bool,
    },
    /// Gives it another URL.
    Move {
        slot: usize,
        url: usize,
    },
    Remove(usize),
    /// Events of a type, each with the slots whose filters let it through.
    Publish {
        event_type: usize,
        matched: Vec<[bool; SLOTS]>,
    },
    Reopen,
    Replay(usize),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..SLOTS, 0..HOLDERS.len(), 0..URLS.len(), proptest::bool::weighted(0.9))
            .prop_map(|(slot, holders, url, numbered)| Step::Make { slot, holders, url, numbered }),
        1 => (0..SLOTS, 0..URLS.len()).prop_map(|(slot, url)| Step::Move { slot, url }),
        1 => (0..SLOTS).prop_map(Step::Remove),
        8 => (0..TYPES.len(), proptest::collection::vec(any::<[bool; SLOTS]>(), 1..4))
            .prop_map(|(event_type, matched)| Step::Publish { event_type, matched }),
        1 => Just(Step::Reopen),
        2 => (0..50_usize).prop_map(Step::Replay),
        1 => Just(Step::Sweep),
    ];
    proptest::collection::vec(step, 1..40)
}

struct Slot {
    holders: usize,
    url: &'static str,
    numbered: bool,
    endpoint: EndpointNumber,
}

struct Pair {
    subject: Subject,
    store: Arc<dyn Store>,
    slots: [Option<Slot>; SLOTS],
    counted: BTreeMap<Receiver, u64>,
    /// Every notification and its number.
    told: Vec<(LedgerId, Option<u64>)>,
}

fn receiver_of(slot: &Slot, event_type: usize) -> Receiver {
    let mut holders = HOLDERS[slot.holders].to_vec();
    holders.sort_unstable();
    (holders, TYPES[event_type], slot.url)
}

fn subscription(slot: usize, holders: usize, url: &str, numbered: bool) -> SubscriptionDraft {
    let shape = if numbered { Shape::Management } else { Shape::CloudEvent };
    let spelt = URLS.iter().position(|at| *at == url).filter(|_| slot % 2 == 1).map_or(url, |at| SPELT[at]);
    let target = WebhookTarget { shape, ..webhook_target(spelt, Ordering::Relaxed) };
    SubscriptionDraft {
        contract: ContractName::Management,
        holders: HOLDERS[holders].iter().map(|&holder| holder.to_owned()).collect(),
        ..sent_draft(&format!("s-{slot}"), vec![Target::Webhook(target)])
    }
}

impl Pair {
    fn new() -> Self {
        let mut subject = Subject::new();
        subject.settings.queue_depth = 6;
        let store = subject.open();
        let slots = std::array::from_fn(|_| None);
        Self { subject, store, slots, counted: BTreeMap::new(), told: Vec::new() }
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Make { slot, holders, url, numbered } => {
                self.remove(slot).await;
                let draft = subscription(slot, holders, URLS[url], numbered);
                let made = self.store.change_subscriptions(vec![SubscriptionChange::Create(draft)]).await.unwrap();
                let endpoint = made[0].endpoints[0].number;
                self.slots[slot] = Some(Slot { holders, url: URLS[url], numbered, endpoint });
            }
            Step::Move { slot, url } => {
                let Some(at) = &mut self.slots[slot] else { return };
                at.url = URLS[url];
                let draft = subscription(slot, at.holders, at.url, at.numbered);
                self.store.change_subscriptions(vec![SubscriptionChange::Update(draft)]).await.unwrap();
            }
            Step::Remove(slot) => self.remove(slot).await,
            Step::Publish { event_type, matched } => self.publish(event_type, matched).await,
            Step::Reopen => self.store = self.subject.reopen(Arc::clone(&self.store)).await,
            Step::Replay(which) => {
                let Some((id, _)) = self.told.get(which) else { return };
                for action in [Action::Cancel, Action::Reopen { ttl: HOUR }] {
                    let act = Act { items: vec![(*id, action)], by: "me".to_owned(), dry_run: false };
                    // What has ended, or has no subscription any more, is refused.
                    let _ = self.store.act(act).await.unwrap();
                }
            }
            Step::Sweep => while self.store.sweep().await.unwrap().more {},
        }
    }

    async fn remove(&mut self, slot: usize) {
        if self.slots[slot].take().is_some() {
            let change = SubscriptionChange::Remove(format!("s-{slot}").as_str().into());
            self.store.change_subscriptions(vec![change]).await.unwrap();
        }
    }

    async fn publish(&mut self, event_type: usize, matched: Vec<[bool; SLOTS]>) {
        let mut events = Vec::new();
        for matched in matched {
            let slots = self.slots.iter().zip(matched).filter(|(_, matched)| *matched);
            let mut to: Vec<&Slot> = slots.filter_map(|(slot, _)| slot.as_ref()).collect();
            to.sort_by_key(|slot| slot.endpoint);
            let receivers: std::collections::BTreeSet<_> =
                to.iter().filter(|slot| slot.numbered).map(|slot| receiver_of(slot, event_type)).collect();
            for receiver in receivers {
                *self.counted.entry(receiver).or_default() += 1;
            }
            let number = |slot: &Slot| slot.numbered.then(|| self.counted[&receiver_of(slot, event_type)]);
            let endpoints: Vec<_> = to.iter().map(|slot| slot.endpoint).collect();
            let numbers: BTreeMap<_, _> = to.iter().map(|slot| (slot.endpoint, number(slot))).collect();
            let group =
                TargetGroup { kind: EndpointKind::Webhook, ttl: HOUR, endpoints: endpoints.clone(), from: None };
            let targets = if endpoints.is_empty() { Vec::new() } else { vec![group] };
            events.push((NewEvent { targets, ..event_for(draft(None, TYPES[event_type]), &endpoints, HOUR) }, numbers));
        }
        let (events, numbers): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        for (receipt, numbers) in append(&*self.store, events).await.unwrap().into_iter().zip(numbers) {
            for target in 1..=u32::try_from(numbers.len()).unwrap() {
                let id = LedgerId::new(LedgerIdParts { target, ..receipt.id.parts() });
                let view = story(&*self.store, id).await.view;
                self.told.push((id, numbers[&view.endpoint]));
            }
        }
    }

    /// Every notification has its number in stories, and in claims.
    async fn check(&self) {
        let mut sent = BTreeMap::new();
        for slot in self.slots.iter().flatten() {
            for claimed in self.store.claim(claim(slot.endpoint, 100)).await.unwrap() {
                sent.insert(claimed.id.to_string(), claimed.number);
                self.store.put_back(slot.endpoint, &[claimed.id]);
            }
        }
        for (id, number) in &self.told {
            assert_eq!(story(&*self.store, *id).await.view.number, *number, "{id}");
            assert!(sent.get(&id.to_string()).is_none_or(|sent| sent == number), "{id}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn for_each_receiver_it_rises_by_one_with_each_event(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new();
            for step in steps {
                pair.run(step).await;
            }
            pair.check().await;
            pair.store = verified(&pair.subject, Arc::clone(&pair.store)).await;
            pair.check().await;
        });
    }
}

#[tokio::test]
async fn several_at_once_share_a_transaction_and_no_number() {
    let subject = Subject::new();
    let store = subject.open();
    let change = SubscriptionChange::Create(subscription(0, 0, URLS[0], true));
    let hook = store.change_subscriptions(vec![change]).await.unwrap()[0].endpoints[0].number;
    let mut sending = Vec::new();
    for n in 0..40 {
        let store = Arc::clone(&store);
        sending.push(tokio::spawn(async move { send(&*store, &n.to_string(), hook, HOUR).await }));
    }
    let mut numbers = Vec::new();
    for id in sending {
        numbers.push(story(&*store, id.await.unwrap()).await.view.number.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    let in_order: Vec<_> = store.claim(claim(hook, 40)).await.unwrap().iter().map(|c| c.number.unwrap()).collect();
    assert_eq!(in_order, numbers);
}

#[tokio::test]
async fn a_killed_store_gives_no_number_twice() {
    let subject = Subject::new();
    let store = subject.open();
    let change = SubscriptionChange::Create(subscription(0, 0, URLS[0], true));
    let hook = store.change_subscriptions(vec![change]).await.unwrap()[0].endpoints[0].number;
    for n in 1..=3 {
        let id = send(&*store, &n.to_string(), hook, HOUR).await;
        assert_eq!(story(&*store, id).await.view.number, Some(n));
    }
    // The file as a kill leaves it.
    let copy = Subject::new();
    std::fs::copy(subject.path(), copy.path()).unwrap();
    let store = copy.open();
    let id = send(&*store, "4", hook, HOUR).await;
    assert_eq!(story(&*store, id).await.view.number, Some(4));
    verified(&copy, store).await;
}
