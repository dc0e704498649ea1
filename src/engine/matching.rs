//! Which endpoints get an event. Pure: the subscriptions and what the files say come in.

use std::cell::OnceCell;

use super::EngineSettings;
use crate::base::clock::Timestamp;
use crate::model::catalogue::Catalogue;
use crate::model::event::EventDraft;
use crate::model::filter::Attributes;
use crate::model::id::{EndpointNumber, EventTypeId, SubscriptionId};
use crate::model::notification::{ByKind, EndpointKind};
use crate::model::subscription::{ContractName, Subscription, SubscriptionSet};
use crate::store::TargetGroup;

/// What an event matched.
pub(super) struct Matched {
    /// Subscriptions with at least one endpoint that gets it.
    pub subscriptions: u32,
    /// The endpoints by kind, each group in ascending order.
    pub targets: Vec<TargetGroup>,
    /// How many endpoints there are in all.
    pub endpoints: usize,
}

/// Matches `draft` against `set` at `now`.
pub(super) fn match_event(
    draft: &EventDraft,
    set: &SubscriptionSet,
    settings: &EngineSettings,
    now: Timestamp,
) -> Matched {
    match_own(draft, None, set, settings, now)
}

/// The same for an event that tells of the subscription `about`: the contacts of that get it too.
pub(super) fn match_own(
    draft: &EventDraft,
    about: Option<&SubscriptionId>,
    set: &SubscriptionSet,
    settings: &EngineSettings,
    now: Timestamp,
) -> Matched {
    let catalogue = &settings.catalogue;
    let mut openness = Openness::new(catalogue, &draft.event_type);
    let mut found: ByKind<Vec<EndpointNumber>> = ByKind::default();
    let (mut subscriptions, mut of_about) = (0, false);
    let said = Said::new(draft);
    for subscription in set.wanting(&draft.event_type) {
        let wanted = subscription.takes_by_type(now)
            && settings.lets_see(subscription, draft.audience.as_ref())
            && said.is_wanted(subscription);
        if wanted && collect(subscription, &mut openness, &mut found) {
            subscriptions += 1;
            of_about |= about == Some(&subscription.id);
        }
    }
    let about = about.and_then(|about| set.get(about.as_str()));
    if about.is_some_and(|about| collect_contacts(about, &mut found)) && !of_about {
        subscriptions += 1;
    }
    let endpoints = EndpointKind::ALL.iter().map(|&kind| found.get(kind).len()).sum();
    Matched { subscriptions, targets: groups(found, catalogue, &draft.event_type), endpoints }
}

/// What an event says: its data is parsed when the first candidate has a filter, and then once.
struct Said<'a> {
    draft: &'a EventDraft,
    attributes: OnceCell<Attributes<'a>>,
}

impl<'a> Said<'a> {
    const fn new(draft: &'a EventDraft) -> Self {
        Self { draft, attributes: OnceCell::new() }
    }

    /// Whether the filter of `subscription` lets it through.
    fn is_wanted(&self, subscription: &Subscription) -> bool {
        let Some(filter) = &subscription.filter else { return true };
        let attributes = || self.attributes.get_or_init(|| Attributes::of(self.draft.data.as_ref()));
        filter.wants_audience(self.draft.audience.as_ref(), &subscription.holders)
            && (filter.any.is_empty() || filter.wants(attributes()))
    }
}

/// Adds the endpoints that the type may go to; says whether there was one.
fn collect(subscription: &Subscription, openness: &mut Openness<'_>, found: &mut ByKind<Vec<EndpointNumber>>) -> bool {
    let mut any = false;
    for endpoint in &subscription.endpoints {
        let kind = endpoint.kind();
        if endpoint.target.takes_events() && openness.get(subscription.contract, kind) {
            found.get_mut(kind).push(endpoint.number);
            any = true;
        }
    }
    any
}

