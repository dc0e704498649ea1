//! The matrix itself.

use std::collections::BTreeSet;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use tidings::auth::scope;
use tidings::http::contract::Access;

use crate::door::{Answer, Door, Line};
use crate::issuers::CONTRACTS;
use crate::objects::Owner;
use crate::outcome::{Outcome, expected};
use crate::report::{Cell, Row, report};
use crate::rules::{Body, Object, RULES, Rule, rule};
use crate::served::Target;
use crate::stage::{SCOPES, Stage};
use crate::wallet::{Credential, Scopes, wallet};

/// The scope that a route asks for.
const fn scope_of(access: Access) -> Option<&'static str> {
    match access {
        Access::Public | Access::Token => None,
        Access::Scope(scope) | Access::ScopeOrKey(scope) | Access::Key(scope) => Some(scope),
    }
}

/// All scopes that routes ask for.
fn asked(targets: &[Target]) -> BTreeSet<&'static str> {
    targets.iter().filter_map(|target| scope_of(target.route.access)).collect()
}

#[tokio::test]
async fn every_route_has_its_rule_and_every_rule_a_route() {
    let stage = Stage::start().await;
    let targets = stage.targets();
    for target in &targets {
        let Target { contract, route, .. } = target;
        let name = format!("{contract}/{}", route.label);
        let rule = rule(target);
        let rule = rule.unwrap_or_else(|| panic!("{name}: write its rule into tests/permissions/rules.rs"));
        assert_eq!(route.access, rule.access, "{name}: not what its contract says");
        assert!(rule.object.thing().is_none() || target.parameters() == 1, "{name}: its path names no object");
        if scope_of(route.access).is_some() {
            assert!(CONTRACTS.contains(contract), "{contract}: write it into tests/permissions/issuers.rs");
        }
    }
    for Rule { contract, label, .. } in RULES.iter().filter(|rule| rule.contract != "*") {
        let is_served = targets.iter().any(|target| (target.contract, target.route.label) == (*contract, *label));
        assert!(is_served, "{contract}/{label} has a rule, but is not served");
    }
    let asked = asked(&targets);
    // Besides those whose names the configuration may change.
    let own = ["notifications:read", "notifications:write", "notifications:replay"];
    let fixed: BTreeSet<_> = asked.iter().copied().filter(|scope| !own.contains(scope)).collect();
    assert_eq!(fixed, scope::ALL.iter().copied().collect(), "what scope::ALL says");
    assert!(asked.iter().all(|scope| SCOPES.contains(scope)), "write them into tests/permissions/stage.rs: {asked:?}");
    stage.end().await;
}

#[tokio::test]
async fn every_cell_is_as_the_rules_say() {
    let mut stage = Stage::start().await;
    let targets = stage.targets();
    let wallet = wallet(&mut stage, &asked(&targets)).await;
    stage.fill().await;
    let mut rows = Vec::new();
    for admin in [false, true] {
        for door in Door::of(admin) {
            let mut walk = Walk { stage: &stage, door, line: door.open(&stage.running) };
            for target in targets.iter().filter(|target| target.admin == admin) {
                rows.push(walk.row(target, &wallet).await);
            }
        }
    }
    stage.end().await;
    let cells: usize = rows.iter().map(|row| row.cells.len()).sum();
    assert!(cells > 5000, "only {cells} cells");
    report(&rows);
}

/// One door, on its kept connection.
struct Walk<'s> {
    stage: &'s Stage,
    door: Door,
    line: Line,
}

impl Walk<'_> {
    async fn row(&mut self, target: &Target, wallet: &[Credential]) -> Row {
        // Without one the other test fails.
        let Some(rule) = rule(target) else { return Row::new(self.door, target, Vec::new()) };
        let mut cells = Vec::new();
        for credential in wallet.iter().filter(|credential| concerns(credential, rule.access)) {
            cells.extend(self.cells(target, rule, credential).await);
        }
        Row::new(self.door, target, cells)
    }

    /// The cells of one credential: one for each owner.
    async fn cells(&mut self, target: &Target, rule: &Rule, credential: &Credential) -> Vec<Cell> {
        let outcome = expected(rule.access, target.contract, self.door, credential);
        let mut seen = Vec::new();
        for &owner in rule.object.owners() {
            let caller = credential.client.as_deref();
            let id = rule.object.thing().map(|thing| self.stage.objects.id(thing, owner, caller));
            let answer = self.line.send(call(target, rule, credential, id.as_deref())).await;
            seen.push(Seen { owner, fault: outcome.fault(target, &answer), answer, id });
        }
        match &mut seen[..] {
            [own, other, nobodys] => compare(rule.object, outcome, own, other, nobodys),
            [other, nobodys] => compare_two(outcome, other, nobodys),
            _ => {}
        }
        let cell = |seen: Seen| Cell {
            kind: credential.kind.clone(),
            scopes: credential.scopes.name(),
            owner: rule.object.thing().map(|_| seen.owner),
            expected: outcome,
            status: seen.answer.status,
            fault: seen.fault,
        };
        seen.into_iter().map(cell).collect()
    }
}

