//! `cnf`: the certificate that a token is bound to (RFC 8705, 3.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The certificate that a token is bound to. A `cnf` that binds it in another way (RFC 7800, RFC 9449) cannot be read as
/// one: a token whose binding is not checked would be worth more than its issuer meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Confirmation([u8; 32]);

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

impl Confirmation {
    /// Binds to the certificate with this SHA-256.
    #[must_use]
    pub const fn of(certificate: [u8; 32]) -> Self {
        Self(certificate)
    }

    /// Whether it is this certificate that the connection has shown. Both are public: no constant time is needed.
    #[must_use]
    pub fn is_shown_by(&self, certificate: Option<[u8; 32]>) -> bool {
        certificate == Some(self.0)
    }
}

impl TryFrom<Wire> for Confirmation {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(wire.thumbprint).map_err(|_| "x5t#S256 is not base64url")?;
        bytes.try_into().map(Self).map_err(|_| "x5t#S256 is no SHA-256")
    }
}

impl From<Confirmation> for Wire {
    fn from(confirmation: Confirmation) -> Self {
        Self { thumbprint: URL_SAFE_NO_PAD.encode(confirmation.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_read_back_and_nothing_else_is() {
        let bound = Confirmation::of([7; 32]);
        let text = serde_json::to_string(&bound).unwrap();
        assert_eq!(text, format!("{{\"x5t#S256\":\"{}\"}}", URL_SAFE_NO_PAD.encode([7; 32])));
        assert_eq!(serde_json::from_str::<Confirmation>(&text).unwrap(), bound);
        assert!(bound.is_shown_by(Some([7; 32])) && !bound.is_shown_by(Some([8; 32])) && !bound.is_shown_by(None));
        for other in ["null", "{}", "{\"jkt\":\"x\"}", "{\"x5t#S256\":\"AAAA\"}", "{\"x5t#S256\":\"=\"}", "\"x\""] {
            assert!(serde_json::from_str::<Confirmation>(other).is_err(), "{other}");
        }
    }
}
