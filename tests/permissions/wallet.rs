//! Every kind of credential, with every scope.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::issuers::{CONTRACTS, NARROW, POINTLESS, Said, altered, only, unsigned};
use crate::objects::DRIVER;
use crate::stage::{SCOPES, Stage};

/// What one header of a request is worth.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// It is not there.
    Nothing,
    /// It is there, but in no form that a credential can have.
    Illegible,
    /// It has the form of a credential, but is none (any more).
    Bad,
    /// It is good for this.
    Good(Worth),
}

/// What a credential is good for.
#[derive(Clone, Debug)]
pub(crate) struct Worth {
    pub(crate) scopes: BTreeSet<String>,
    /// The only contract; `None` for all.
    pub(crate) contract: Option<&'static str>,
}

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    /// What kind of credential it is.
    pub(crate) kind: String,
    /// Its scopes, as the report calls them.
    pub(crate) scopes: Scopes,
    /// The client whose objects are its own.
    pub(crate) client: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What `Authorization` is worth.
    pub(crate) token: Shown,
    /// What `X-API-KEY` is worth, where keys are taken.
    pub(crate) key: Shown,
}

/// Which scopes a credential has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scopes {
    /// It is no credential, or has the scopes that it has.
    Any,
    /// None that a route asks for.
    None,
    /// This one alone.
    One(String),
    /// All but this one.
    AllBut(String),
}

impl Scopes {
    /// No scope, each alone, and all but each of those that routes ask for.
    fn each(asked: &BTreeSet<&'static str>) -> Vec<Self> {
        let one = asked.iter().map(|&scope| Self::One(scope.to_owned()));
        let others = asked.iter().map(|&scope| Self::AllBut(scope.to_owned()));
        std::iter::once(Self::None).chain(one).chain(others).collect()
    }

    fn list(&self) -> BTreeSet<String> {
        let all = SCOPES.iter().map(|&scope| scope.to_owned());
        match self {
            Self::Any => all.collect(),
            Self::None => BTreeSet::from([POINTLESS.to_owned()]),
            Self::One(scope) => BTreeSet::from([scope.clone()]),
            Self::AllBut(scope) => all.filter(|other| other != scope).collect(),
        }
    }

    /// As tokens have it.
    fn text(&self) -> String {
        Vec::from_iter(self.list()).join(" ")
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Any => "-".to_owned(),
            Self::None => "none".to_owned(),
            Self::One(scope) => scope.clone(),
            Self::AllBut(scope) => format!("all but {scope}"),
        }
    }
}

impl Credential {
    fn new(kind: impl Into<String>) -> Self {
        let (token, key) = (Shown::Nothing, Shown::Nothing);
        Self { kind: kind.into(), scopes: Scopes::Any, client: None, headers: Vec::new(), token, key }
    }

    /// With this `Authorization`.
    fn authorization(mut self, value: &str, worth: Shown) -> Self {
        self.headers.push(("authorization", value.to_owned()));
        Self { token: worth, ..self }
    }

    fn bearer(self, token: &str, worth: Shown) -> Self {
        self.authorization(&format!("Bearer {token}"), worth)
    }

    fn api_key(mut self, key: &str, worth: Shown) -> Self {
        self.headers.push(("x-api-key", key.to_owned()));
        Self { key: worth, ..self }
    }

    fn with(self, scopes: &Scopes) -> Self {
        Self { scopes: scopes.clone(), ..self }
    }

    fn of(self, client: &str) -> Self {
        Self { client: Some(client.to_owned()), ..self }
    }
}

fn worth(scopes: &Scopes, contract: Option<&'static str>) -> Shown {
    Shown::Good(Worth { scopes: scopes.list(), contract })
}

/// All of them. A built-in token expires for it: time goes on by a day.
pub(crate) async fn wallet(stage: &mut Stage, asked: &BTreeSet<&'static str>) -> Vec<Credential> {
    let expired = stage.token(&Scopes::Any.text()).await;
    stage.advance(Duration::from_hours(24));
    let mut wallet = Vec::from(nothing());
    wallet.extend(bad_tokens(stage, &expired).await);
    wallet.extend(bad_external_tokens(stage));
    wallet.extend(external_tokens(stage, asked));
    wallet.extend(keys(stage));
    wallet.extend(tokens(stage, asked).await);
    wallet
}