/// All but one scope are of interest where that one is asked for.
fn concerns(credential: &Credential, access: Access) -> bool {
    match &credential.scopes {
        Scopes::AllBut(scope) => scope_of(access) == Some(scope.as_str()),
        _ => true,
    }
}

fn call(target: &Target, rule: &Rule, credential: &Credential, id: Option<&str>) -> Request<Full<Bytes>> {
    let path = target.path(id.as_slice());
    let mut request = Request::builder().method(target.route.method.as_hyper()).uri(path).header(HOST, "localhost");
    for (name, value) in &credential.headers {
        request = request.header(*name, value);
    }
    let (media_type, body) = match rule.body {
        Body::None => return request.body(Full::default()).unwrap(),
        Body::Form(body) => ("application/x-www-form-urlencoded", body),
        Body::Json(body) => ("application/json", body),
    };
    request.header(CONTENT_TYPE, media_type).body(Full::from(body)).unwrap()
}

/// What came of a call about something of somebody's.
struct Seen {
    owner: Owner,
    id: Option<String>,
    answer: Answer,
    fault: Option<String>,
}

impl Seen {
    fn fail(&mut self, fault: impl FnOnce(&Answer) -> Option<String>) {
        if self.fault.is_none() {
            self.fault = fault(&self.answer);
        }
    }

    /// The answer without what tells one call, or one id, from another.
    fn anonymous(&self) -> (u16, Vec<(String, String)>, String) {
        let Answer { status, headers, body } = &self.answer;
        let varying = ["date", "x-request-id", "content-length"];
        let headers = headers.iter().filter(|(name, _)| !varying.contains(&name.as_str()));
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        (*status, headers, body.replace(self.id.as_deref().unwrap_or("[id]"), "[id]"))
    }
}

/// The same without its own: another's is as nobody's.
fn compare_two(outcome: Outcome, other: &mut Seen, nobodys: &Seen) {
    let (told, none) = (other.anonymous(), nobodys.anonymous());
    other.fail(|answer| {
        let same = told == none && (outcome != Outcome::LetIn || answer.status == 404);
        (!same).then(|| format!("it is not answered as what does not exist: {told:?}, not {none:?}"))
    });
}

/// Looks at how the answers for three owners differ.
fn compare(object: Object, outcome: Outcome, own: &mut Seen, other: &mut Seen, nobodys: &Seen) {
    let none = nobodys.anonymous();
    match (outcome, object) {
        // Who is not let in learns nothing of what there is.
        (Outcome::NoCredential | Outcome::BadCredential | Outcome::OtherContract | Outcome::NoScope(_), _) => {
            for seen in [own, other] {
                let told = seen.anonymous();
                seen.fail(|_| (told != none).then(|| format!("it tells what there is: {told:?}, not {none:?}")));
            }
        }
        (Outcome::LetIn, Object::Own(_)) => {
            own.fail(|answer| (answer.status != 200).then(|| format!("its own is not given: {}", answer.body)));
            let told = other.anonymous();
            other.fail(|answer| {
                let same = told == none && answer.status == 404;
                (!same).then(|| format!("it is not answered as what does not exist: {told:?}, not {none:?}"))
            });
        }
        (Outcome::LetIn, Object::Anybodys(_)) => {
            let status = own.answer.status;
            own.fail(|answer| (status == 404).then(|| format!("it is there: {}", answer.body)));
            other.fail(|answer| (answer.status != status).then(|| format!("its own has {status}: {}", answer.body)));
        }
        (Outcome::LetIn, Object::None | Object::NotAnothers(_)) => {}
    }
}
