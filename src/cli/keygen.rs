//! `tidings keygen`: a new secret of a client or a new API key, shown once, and the hash of it for the files; or a new
//! secret that webhooks are signed with.

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output;
use crate::auth::keygen::{NewSecret, new_api_key, new_client_secret, new_webhook_secret};
use crate::base::random::SystemRandomness;
use crate::base::secret::{ExposeSecret as _, SecretString};

/// Make a new API key, or a new secret of a client or a webhook, and show it once
///
/// The key goes to standard output; the line that the configuration needs, which holds only a hash of it (of a webhook's:
/// the name of a file), to standard error. Nothing is stored: write the line into the configuration, and hand the key to
/// who is to use it.
#[derive(Args, Debug)]
pub(super) struct Keygen {
    #[command(flatten)]
    what: What,
    /// Print all of it as JSON to standard output
    #[arg(long)]
    json: bool,
}

/// What is made.
#[derive(Args, Debug, Default)]
#[group(multiple = false)]
struct What {
    #[arg(long, help = "Make an API key, for an entry of [[api_keys]]; this is the default")]
    api_key: bool,
    /// Make a secret, for an entry of [[clients]]
    #[arg(long)]
    client: bool,
    /// Make a secret that webhooks are signed with, for webhook.secrets of a subscription
    #[arg(long)]
    webhook: bool,
}

/// What goes where.
struct Shown {
    result: String,
    remark: Option<String>,
}

/// Runs the command.
pub(super) fn run(arguments: &Keygen) -> Result<Exit, Failure> {
    let random = SystemRandomness::default();
    let Shown { result, remark } = match (arguments.what.webhook, arguments.what.client) {
        (true, _) => show_webhook(arguments, &new_webhook_secret(&random)),
        (false, true) => show(arguments, &new_client_secret(&random)),
        (false, false) => show(arguments, &new_api_key(&random)),
    };
    if let Some(remark) = remark {
        output::remark(&remark);
    }
    output::result(&result)?;
    Ok(Exit::Ok)
}

fn show(arguments: &Keygen, new: &NewSecret) -> Shown {
    let NewSecret { text, hash } = new;
    let (name, entry, line) = if arguments.what.client {
        ("secret", "[[clients]]", format!("secrets = [{{ hash = \"{hash}\" }}]"))
    } else {
        ("key", "[[api_keys]]", format!("hashes = [\"{hash}\"]"))
    };
    let text = text.expose_secret();
    if arguments.json {
        let report = json!({ name: text, "hash": hash, "toml": line });
        return Shown { result: format!("{report:#}\n"), remark: None };
    }
    let remark = format!("{line}\nwrite this line into an entry of {entry}; the {name} itself is shown only now:");
    Shown { result: format!("{text}\n"), remark: Some(remark) }
}

/// It is signed with, so that its hash would be of no use: the files name a file that holds it.
fn show_webhook(arguments: &Keygen, secret: &SecretString) -> Shown {
    const LINE: &str = "secrets = [{ file = \"/etc/tidings/secrets/…\" }]";
    let text = secret.expose_secret();
    if arguments.json {
        let report = json!({ "secret": text, "toml": LINE });
        return Shown { result: format!("{report:#}\n"), remark: None };
    }
    let remark = format!(
        "{LINE}\nput the secret into a file that others cannot read, name it in webhook of an entry of [[subscriptions]], and \
         give the secret to the receiver too:"
    );
    Shown { result: format!("{text}\n"), remark: Some(remark) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::keygen::{api_key_hash, client_hash};
    use crate::base::random::SeededRandomness;

    fn arguments(client: bool, json: bool) -> Keygen {
        Keygen { what: What { client, ..What::default() }, json }
    }

    #[test]
    fn the_key_is_the_result_and_the_line_has_its_hash() {
        let new = new_api_key(&SeededRandomness::new(1));
        let Shown { result, remark } = show(&arguments(false, false), &new);
        assert_eq!(result, format!("{}\n", new.text.expose_secret()));
        let remark = remark.unwrap();
        assert!(!remark.contains(new.text.expose_secret()));
        let line = remark.lines().next().unwrap();
        let hash = line.strip_prefix("hashes = [\"").and_then(|rest| rest.strip_suffix("\"]")).unwrap();
        assert!(api_key_hash(hash).unwrap().secret.hash.matches(new.text.expose_secret().as_bytes()));
    }

    #[test]
    fn a_client_gets_a_secret_and_a_program_gets_all_at_once() {
        let new = new_client_secret(&SeededRandomness::new(1));
        let Shown { result, remark } = show(&arguments(true, true), &new);
        assert_eq!(remark, None);
        let report: serde_json::Value = serde_json::from_str(&result).unwrap();
        assert_eq!(report["secret"], new.text.expose_secret());
        let hash = report["hash"].as_str().unwrap();
        assert_eq!(report["toml"], format!("secrets = [{{ hash = \"{hash}\" }}]"));
        assert!(client_hash(hash).unwrap().matches(new.text.expose_secret().as_bytes()));
    }
    #[test]
    fn a_webhook_gets_a_secret_that_the_files_only_name() {
        let secret = new_webhook_secret(&SeededRandomness::new(1));
        let Shown { result, remark } = show_webhook(&arguments(false, false), &secret);
        assert!(result.starts_with("whsec_") && result.len() == "whsec_".len() + 44 + 1, "{result}");
        assert!(!remark.unwrap().contains(result.trim_end()));
        let report = show_webhook(&arguments(false, true), &secret).result;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["secret"], result.trim_end());
    }
}
