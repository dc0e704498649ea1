//! What a token is worth under its issuer's entry. Pure: the signature has been verified before.

use std::collections::BTreeSet;

use serde::Deserialize as _;

use super::denied::ForeignDenied;
use super::settings::{ClaimNames, IssuerSettings};
use super::token::{Claims, Header};
use crate::auth::confirmation::Confirmation;
use crate::auth::principal::{Caller, Credential, Principal};
use crate::base::clock::Timestamp;
use crate::model::affiliation::Affiliation;
use crate::model::id::{ClientId, MAX_NAME, is_name};

/// What a verified token says, within its issuer's bounds.
pub(super) struct Grant {
    pub(super) principal: Principal,
    /// From here on it is worth nothing; the clock skew is in it.
    expires: Timestamp,
    /// Before this it is worth nothing; the clock skew is in it.
    begins: Timestamp,
    /// The certificate that it is bound to.
    confirmation: Option<Confirmation>,
}

/// What the header must say before any key is looked for.
pub(super) fn check_header(entry: &IssuerSettings, header: &Header) -> Result<(), ForeignDenied> {
    if header.is_critical {
        return Err(ForeignDenied::Critical);
    }
    match &header.token_type {
        Some(token_type) if entry.token_types.contains(token_type) => Ok(()),
        _ => Err(ForeignDenied::OtherType),
    }
}

impl Grant {
    /// What the claims are worth under `entry`.
    pub(super) fn of(entry: &IssuerSettings, claims: &Claims) -> Result<Self, ForeignDenied> {
        check_audience(entry, claims)?;
        let (begins, expires) = validity(entry, claims)?;
        let confirmation = claims.get("cnf").map(Confirmation::deserialize).transpose();
        let confirmation = confirmation.map_err(|_| ForeignDenied::OtherCertificate)?;
        Ok(Self { principal: principal(entry, claims)?, expires, begins, confirmation })
    }

    /// Whether it can be used at `now` on a connection that has shown `certificate`. To be asked at every use.
    pub(super) fn check(&self, now: Timestamp, certificate: Option<[u8; 32]>) -> Result<(), ForeignDenied> {
        if now >= self.expires {
            Err(ForeignDenied::Expired)
        } else if now < self.begins {
            Err(ForeignDenied::NotYetValid)
        } else if self.confirmation.is_some_and(|confirmation| !confirmation.is_shown_by(certificate)) {
            Err(ForeignDenied::OtherCertificate)
        } else {
            Ok(())
        }
    }
}

/// RFC 7519, 4.1.3: one of the token's audiences is ours.
fn check_audience(entry: &IssuerSettings, claims: &Claims) -> Result<(), ForeignDenied> {
    let ours = claims.texts("aud")?.into_iter().any(|audience| entry.audiences.contains(audience));
    if ours { Ok(()) } else { Err(ForeignDenied::OtherAudience) }
}

/// From when until when it can be used: `exp` is required (RFC 9068, 2.2); a token that was issued in the future, or is
/// not to be used before it, has to wait.
fn validity(entry: &IssuerSettings, claims: &Claims) -> Result<(Timestamp, Timestamp), ForeignDenied> {
    let expires = claims.instant("exp")?.ok_or_else(|| ForeignDenied::Claim("exp".to_owned()))?;
    let begins = claims.instant("nbf")?.into_iter().chain(claims.instant("iat")?).max().unwrap_or(Timestamp::MIN);
    Ok((begins.minus(entry.clock_skew), expires.plus(entry.clock_skew)))
}

fn principal(entry: &IssuerSettings, claims: &Claims) -> Result<Principal, ForeignDenied> {
    let client_id = client(entry, claims)?;
    let scopes = scopes(claims, &entry.claims.scope)?.filter(|scope| entry.scopes.stand_for(scope));
    let scopes: BTreeSet<String> = scopes.map(str::to_owned).collect();
    let affiliation = affiliation(entry, claims)?;
    Ok(Principal::of(Caller {
        subject: subject(claims)?.unwrap_or_else(|| client_id.as_str().to_owned()),
        client_id,
        scopes,
        credential: Credential::ForeignToken { issuer: entry.issuer.clone() },
        owners: Some(affiliation.owners()),
        affiliation,
        acts_for_any: BTreeSet::new(),
        contracts: entry.contracts.clone(),
        publish: None,
        token: None,
    }))
}

/// The client, one of the entry's. Only a name can be one: `uid:0` or what else has a meaning here cannot be claimed.
fn client(entry: &IssuerSettings, claims: &Claims) -> Result<ClientId, ForeignDenied> {
    let name = &entry.claims.client_id;
    let client = claims.text(name)?.ok_or_else(|| ForeignDenied::Claim(name.clone()))?;
    if is_name(client) && entry.client_ids.stand_for(client) {
        Ok(ClientId::new(client))
    } else {
        Err(ForeignDenied::OtherClient)
    }
}

fn subject(claims: &Claims) -> Result<Option<String>, ForeignDenied> {
    let subject = claims.text("sub")?;
    let fits = |text: &str| text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    match subject {
        Some(text) if !fits(text) => Err(ForeignDenied::Claim("sub".to_owned())),
        subject => Ok(subject.filter(|text| !text.is_empty()).map(str::to_owned)),
    }
}

fn scopes<'c>(claims: &'c Claims, name: &str) -> Result<impl Iterator<Item = &'c str>, ForeignDenied> {
    Ok(claims.texts(name)?.into_iter().flat_map(str::split_ascii_whitespace))
}

/// Whom the claims name, as far as the entry lets them. An owner with a comma or blanks around it is none: an event's
/// audience could not name it, or would name another.
fn affiliation(entry: &IssuerSettings, claims: &Claims) -> Result<Affiliation, ForeignDenied> {
    let ClaimNames { client_id: _, scope: _, parties, subscriber, group, organisation } = &entry.claims;
    Ok(Affiliation {
        parties: owners(entry, claims, parties.as_deref(), "")?,
        subscriber: owners(entry, claims, subscriber.as_deref(), "")?.into_iter().next(),
        groups: owners(entry, claims, group.as_deref(), "/")?,
        organisation: named(claims, organisation.as_deref())?,
    })
}

/// The text in the claim of this name.
fn named(claims: &Claims, name: Option<&str>) -> Result<Option<String>, ForeignDenied> {
    let Some(name) = name else { return Ok(None) };
    let fits = |text: &&str| (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let wrong = || ForeignDenied::Claim(name.to_owned());
    claims.text(name)?.map(|text| Some(text).filter(fits).map(str::to_owned).ok_or_else(wrong)).transpose()
}

/// The owners in the claim of this name, in order, each once, without what each may begin with: some issuers write a group
/// as a path, `/acme` (contracts/recipients.md).
fn owners(
    entry: &IssuerSettings,
    claims: &Claims,
    name: Option<&str>,
    begin: &str,
) -> Result<Vec<String>, ForeignDenied> {
    let Some(name) = name else { return Ok(Vec::new()) };
    let named = claims.texts(name)?.into_iter().map(|owner| owner.strip_prefix(begin).unwrap_or(owner));
    let named: Vec<_> = named.collect();
    if named.iter().any(|owner| owner.is_empty() || owner.contains(',') || owner.trim() != *owner) {
        return Err(ForeignDenied::Claim(name.to_owned()));
    }
    let allowed = |owner: &&str| entry.owners.as_ref().is_none_or(|bounds| bounds.stand_for(owner));
    let named: BTreeSet<_> = named.into_iter().filter(allowed).map(str::to_owned).collect();
    Ok(named.into_iter().collect())
}
