//! The credentials that `tidings status` shows.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::cli::client::{Call, Target};

/// A client or API key, as `GET /credentials` shows it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct CredentialUse {
    kind: String,
    id: String,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_secret: Option<usize>,
    secrets: Vec<Secret>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    #[serde(skip_serializing_if = "Option::is_none")]
    public: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    credentials: Vec<CredentialUse>,
}

/// The credentials of the appliance at `target`; none where that asks for a token, or does not know yet.
pub(in crate::cli) async fn credentials(target: &Target, mount: &str) -> Vec<CredentialUse> {
    if !target.is_local_socket() {
        return Vec::new();
    }
    let page = async { target.send(Call::get(format!("{mount}/credentials"))).await?.read::<Page>("the credentials") };
    page.await.map_or_else(|_| Vec::new(), |page| page.credentials)
}

impl CredentialUse {
    /// The line of a person's report.
    pub(in crate::cli) fn line(&self) -> String {
        let Self { kind, id, enabled, last_used, last_secret, secrets } = self;
        let mut line = format!("{} {id}: ", kind.replace('_', " "));
        line.push_str(&last_used.as_ref().map_or_else(|| "not used yet".to_owned(), |at| format!("last used {at}")));
        if let Some(number) = last_secret.filter(|_| secrets.len() > 1) {
            // Writing to a String cannot fail.
            let _ = write!(line, " with secret {number} of {}", secrets.len());
        }
        if !enabled {
            line.push_str("; not enabled");
        }
        for (number, secret) in (1..).zip(secrets) {
            if let Some(end) = &secret.not_after {
                let _ = write!(line, "; secret {number} ends {end}");
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_worth_knowing() {
        let line = |json: &str| serde_json::from_str::<CredentialUse>(json).unwrap().line();
        let plain = r#"{"kind":"client","id":"crm","enabled":true,"secrets":[{}]}"#;
        assert_eq!(line(plain), "client crm: not used yet");
        let full = r#"{"kind":"api_key","id":"billing","enabled":false,"lastUsed":"2026-01-01T00:00:00Z","lastSecret":2,
            "secrets":[{"public":"tdg_a","notAfter":"2027-01-01T00:00:00Z"},{"public":"tdg_b"}]}"#;
        let expected = "api key billing: last used 2026-01-01T00:00:00Z with secret 2 of 2; not enabled; secret 1 ends \
                        2027-01-01T00:00:00Z";
        assert_eq!(line(full), expected);
    }
}
