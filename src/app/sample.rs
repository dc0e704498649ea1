//! The exact `curl` lines with which a newcomer tries a sample configuration.

use crate::api::events::EventsSettings;
use crate::api::polling::PollingSettings;
use crate::config::Sample;
use crate::http::settings::ListenAddress;

/// Where the lines lead.
#[derive(Clone, Debug)]
pub(super) struct Places<'a> {
    /// `server.public_url` without a slash at the end, with the port that is listened on.
    pub(super) public_url: &'a str,
    /// A path of the token endpoint.
    pub(super) token_path: &'a str,
    /// The polling contract.
    pub(super) polling: &'a PollingSettings,
    /// The events contract.
    pub(super) events: &'a EventsSettings,
    /// Where the contracts listen.
    pub(super) addresses: &'a [ListenAddress],
}

/// The lines: get a token, publish, poll. They need a shell, curl and sed.
pub(super) fn lines(sample: &Sample, places: &Places<'_>) -> String {
    let Sample { client_id, secret, subscription, event_type } = sample;
    let url = places.public_url;
    let curl = curl(places.addresses);
    let credentials = quote(&format!("{client_id}:{secret}"));
    let data = r#"{"user":{"id":"42"}}"#;
    let event = quote(&format!(r#"{{"type":{},"data":{data}}}"#, serde_json::Value::from(event_type.as_str())));
    let token = quote(&format!("{url}{}", places.token_path));
    let publish = quote(&format!("{url}{}/events", places.events.mount));
    let poll = quote(&format!("{url}{}/subscriptions/{subscription}/notifications", places.polling.mount));
    format!(
        "Try it, in another terminal:\n\n\
         TOKEN=$({curl} -u {credentials} -d grant_type=client_credentials {token} | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         {curl} -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d {event} {publish}\n\
         {curl} -H \"Authorization: Bearer $TOKEN\" {poll}\n\n"
    )
}

/// The program, and the socket to use where no TCP address leads to the appliance.
fn curl(addresses: &[ListenAddress]) -> String {
    match addresses.first() {
        Some(ListenAddress::Unix(path)) if addresses.iter().all(|a| matches!(a, ListenAddress::Unix(_))) => {
            format!("curl -s --unix-socket {}", quote(&path.display().to_string()))
        }
        _ => "curl -s".to_owned(),
    }
}

/// `text` as one word of a POSIX shell.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_word_reaches_its_program_as_it_is() {
        for word in ["", "plain-1", "a b", "it's", "$HOME `id` \"x\" \\ !", "é;|&<>*?", "'"] {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", quote(word))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