fn nothing() -> [Credential; 3] {
    let illegible = |kind, value| Credential::new(kind).authorization(value, Shown::Illegible);
    [
        Credential::new("none"),
        illegible("another scheme", "Basic ZHJpdmVyOmEtc2VjcmV0LW9mLXRoZS10ZXN0cw=="),
        illegible("malformed bearer", "Bearer two tokens"),
    ]
}

async fn bad_tokens(stage: &mut Stage, expired: &str) -> [Credential; 6] {
    let (all, few) = (stage.token(&Scopes::Any.text()).await, stage.token(POINTLESS).await);
    let revoked = stage.token(&Scopes::Any.text()).await;
    stage.revoke(&revoked).await;
    let bad = |kind, token: &str| Credential::new(kind).bearer(token, Shown::Bad).of(DRIVER);
    [
        bad("no token at all", "eyJ.wrong.token"),
        bad("forged token", &stage.issuers.forged_as(&all)),
        bad("unsigned token", &unsigned(&all)),
        bad("altered token", &altered(&few, &Scopes::Any.text())),
        bad("expired token", expired),
        bad("revoked token", &revoked),
    ]
}

fn bad_external_tokens(stage: &Stage) -> Vec<Credential> {
    let (issuers, now, scope) = (&stage.issuers, stage.now(), Scopes::Any.text());
    let good = Said { at: now, audience: "tidings", scope: &scope };
    CONTRACTS
        .into_iter()
        .flat_map(|contract| {
            let name = only(contract);
            let bad = |kind, token: &str| {
                Credential::new(format!("{kind} external token, {contract}")).bearer(token, Shown::Bad).of(&name)
            };
            [
                bad("forged", &issuers.forged(&name, good)),
                bad("expired", &issuers.token(&name, Said { at: now - 3600, ..good })),
                bad("foreign", &issuers.token(&name, Said { audience: "elsewhere", ..good })),
            ]
        })
        .collect()
}

fn external_tokens(stage: &Stage, asked: &BTreeSet<&'static str>) -> Vec<Credential> {
    let token =
        |name: &str, scope: &str| stage.issuers.token(name, Said { at: stage.now(), audience: "tidings", scope });
    let mut tokens = Vec::new();
    for contract in CONTRACTS {
        let name = only(contract);
        for scopes in Scopes::each(asked) {
            let kind = format!("external token for {contract}");
            let token = token(&name, &scopes.text());
            tokens.push(Credential::new(kind).bearer(&token, worth(&scopes, Some(contract))).with(&scopes).of(&name));
        }
    }
    // It claims all scopes, and its issuer's entry allows none of them.
    let claims = token(NARROW, &format!("{} {POINTLESS}", Scopes::Any.text()));
    tokens.push(Credential::new("external token beyond its bounds").bearer(&claims, worth(&Scopes::None, None)));
    tokens
}

/// Alone, and together with an API key that is good too.
async fn tokens(stage: &mut Stage, asked: &BTreeSet<&'static str>) -> Vec<Credential> {
    let (scope, key) = stage.keys[0].clone();
    let key_scopes = Scopes::One(scope.to_owned());
    let (mut alone, mut with_key) = (Vec::new(), Vec::new());
    for scopes in Scopes::each(asked) {
        let token = stage.token(&scopes.text()).await;
        let token = |kind| Credential::new(kind).bearer(&token, worth(&scopes, None)).with(&scopes).of(DRIVER);
        alone.push(token("token"));
        with_key.push(token("token and API key").api_key(&key, worth(&key_scopes, None)));
    }
    [alone, with_key].concat()
}

fn keys(stage: &Stage) -> Vec<Credential> {
    let good = stage.keys.iter().map(|(scope, key)| {
        let scopes = Scopes::One((*scope).to_owned());
        Credential::new("API key").api_key(key, worth(&scopes, None)).with(&scopes)
    });
    let wrong = Credential::new("wrong API key").api_key(&format!("{}x", stage.keys[0].1), Shown::Bad);
    std::iter::once(wrong).chain(good).collect()
}