fn groups(mut found: ByKind<Vec<EndpointNumber>>, catalogue: &Catalogue, event_type: &EventTypeId) -> Vec<TargetGroup> {
    let mut groups = Vec::new();
    for kind in EndpointKind::ALL {
        let mut endpoints = std::mem::take(found.get_mut(kind));
        if !endpoints.is_empty() {
            endpoints.sort_unstable();
            groups.push(TargetGroup { kind, ttl: catalogue.ttl(event_type.as_str(), kind), endpoints, from: None });
        }
    }
    groups
}

/// Adds those who are told of the subscription itself; says whether there was one.
fn collect_contacts(subscription: &Subscription, found: &mut ByKind<Vec<EndpointNumber>>) -> bool {
    let contacts = subscription.endpoints.iter().filter(|endpoint| !endpoint.target.takes_events());
    contacts.map(|contact| found.get_mut(contact.kind()).push(contact.number)).count() > 0
}

/// Remembers the catalogue's last answer: nearly always all endpoints of a type have one contract and one kind.
struct Openness<'a> {
    catalogue: &'a Catalogue,
    event_type: &'a EventTypeId,
    last: Option<(ContractName, EndpointKind, bool)>,
}

impl<'a> Openness<'a> {
    const fn new(catalogue: &'a Catalogue, event_type: &'a EventTypeId) -> Self {
        Self { catalogue, event_type, last: None }
    }

