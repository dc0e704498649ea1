//! `tidings keygen`: a new secret of a client or a new API key, shown once, and the hash of it for the files.

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output;
use crate::auth::keygen::{NewSecret, new_api_key, new_client_secret};
use crate::base::random::SystemRandomness;
use crate::base::secret::ExposeSecret as _;

/// Make a new API key, or a new secret of a client, and show it once
///
/// The key goes to standard output; the line that the configuration needs, which holds only a hash of it, to standard
/// error. Nothing is stored: write the line into the configuration, and hand the key to who is to use it.
#[derive(Args, Debug)]
pub(super) struct Keygen {
    #[arg(
        long,
        conflicts_with = "client",
        help = "Make an API key, for an entry of [[api_keys]]; this is the default"
    )]
    api_key: bool,
    /// Make a secret, for an entry of [[clients]]
    #[arg(long)]
    client: bool,
    /// Print all of it as JSON to standard output
    #[arg(long)]
    json: bool,
}

/// What goes where.
struct Shown {
    result: String,
    remark: Option<String>,
}

/// Runs the command.
pub(super) fn run(arguments: &Keygen) -> Result<Exit, Failure> {
    let random = SystemRandomness::default();
    let new = if arguments.client { new_client_secret(&random) } else { new_api_key(&random) };
    let Shown { result, remark } = show(arguments, &new);
    if let Some(remark) = remark {
        output::remark(&remark);
    }
    output::result(&result)?;
    Ok(Exit::Ok)
}

fn show(arguments: &Keygen, new: &NewSecret) -> Shown {
    let NewSecret { text, hash } = new;
    let (name, entry, line) = if arguments.client {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::keygen::{api_key_hash, client_hash};
    use crate::base::random::SeededRandomness;

    fn arguments(client: bool, json: bool) -> Keygen {
        Keygen { api_key: false, client, json }
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
}
