//! What is to come of a call, by the rules of contracts/README.md and design.md alone, and whether an answer is that.

use std::collections::BTreeSet;

use tidings::http::contract::Access;

use crate::door::{Answer, Door};
use crate::served::Target;
use crate::wallet::{Credential, Shown, Worth};
use crate::words;

/// What the credential check makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It goes on to the contract, whatever that says.
    LetIn,
    /// 401: it shows no credential, or nothing that has the form of one, or two.
    NoCredential,
    /// 401: what it shows is not good, or not any more.
    BadCredential,
    /// 403: the credential is good for another contract.
    OtherContract,
    /// 403: this scope is missing.
    NoScope(&'static str),
}

/// What is to come of a call of `contract` with `credential` through `door`.
pub(crate) fn expected(access: Access, contract: &str, door: Door, credential: &Credential) -> Outcome {
    if let Access::Key(scope) = access {
        return match &credential.key {
            Shown::Nothing | Shown::Illegible => Outcome::NoCredential,
            Shown::Bad => Outcome::BadCredential,
            Shown::Good(worth) if !worth.scopes.contains(scope) => Outcome::NoScope(scope),
            Shown::Good(_) => Outcome::LetIn,
        };
    }
    let (scope, takes_keys) = match access {
        Access::Public => return Outcome::LetIn,
        Access::Token => (None, false),
        Access::Scope(scope) => (Some(scope), false),
        Access::ScopeOrKey(scope) | Access::Key(scope) => (Some(scope), true),
    };
    // Where no keys are taken, X-API-KEY is a header like any other.
    let key = if takes_keys { &credential.key } else { &Shown::Nothing };
    let shown = match (&credential.token, key) {
        // Who can open the admin socket is the operator.
        (Shown::Nothing, Shown::Nothing) if door == Door::AdminSocket => &operator(),
        (token, Shown::Nothing) => token,
        (Shown::Nothing, key) => key,
        (_, _) => &Shown::Illegible,
    };
    match shown {
        Shown::Nothing | Shown::Illegible => Outcome::NoCredential,
        Shown::Bad => Outcome::BadCredential,
        Shown::Good(worth) if worth.contract.is_some_and(|only| only != contract) => Outcome::OtherContract,
        Shown::Good(worth) => match scope {
            Some(scope) if !worth.scopes.contains(scope) => Outcome::NoScope(scope),
            _ => Outcome::LetIn,
        },
    }
}

fn operator() -> Shown {
    Shown::Good(Worth { scopes: BTreeSet::from(["notifications:operate".to_owned()]), contract: None })
}

impl Outcome {
    /// As the report has it.
    pub(crate) const fn sign(self) -> char {
        match self {
            Self::LetIn => '+',
            Self::NoCredential => '0',
            Self::BadCredential => '1',
            Self::OtherContract => 'c',
            Self::NoScope(_) => 's',
        }
    }

    /// The status of a refusal.
    pub(crate) const fn status(self) -> Option<u16> {
        match self {
            Self::LetIn => None,
            Self::NoCredential | Self::BadCredential => Some(401),
            Self::OtherContract | Self::NoScope(_) => Some(403),
        }
    }

    /// What `WWW-Authenticate` is to say (RFC 6750, 3): who shows no credential is told of no error in it. A token that
    /// is good for other contracts wants no wider scope, so it is not told to ask for one.
    fn challenge(self) -> Option<String> {
        match self {
            Self::LetIn | Self::OtherContract => None,
            Self::NoCredential => Some("Bearer".to_owned()),
            Self::BadCredential => Some("Bearer error=\"invalid_token\"".to_owned()),
            Self::NoScope(scope) => Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")),
        }
    }

    /// What is wrong with `answer`, if something is.
    pub(crate) fn fault(self, target: &Target, answer: &Answer) -> Option<String> {
        let Some(status) = self.status() else { return let_in_fault(target, answer) };
        // contracts/trigger.md: the published list has no 403.
        let status = if target.contract == "trigger" { 401 } else { status };
        let challenge = answer.header("www-authenticate");
        if answer.status != status {
            Some(format!("the status is {}, not {status}", answer.status))
        } else if challenge != self.challenge().as_deref() {
            Some(format!("WWW-Authenticate is {challenge:?}, not {:?}", self.challenge()))
        } else {
            words::refusal_fault(target.contract, answer)
        }
    }
}

fn let_in_fault(target: &Target, answer: &Answer) -> Option<String> {
    if words::speaks_oauth(target) {
        // The token endpoint has refusals of its own: its callers are clients that show themselves in the request.
        return words::oauth_fault(answer);
    }
    match answer.status {
        401 | 403 => Some(format!("the status is {}", answer.status)),
        500 => Some("it failed".to_owned()),
        400.. => words::error_fault(target.contract, answer),
        _ => None,
    }
}