    fn get(&mut self, contract: ContractName, kind: EndpointKind) -> bool {
        match self.last {
            Some((c, k, open)) if c == contract && k == kind => open,
            _ => {
                let open = self.catalogue.is_open_to(self.event_type.as_str(), contract, kind);
                self.last = Some((contract, kind, open));
                open
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::engine::{ClientLimits, DeliverySettings, ForeignClients};
    use crate::model::catalogue::EventType;
    use crate::model::filter::{Clause, Filter};
    use crate::model::id::{ClientId, SubscriptionId};
    use crate::model::json::RawJson;
    use crate::model::owners::{Owners, may_see};
    use crate::model::pattern::Patterns;
    use crate::model::subscription::{Endpoint, Intake, OnRemove, Origin};
    use crate::model::target::{ContentMode, EmailTarget, Ordering, Role, Shape, Target, WebhookTarget};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn subscription(id: &str, client: &str, endpoints: &[(u32, EndpointKind)]) -> Arc<Subscription> {
        Arc::new(Subscription {
            id: SubscriptionId::new(id),
            contract: ContractName::Polling,
            client_id: ClientId::new(client),
            event_types: vec!["301".into()],
            created_by: client.to_owned(),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            filter: None,
            expires_at: None,
            ended_at: None,
            holders: Vec::new(),
            organisation: None,
            profile: None,
            origin: Origin::Api,
            owners: None,
            on_remove: OnRemove::default(),
            holds: Vec::new(),
            intake: Intake::Open,
            endpoints: endpoints
                .iter()
                .map(|&(n, kind)| Endpoint { number: EndpointNumber(n), target: target(kind) })
                .collect(),
        })
    }

    fn target(kind: EndpointKind) -> Target {
        match kind {
            EndpointKind::Poll => Target::Poll,
            EndpointKind::Webhook => Target::Webhook(WebhookTarget {
                url: "https://h/".to_owned(),
                egress: "plant".to_owned(),
                ordering: Ordering::Relaxed,
                content_mode: ContentMode::Structured,
                secrets: Vec::new(),
                asymmetric: true,
                shape: Shape::CloudEvent,
                basic: None,
                retries: true,
            }),
            EndpointKind::Email => Target::Email(EmailTarget {
                address: "a@h".to_owned(),
                role: Role::Subscriber,
                template: None,
                locale: None,
            }),
        }
    }

    fn draft(audience: Option<&str>) -> EventDraft {
        EventDraft {
            publisher: "p".into(),
            id: None,
            source: "/s".to_owned(),
            event_type: "301".into(),
            subject: None,
            time: None,
            data_schema: None,
            audience: audience.and_then(Owners::parse_audience),
            expiry: None,
            trace: None,
            extensions: Vec::new(),
            data: None,
        }
    }

    fn settings(types: Vec<EventType>, owners: &[(&str, &[&str])]) -> EngineSettings {
        let hours = Duration::from_hours;
        let ttl = ByKind { poll: hours(6), webhook: hours(96), email: hours(96) };
        EngineSettings {
            profiles: std::collections::HashMap::new(),
            catalogue: Catalogue::new(false, ttl, false, types),
            owners: owners.iter().map(|(client, own)| (ClientId::new(client), named(own))).collect(),
            foreign: Vec::new(),
            declared: Vec::new(),
            limits: ClientLimits::default(),
            delivery: DeliverySettings::default(),
        }
    }

    fn named(owners: &[&str]) -> Owners {
        Owners::new(owners.iter().map(|&owner| owner.to_owned()))
    }

    fn event_type(channels: Option<Vec<EndpointKind>>, contracts: Option<Vec<String>>) -> EventType {
        EventType {
            id: "301".into(),
            name: "n".to_owned(),
            category: String::new(),
            channels,
            contracts,
            ttl: ByKind { poll: Some(Duration::from_secs(9)), ..ByKind::default() },
            audience_required: false,
            mandatory: Vec::new(),
            attributes: Vec::new(),
            urgent: false,
        }
    }

    fn set() -> SubscriptionSet {
        let mut set = SubscriptionSet::default();
        set.insert(subscription("b", "two", &[(7, EndpointKind::Poll), (3, EndpointKind::Webhook)]));
        set.insert(subscription("a", "one", &[(2, EndpointKind::Poll)]));
        set
    }

    #[test]
    fn endpoints_are_grouped_by_kind_in_ascending_order_with_the_ttl_of_type_and_kind() {
        let matched = match_event(&draft(None), &set(), &settings(vec![event_type(None, None)], &[]), NOW);
        assert_eq!((matched.subscriptions, matched.endpoints), (2, 3));
        assert_eq!(matched.targets[0].endpoints, [EndpointNumber(2), EndpointNumber(7)]);
        assert_eq!(matched.targets[0].ttl, Duration::from_secs(9));
        assert_eq!(matched.targets[1].kind, EndpointKind::Webhook);
        assert_eq!(matched.targets[1].ttl, Duration::from_hours(96));
    }

    #[test]
    fn an_audience_is_compared_with_the_owners_of_the_subscription_s_client() {
        let settings = settings(Vec::new(), &[("one", &["1001"]), ("two", &[])]);
        let targets = |audience| match_event(&draft(audience), &set(), &settings, NOW).targets;
        assert_eq!(targets(Some("1001,5"))[0].endpoints, [EndpointNumber(2)]);
        assert!(targets(Some("1002")).is_empty());
        assert_eq!(targets(None).len(), 2);
    }

    #[test]
    fn an_external_client_sees_what_its_token_named_within_its_issuer_s_bounds() {
        let mut set = SubscriptionSet::default();
        let mut own = Subscription::clone(&subscription("own", "partner-a", &[(1, EndpointKind::Poll)]));
        own.owners = Some(named(&["1001", "2001"]));
        set.insert(Arc::new(own));
        set.insert(subscription("lent", "partner-a", &[(2, EndpointKind::Poll)]));
        let mut settings = settings(Vec::new(), &[]);
        let matched = |settings: &EngineSettings, audience| {
            let targets = match_event(&draft(audience), &set, settings, NOW).targets;
            targets.iter().flat_map(|group| group.endpoints.clone()).map(|number| number.0).collect::<Vec<_>>()
        };
        let patterns = |of: &[&str]| Patterns::new(of.iter().map(|&pattern| pattern.to_owned()));
        assert_eq!(matched(&settings, Some("1001")), [0; 0], "no issuer has this client");
        for (client_ids, owners, audience, expected) in [
            (["partner-*"], None, Some("1001"), &[1][..]),
            (["partner-*"], Some(patterns(&["10*"])), Some("1001"), &[1]),
            (["partner-*"], Some(patterns(&["10*"])), Some("2001"), &[]),
            (["partner-*"], Some(patterns(&["10*"])), Some("1002"), &[]),
            (["partner-*"], Some(patterns(&[])), Some("1001"), &[]),
            (["partner-*"], Some(patterns(&[])), None, &[1, 2]),
            (["other-*"], None, Some("1001"), &[]),
        ] {
            settings.foreign = vec![ForeignClients { client_ids: patterns(&client_ids), owners }];
            assert_eq!(matched(&settings, audience), expected, "{:?} {audience:?}", settings.foreign);
            let own = settings.owners_of(set.get("own").unwrap());
            let audience = audience.and_then(Owners::parse_audience);
            assert_eq!(may_see(audience.as_ref(), &own), expected.contains(&1), "{own:?}");
            assert_eq!(settings.owners_of(set.get("lent").unwrap()), Owners::default());
        }
    }

    #[test]
    fn a_type_that_may_not_go_there_matches_nothing() {
        let webhook_only = event_type(Some(vec![EndpointKind::Webhook]), None);
        let matched = match_event(&draft(None), &set(), &settings(vec![webhook_only], &[]), NOW);
        assert_eq!((matched.subscriptions, matched.endpoints), (1, 1));
        let elsewhere = event_type(None, Some(vec!["registrations".to_owned()]));
        let matched = match_event(&draft(None), &set(), &settings(vec![elsewhere], &[]), NOW);
        assert_eq!((matched.subscriptions, matched.endpoints), (0, 0));
    }

    #[test]
    fn a_subscription_takes_in_nothing_from_the_instant_of_its_end_on() {
        let mut ending = Subscription::clone(&subscription("a", "one", &[(2, EndpointKind::Poll)]));
        ending.expires_at = Some(NOW);
        let mut set = SubscriptionSet::default();
        set.insert(Arc::new(ending));
        let matched = |now| match_event(&draft(None), &set, &settings(Vec::new(), &[]), now).subscriptions;
        assert_eq!((matched(NOW.minus(Duration::from_millis(1))), matched(NOW)), (1, 0));
    }

    #[test]
    fn a_filter_lets_through_what_it_says_and_the_owners_have_their_say_first() {
        let mut filtered = Subscription::clone(&subscription("a", "one", &[(2, EndpointKind::Poll)]));
        filtered.holders = vec!["1001".to_owned()];
        let clause = Clause { all: [("status".to_owned(), "Success".to_owned())].into(), not: None };
        filtered.filter = Some(Filter { mine: true, any: vec![clause] });
        let mut set = SubscriptionSet::default();
        set.insert(Arc::new(filtered));
        let matched = |audience, data: &'static str, own: &[&str]| {
            let data = RawJson::parse(&bytes::Bytes::from_static(data.as_bytes())).ok();
            let draft = EventDraft { data, ..draft(audience) };
            match_event(&draft, &set, &settings(Vec::new(), &[("one", own)]), NOW).subscriptions
        };
        let (good, bad) = (r#"{"message": {"status": "Success"}}"#, r#"{"status": "Fail"}"#);
        assert_eq!(matched(Some("1001"), good, &["1001"]), 1);
        assert_eq!(matched(Some("1001"), bad, &["1001"]), 0);
        assert_eq!(matched(None, good, &["1001"]), 0, "not addressed to anybody");
        assert_eq!(matched(Some("1002"), good, &["1001", "1002"]), 0, "addressed to another party of the client");
        assert_eq!(matched(Some("1001"), good, &[]), 0, "the client is not of that party any more");
    }
}
