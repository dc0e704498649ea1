//! Why an external issuer's token is not taken.

/// Why an external issuer's token is not taken: what is said to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignDenied {
    /// The keys that it would have to be checked with cannot be had now: whether it is good cannot be told.
    #[error("the keys of the token's issuer cannot be fetched at present, so the token cannot be checked: try again")]
    KeysUnavailable,
    /// Its `typ` is not one of the entry's.
    #[error(
        "the token's type (typ) is not one that is taken from its issuer: send an access token, not an ID token or \
         another kind"
    )]
    OtherType,
    /// Its `alg` is none of the entry's, `none`, symmetric or unknown.
    #[error("the token's algorithm (alg) is not one that is taken from its issuer")]
    OtherAlgorithm,
    /// Its header has a `crit`.
    #[error("the token's header has extensions that must be understood (crit), and none is understood here")]
    Critical,
    /// None of the issuer's keys, or more than one, can be meant.
    #[error("the token was signed with a key (kid) that its issuer does not publish for this algorithm")]
    UnknownKey,
    /// Its signature is wrong.
    #[error("the token's signature is wrong: it was changed on its way, or its issuer did not sign it")]
    BadSignature,
    /// Its `aud` has none of the entry's.
    #[error("the token was issued for another audience (aud): ask its issuer for one for this server")]
    OtherAudience,
    /// Its time is over.
    #[error("the token has expired: get a new one from its issuer")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet: the clock of its issuer or of this server is wrong")]
    NotYetValid,
    /// A claim is missing, or is not what it has to be.
    #[error("the token's claim `{0}` is missing or is not of the form that it must have")]
    Claim(String),
    /// Its client is none of the entry's `client_ids`.
    #[error("the token's client is none that its issuer may speak for here: the operator lists them in client_ids")]
    OtherClient,
    /// It is bound to a certificate, and the connection has shown another one or none; or it is bound in a way that
    /// cannot be checked here.
    #[error(
        "the token is bound to a key (cnf), and the connection has not shown the client certificate that it is bound to"
    )]
    OtherCertificate,
}

impl ForeignDenied {
    /// Whether it may be a guess: its issuer never made it so. A key that is not known yet, another audience or an ID
    /// token are mistakes of those who mean well.
    #[must_use]
    pub(in crate::auth) const fn is_failure(&self) -> bool {
        matches!(self, Self::OtherAlgorithm | Self::Critical | Self::BadSignature)
    }
}
