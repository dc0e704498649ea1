//! Who sees what, over random owners, audiences, filters and contracts: an addressed event reaches those of its owners
//! whom it matches and nobody else, one that is not addressed reaches all whom it matches, and one that has to be is
//! stored nowhere.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidings::store::Store as _;

use crate::management::Stage;
use crate::site::{ALPHA, NOTICE, PRIVATE, RIVAL, managed, setup};
use crate::support::client::{Call, notifications};

/// An owner whom no client has.
const STRANGER: &str = "3001";
const OWNERS: [&str; 3] = [ALPHA, RIVAL, STRANGER];
const TYPES: [&str; 2] = [NOTICE, PRIVATE];

/// Attributes and their values.
type Said = BTreeMap<&'static str, &'static str>;

/// One entry of `filters.attributes`.
#[derive(Clone, Debug)]
struct Entry {
    all: Said,
    not: Option<Said>,
}

/// How somebody wants events.
#[derive(Clone, Debug)]
enum Through {
    Polling,
    Webhook,
    Mail,
    Group,
    Management { mine: bool, entries: Vec<Entry>, mail: bool },
}

#[derive(Clone, Debug)]
struct Wish {
    /// `alpha`, `rival`, or both parties.
    client: usize,
    event_type: &'static str,
    through: Through,
}

#[derive(Clone, Debug)]
struct Told {
    event_type: &'static str,
    audience: Option<BTreeSet<&'static str>>,
    message: Said,
}

const CLIENTS: [(&str, &[&str]); 3] = [("alpha", &[ALPHA]), ("rival", &[RIVAL]), ("both", &[ALPHA, RIVAL])];

impl Entry {
    fn holds(&self, message: &Said) -> bool {
        let all = |members: &Said| members.iter().all(|(name, value)| message.get(name) == Some(value));
        all(&self.all) && !self.not.as_ref().is_some_and(all)
    }

    fn json(&self) -> Value {
        let mut entry = object(&self.all);
        if let Some(not) = &self.not {
            entry.insert("__not__".to_owned(), object(not).into());
        }
        entry.into()
    }
}

impl Wish {
    /// Whether the event is for it, as contracts/README.md and contracts/management.md say.
    fn is_meant(&self, told: &Told) -> bool {
        let owners = CLIENTS[self.client].1;
        let named = |audience: &BTreeSet<&str>| owners.iter().any(|owner| audience.contains(owner));
        let filtered = match &self.through {
            Through::Management { mine, entries, .. } => {
                (!mine || told.audience.as_ref().is_some_and(named))
                    && (entries.is_empty() || entries.iter().any(|entry| entry.holds(&told.message)))
            }
            _ => true,
        };
        self.event_type == told.event_type && told.audience.as_ref().is_none_or(named) && filtered
    }

    /// Where it is told, by which no other one is; nowhere if it is polled.
    fn place(&self, index: usize) -> Option<String> {
        match &self.through {
            Through::Polling => None,
            Through::Webhook | Through::Management { mail: false, .. } => Some(format!("https://example.com/{index}")),
            Through::Mail | Through::Group | Through::Management { mail: true, .. } => {
                Some(format!("w{index}@example.com"))
            }
        }
    }

    /// Makes it; the queue that is polled, if it is.
    async fn make(
        &self,
        stage: &Stage,
        index: usize,
        groups: &mut BTreeMap<(usize, &str), Vec<String>>,
    ) -> Option<String> {
        let client = CLIENTS[self.client].0;
        let place = self.place(index);
        match (&self.through, place) {
            (Through::Management { mine, entries, .. }, Some(place)) => {
                let mut filters = json!({});
                if *mine {
                    filters["target"] = "my".into();
                }
                if !entries.is_empty() {
                    filters["attributes"] = entries.iter().map(Entry::json).collect();
                }
                stage.manage(client, &managed(self.event_type, &[place], &filters)).await;
                None
            }
            (Through::Group, Some(place)) => {
                // A group has one list for a type.
                let list = groups.entry((self.client, self.event_type)).or_default();
                list.push(place);
                let table = json!({self.event_type: list}).to_string();
                stage.appliance.configure(client, table).await.expect(200);
                None
            }
            (_, Some(place)) => {
                stage.register(client, self.event_type, &place).await;
                None
            }
            (_, None) => Some(stage.appliance.subscribe(client, &[self.event_type]).await),
        }
    }
}

fn object(said: &Said) -> Map<String, Value> {
    said.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

fn said(least: usize) -> impl Strategy<Value = Said> {
    btree_map(prop::sample::select(vec!["status", "colour"]), prop::sample::select(vec!["a", "b"]), least..=2)
}

fn entry() -> impl Strategy<Value = Entry> {
    (said(0), option::of(said(1)))
        .prop_filter("an entry names something", |(all, not)| !all.is_empty() || not.is_some())
        .prop_map(|(all, not)| Entry { all, not })
}

fn wish() -> impl Strategy<Value = Wish> {
    let managed = (any::<bool>(), vec(entry(), 0..3), any::<bool>())
        .prop_map(|(mine, entries, mail)| Through::Management { mine, entries, mail });
    // `both` is neither one subscriber nor one group.
    let of_parties = (0..3_usize, prop_oneof![Just(Through::Polling), managed]);
    let of_one = (0..2_usize, prop_oneof![Just(Through::Webhook), Just(Through::Mail), Just(Through::Group)]);
    (prop_oneof![of_parties, of_one], prop::sample::select(TYPES.to_vec()))
        .prop_map(|((client, through), event_type)| Wish { client, event_type, through })
}

fn told() -> impl Strategy<Value = Told> {
    let audience = prop::collection::btree_set(prop::sample::select(OWNERS.to_vec()), 1..=3);
    (prop::sample::select(TYPES.to_vec()), option::weighted(0.7, audience), said(0))
        .prop_map(|(event_type, audience, message)| Told { event_type, audience, message })
}

/// Publishes it; its id, unless it is refused as it must be.
async fn publish(stage: &Stage, told: &Told) -> Option<String> {
    let message = Value::from(object(&told.message));
    let audience = told.audience.as_ref().map(|owners| owners.iter().copied().collect::<Vec<_>>().join(","));
    if told.event_type == PRIVATE && audience.is_none() {
        let accepted = stage.appliance.store.figures().accepted;
        let event = json!({"type": PRIVATE, "data": {"message": message}}).to_string();
        let refused = stage.send(Call::post("/v1/events", "crm", event)).await.expect(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/audience", "{refused}");
        assert_eq!(stage.appliance.store.figures().accepted, accepted);
        return None;
    }
    Some(stage.tell(told.event_type, audience.as_deref(), &message).await.0)
}

async fn check(wishes: Vec<Wish>, events: Vec<Told>) {
    let stage = Stage::start(setup()).await;
    let (mut queues, mut groups) = (Vec::new(), BTreeMap::new());
    for (index, wish) in wishes.iter().enumerate() {
        queues.push(wish.make(&stage, index, &mut groups).await);
    }
    // Place and event.
    let mut expected = BTreeSet::new();
    let mut waiting = vec![0; wishes.len()];
    for event in &events {
        let Some(id) = publish(&stage, event).await else { continue };
        for (index, wish) in wishes.iter().enumerate().filter(|(_, wish)| wish.is_meant(event)) {
            match wish.place(index) {
                Some(place) => drop(expected.insert((place, id.clone()))),
                None => waiting[index] += 1,
            }
        }
    }
    let tried = stage.tried(expected.len()).await;
    let tried: BTreeSet<_> = tried.into_iter().map(|(place, message)| (place, message.event.id.to_string())).collect();
    assert_eq!(tried, expected);
    for (index, queue) in queues.iter().enumerate() {
        let Some(queue) = queue else { continue };
        let page = stage.get(&notifications(queue), CLIENTS[wishes[index].client].0).await.expect(200).json();
        assert_eq!(page["results"].as_array().unwrap().len(), waiting[index], "{:?}", wishes[index]);
    }
    let figures = stage.appliance.store.figures();
    let made: u64 = [figures.sums.poll, figures.sums.webhook, figures.sums.email].iter().map(|sums| sums.created).sum();
    assert_eq!(made, (expected.len() + waiting.iter().sum::<usize>()) as u64, "and nothing besides");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_reaches_those_whom_it_is_for_and_nobody_else(wishes in vec(wish(), 1..12), events in vec(told(), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(wishes, events));
    }
}

#[tokio::test]
async fn one_event_that_is_not_addressed_has_its_whole_batch_refused() {
    let stage = Stage::start(setup()).await;
    let queue = stage.appliance.subscribe("alpha", &TYPES).await;
    stage.register("alpha", NOTICE, "https://example.com/alpha").await;
    let event = |n: u32, event_type: &str, audience: Value| {
        let mut event = json!({"specversion": "1.0", "id": n.to_string(), "source": "/s", "type": event_type});
        if !audience.is_null() {
            event["audience"] = audience;
        }
        event
    };
    let batch = json!([event(1, NOTICE, Value::Null), event(2, PRIVATE, ALPHA.into()), event(3, PRIVATE, Value::Null)]);
    let batch = Call::post_as("/v1/events", "crm", "application/cloudevents-batch+json", batch.to_string());
    let refused = stage.send(batch).await.expect(400).json();
    assert_eq!(refused["errors"].as_array().unwrap().len(), 1, "{refused}");
    assert_eq!(refused["errors"][0]["pointer"], "/2/audience");
    assert_eq!(stage.appliance.store.figures().accepted, 0);
    let page = stage.get(&notifications(&queue), "alpha").await.expect(200).json();
    assert_eq!((page["results"].as_array().unwrap().len(), stage.script.tried().len()), (0, 0));
}
