//! What a contract asks of what the files declare for it: subscriptions, `[[recipients]]` and `[[customers]]`.

use tidings::base::clock::Timestamp;
use tidings::model::id::EventTypeId;
use tidings::model::subscription::{ContractName, SubscriptionDraft};
use tidings::model::target::{Target, WebhookTarget};

use crate::site::{Site, only};

/// What the entries name; 24 lines.
const HEAD: &str = r#"[email]
from = "tidings@example.com"
relay = "smtp://127.0.0.1:25"
[[clients]]
id = "crm"
secret = { env = "CRM" }
parties = ["1001"]
subscriber = "s-1"
[[clients]]
id = "bare"
secret = { env = "CRM" }
[[event_types]]
id = "LODGED"
contracts = ["registrations", "management"]
attributes = ["status", "ready"]
[[event_types]]
id = "order_confirm"
contracts = ["recipients"]
[[event_types]]
id = "order_update"
contracts = ["recipients"]
[[event_types]]
id = "hook_only"
contracts = ["recipients"]
channels = ["webhook"]
[[webhooks.egress]]
name = "default"
allow = ["public:443", "public:80"]
"#;

fn site(text: &str) -> Site {
    Site::new(&format!("{HEAD}{text}"))
        .variable("CRM", "x")
        .variable("HOOK", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
}

/// The problems without the name of the file, lines counted from that below the head.
fn told(text: &str) -> Vec<String> {
    let above = HEAD.lines().count();
    let relative = |line: &str| {
        let rest = line.strip_prefix("tidings.toml:")?;
        let (number, rest) = rest.split_once(':')?;
        Some(format!("{}:{rest}", number.parse::<usize>().ok()?.checked_sub(above)?))
    };
    site(text).shown().iter().map(|line| relative(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

fn drafts(text: &str) -> Vec<SubscriptionDraft> {
    site(text).loaded().settings.engine.declared
}

fn warnings(text: &str) -> Vec<String> {
    site(text).loaded().warnings.iter().map(|warning| format!("{}: {}", warning.key, warning.message)).collect()
}

fn subscription(contract: &str, lines: &str) -> String {
    let types = if lines.contains("event_types") { "" } else { "event_types = [\"LODGED\"]\n" };
    format!("[[subscriptions]]\nid = \"s\"\nclient_id = \"crm\"\ncontract = \"{contract}\"\n{types}{lines}\n")
}

const HOOK: &str = "webhook = { url = \"https://hook.example.com/\", secrets = [{ env = \"HOOK\" }] }";
const CONTACT: &str = "contact_emails = [\"a@example.com\"]\n";

#[test]
fn a_registration_is_checked_and_completed() {
    let [draft] = &drafts(&subscription("registrations", HOOK))[..] else { panic!() };
    assert_eq!((draft.contract, &draft.holders[..]), (ContractName::Registrations, &["s-1".to_owned()][..]));
    let types: Vec<_> = draft.event_types.iter().map(EventTypeId::as_str).collect();
    assert_eq!(types, ["LODGED", "SECRET_EXPIRY"]);
    assert!(matches!(&draft.endpoints[..], [Target::Webhook(hook)] if hook.url == "https://hook.example.com"));
    let mail = drafts(&subscription("registrations", "email = { to = [\"a@example.com\"] }"));
    assert_eq!(mail[0].event_types.len(), 1, "nothing is mandatory for mail");
    let mandatory = "[[event_types]]\nid = \"ALWAYS\"\nmandatory = [\"email\"]\n";
    let mail = mandatory.to_owned() + &subscription("registrations", "email = { to = [\"a@example.com\"] }");
    assert_eq!(drafts(&mail)[0].event_types.len(), 2);
    assert_eq!(warnings(&mail), ["subscriptions[0].event_types: the event type \"ALWAYS\" is mandatory, and added"]);
    for (lines, message) in [
        ("poll = {}", "6:8: subscriptions[0].poll: a registration cannot be polled"),
        (
            &format!("{HOOK}\nemail = {{ to = [\"a@example.com\"] }}"),
            "1:1: subscriptions[0]: a registration has a webhook or an address, not both",
        ),
        (
            "email = { to = [\"a@example.com\", \"b@example.com\"] }",
            "6:16: subscriptions[0].email.to: a registration has one address",
        ),
        (
            "webhook = { url = \"https://h.example.com/\", asymmetric = true }",
            "6:11: subscriptions[0].webhook: its requests would not be signed",
        ),
        (&HOOK.replace("https", "http"), "6:19: subscriptions[0].webhook.url: a registration needs https://"),
        (
            &format!("event_types = [\"SECRET_EXPIRY\"]\n{HOOK}"),
            "5:15: subscriptions[0].event_types: every registration has these",
        ),
        (
            &format!("event_types = [\"order_confirm\"]\n{HOOK}"),
            "the event type \"order_confirm\" is not open to webhook",
        ),
        (
            "filter = { target = \"my\" }\nemail = { to = [\"a@example.com\"] }",
            "6:21: subscriptions[0].filter.target: \"my\" is for the parties",
        ),
    ] {
        let problems = told(&subscription("registrations", lines));
        assert!(only(&problems).contains(message), "{problems:?}");
    }
    let bare = subscription("registrations", HOOK).replace("\"crm\"", "\"bare\"");
    assert!(only(&told(&bare)).starts_with("3:13: subscriptions[0].client_id: the client \"bare\" has no subscriber"));
    let http = format!(
        "{}[api.registrations]\nallow_http = true",
        subscription("registrations", &HOOK.replace("https", "http"))
    );
    drafts(&http);
}

#[test]
fn a_subscription_of_management_is_checked() {
    let lines = format!("{CONTACT}webhook = {{ url = \"https://hook.example.com/\" }}\nexpires_on = \"2090-06-30\"");
    let [draft] = &drafts(&subscription("management", &lines))[..] else { panic!() };
    assert_eq!((&draft.holders[..], draft.endpoints.len()), (&["1001".to_owned()][..], 2));
    // What nothing signs would never go out.
    let signed = |hook: &WebhookTarget| (hook.secrets.len(), hook.asymmetric);
    assert!(matches!(&draft.endpoints[0], Target::Webhook(hook) if signed(hook) == (0, true) && hook.retries));
    let [with_secret] = &drafts(&subscription("management", &format!("{CONTACT}{HOOK}")))[..] else { panic!() };
    assert!(matches!(&with_secret.endpoints[0], Target::Webhook(hook) if signed(hook) == (1, false)));
    // Midnight in Auckland in winter, 12 hours ahead.
    assert_eq!(draft.expires_at, Timestamp::parse_rfc3339("2090-06-30T12:00:00Z"));
    let polled = subscription("polling", "event_types = [\"301\"]\npoll = {}\nexpires_on = \"2090-06-30\"");
    assert_eq!(drafts(&polled)[0].expires_at, Timestamp::parse_rfc3339("2090-07-01T00:00:00Z"));
    let ended = subscription("polling", "event_types = [\"301\"]\npoll = {}\nexpires_on = \"1990-06-30\"");
    assert!(only(&warnings(&ended)).starts_with("subscriptions[0].expires_on: the subscription has ended"));
    let mail = "email = { to = [\"a@example.com\"] }";
    for (lines, message) in [
        (mail.to_owned(), "1:1: subscriptions[0]: the required key contact_emails is missing"),
        (format!("{CONTACT}poll = {{}}"), "7:8: subscriptions[0].poll: a subscription of management cannot be polled"),
        (
            format!("event_types = [\"LODGED\", \"x\"]\n{CONTACT}{mail}"),
            "5:15: subscriptions[0].event_types: a subscription of management has one event type",
        ),
        (format!("{CONTACT}{mail}\nexpires_on = \"2090-02-30\""), "8:14: subscriptions[0].expires_on: must be a date"),
        (
            format!("{CONTACT}{mail}\nexpires_on = 2090-02-28"),
            "8:14: subscriptions[0].expires_on: must be a date in quotes",
        ),
        (format!("{CONTACT}{mail}\nexpires_on = \"2090-02-28T00\""), "must be a date"),
        (
            format!("{CONTACT}webhook = {{ url = \"https://h.example.com\", asymmetric = false }}"),
            "7:11: subscriptions[0].webhook: its requests would not be signed",
        ),
        (
            format!("{CONTACT}webhook = {{ url = \"https://h.example.com\", username = \"u\" }}"),
            "7:11: subscriptions[0].webhook: username needs password",
        ),
        (
            format!(
                "{CONTACT}webhook = {{ url = \"https://h.example.com\", username = \"u:v\", password = {{ env = \"CRM\" }} }}"
            ),
            "must have no colon",
        ),
    ] {
        let problems = told(&subscription("management", &lines));
        assert!(only(&problems).contains(message), "{problems:?}");
    }
    let bare = subscription("management", &format!("{CONTACT}{mail}")).replace("\"crm\"", "\"bare\"");
    assert!(only(&told(&bare)).contains("the client \"bare\" has no parties"));
    let issuer = "[[auth.issuers]]\nissuer = \"https://i/\"\njwks = \"https://i/jwks\"\nclient_ids = [\"p-*\"]\nscopes = [\"*\"]\n";
    let foreign = subscription("management", &format!("{CONTACT}{mail}")).replace("\"crm\"", "\"p-1\"") + issuer;
    assert!(only(&told(&foreign)).contains("the parties of \"p-1\" stand in its tokens"));
}

#[test]
fn a_filter_asks_for_what_the_type_declares() {
    let filtered =
        |filter: &str| subscription("polling", &format!("poll = {{}}\nfilter = {filter}")).replace("LODGED", "L");
    let event_type = "[[event_types]]\nid = \"L\"\nattributes = [\"status\", \"ready\"]\n";
    let filter = |filter: &str| drafts(&(filtered(filter) + event_type))[0].filter.clone().unwrap();
    let read =
        filter("{ attributes = [{ status = \"a\", ready = true }, { status = 7 }, { __not__ = { ready = false } }] }");
    let values: Vec<_> = read.any.iter().map(|clause| clause.all.values().cloned().collect::<Vec<_>>()).collect();
    assert_eq!(values, [vec!["true".to_owned(), "a".to_owned()], vec!["7".to_owned()], vec![]]);
    assert_eq!(read.any[2].not.as_ref().unwrap()["ready"], "false");
    for (text, message) in [
        ("{}", "7:10: subscriptions[0].filter: asks for nothing"),
        ("{ target = \"all\" }", "7:21: subscriptions[0].filter.target: must be \"my\""),
        ("{ attributes = [] }", "7:25: subscriptions[0].filter.attributes: must have 1 to 100 entries"),
        ("{ attributes = [{}] }", "7:26: subscriptions[0].filter.attributes[0]: must not be empty"),
        ("{ attributes = [{ __not__ = {} }] }", "must not be empty: it would let nothing through"),
        (
            "{ attributes = [{ stauts = \"a\" }] }",
            "7:28: subscriptions[0].filter.attributes[0].stauts: unknown key: it is none of the attributes of the event type \"L\"; did you mean status?",
        ),
        (
            "{ attributes = [{ __not__ = { redy = true } }] }",
            "7:40: subscriptions[0].filter.attributes[0].__not__.redy: unknown key",
        ),
        ("{ attributes = [{ __not__ = { __not__ = \"a\" } }] }", "unknown key"),
        (
            "{ attributes = [{ status = 1.5 }] }",
            "must be text in quotes, true or false, or a whole number, not a fraction",
        ),
        ("{ attributes = [{ status = [\"a\"] }] }", "not an array"),
    ] {
        let problems = told(&(filtered(text) + event_type));
        assert!(only(&problems).contains(message), "{problems:?}");
    }
    let undeclared = told(&filtered("{ attributes = [{ status = \"a\" }] }"));
    assert!(only(&undeclared).contains("it is none of the attributes of the event type \"L\""), "{undeclared:?}");
}

#[test]
fn recipients_are_subscriptions_of_their_group() {
    let entry =
        |group: &str, addresses: &str| format!("[[recipients]]\ngroup = \"{group}\"\naddresses = {addresses}\n");
    let both = drafts(
        &(entry("acme", "{ order_confirm = [\"A@Example.com\"], order_update = [] }")
            + &entry("b/c", "{ order_update = [\"b@example.com\"] }")),
    );
    let ids: Vec<_> = both.iter().map(|draft| (draft.id.as_str(), draft.client_id.as_str())).collect();
    assert_eq!(ids, [("recipients/acme/order_confirm", "group/acme"), ("recipients/b%2Fc/order_update", "group/b/c")]);
    let fifty: Vec<_> = (0..51).map(|n| format!("\"a{n}@example.com\"")).collect();
    drafts(&entry("acme", &format!("{{ order_confirm = [{}] }}", fifty[1..].join(", "))));
    let long = format!("{}@example.com", "a".repeat(250));
    for (addresses, message) in [
        (
            "{ order_confrim = [\"a@example.com\"] }",
            "3:15: recipients[0].addresses.order_confrim: unknown key: no entry of [[event_types]] with this id names recipients in contracts; did you mean order_confirm?",
        ),
        ("{ LODGED = [\"a@example.com\"] }", "unknown key"),
        ("{ order_confirm = [\"a\"] }", "3:32: recipients[0].addresses.order_confirm[0]: must be an address"),
        ("{ order_confirm = [\"a@example.com\", \"a@EXAMPLE.com\"] }", "is there twice"),
        ("{ order_confirm = \"a@example.com\" }", "must be an array"),
        ("{ hook_only = [\"a@example.com\"] }", "leave email out"),
        ("{ order_confirm = [] }", "3:13: recipients[0].addresses: names no address"),
        ("{}", "names no address"),
        (&format!("{{ order_confirm = [{}] }}", fifty.join(", ")), "must have at most 50 addresses, not 51"),
        (&format!("{{ order_confirm = [\"{long}\"] }}"), "3:"),
    ] {
        let problems = told(&entry("acme", addresses));
        assert!(problems.iter().any(|problem| problem.contains(message)), "{problems:?}");
    }
    assert!(
        only(&told(&entry("/acme", "{ order_confirm = [\"a@example.com\"] }"))).contains("must not begin with a slash")
    );
    let one = entry("acme", "{ order_confirm = [\"a@example.com\"] }");
    let twice = told(&format!("{one}{one}"));
    assert!(
        only(&twice).starts_with("5:9: recipients[1].group: the id \"acme\" is declared twice, the first time in "),
        "{twice:?}"
    );
    let without_mail =
        Site::new(&format!("[[event_types]]\nid = \"order_confirm\"\ncontracts = [\"recipients\"]\n{one}")).shown();
    assert!(only(&without_mail).contains("there is no mail without [email]"), "{without_mail:?}");
}

#[test]
fn customers_are_read_with_their_preferences() {
    let entry = |id: &str, lines: &str| format!("[[customers]]\nid = \"{id}\"\n{lines}\n");
    let plain = "keys = { accountId = \"42\" }\nchannels = [\"email\"]\nemail = \"jane@example.com\"";
    let [draft] = &drafts(&entry("c-1", plain))[..] else { panic!() };
    assert_eq!((draft.id.as_str(), draft.client_id.as_str()), ("customer/c-1", "customer/c-1"));
    let hours = |hours: &str| {
        drafts(&entry("c-1", &format!("{plain}\nhours = {hours}")))[0].profile.clone().unwrap().hours.unwrap()
    };
    for (text, from, to) in [
        ("[\"08:00\", \"20:00\"]", 480, 1200),
        ("[\"22:30\", \"06:00\"]", 1350, 360),
        ("[\"00:00\", \"24:00\"]", 0, 1440),
    ] {
        assert_eq!((hours(text).from, hours(text).to), (from, to), "{text}");
    }
    for (lines, message) in [
        (
            format!("{plain}\nhours = [\"8:00\", \"20:00\"]"),
            "6:10: customers[0].hours[0]: must be a time from \"00:00\" to \"23:59\"",
        ),
        (format!("{plain}\nhours = [\"24:00\", \"20:00\"]"), "must be a time from \"00:00\" to \"23:59\""),
        (
            format!("{plain}\nhours = [\"08:00\", \"24:01\"]"),
            "6:19: customers[0].hours[1]: must be a time from \"00:00\" to \"24:00\"",
        ),
        (format!("{plain}\nhours = [\"08:60\", \"20:00\"]"), "must be a time"),
        (format!("{plain}\nhours = [\"08:00\", \"08:00\"]"), "begins and ends at once"),
        (format!("{plain}\nhours = [\"08:00\"]"), "must be two times of a day"),
        (
            format!("{plain}\ntime_zone = \"America/Tornto\""),
            "6:13: customers[0].time_zone: must be \"UTC\" or a zone of the IANA database such as \"Europe/Paris\", not \"America/Tornto\"; did you mean America/Toronto?",
        ),
        (format!("{plain}\nlocale = \"french\""), "must be a language"),
        (
            plain.replace("accountId", "acountId"),
            "3:10: customers[0].keys.acountId: unknown key: api.trigger.recipient_keys does not name it; did you mean accountId?",
        ),
        (plain.replace("{ accountId = \"42\" }", "{}"), "3:8: customers[0].keys: must not be empty"),
        (plain.replace("\"42\"", "42"), "must be text in quotes"),
        (plain.replace("[\"email\"]", "[\"webhook\"]"), "1:1: customers[0]: none of its channels has an address"),
        (plain.replace("[\"email\"]", "[\"sms\"]"), "must be \"poll\" or \"webhook\" or \"email\""),
        (plain.replace("jane@", ""), "5:9: customers[0].email: must be an address"),
        (
            plain
                .replace("email = \"jane@example.com\"", "poll = { client_id = \"crn\" }")
                .replace("[\"email\"]", "[\"poll\"]"),
            "5:22: customers[0].poll.client_id: there is no client \"crn\"; did you mean crm?",
        ),
        (
            format!(
                "{}\nwebhook = {{ url = \"https://h.example.com\" }}",
                plain.replace("[\"email\"]", "[\"email\", \"webhook\"]")
            ),
            "its requests would not be signed",
        ),
    ] {
        let problems = told(&entry("c-1", &lines));
        assert!(only(&problems).contains(message), "{problems:?}");
    }
    let unused = entry("c-1", &plain.replace("[\"email\"]", "[\"poll\", \"email\"]"));
    assert_eq!(warnings(&unused), ["customers[0].channels[0]: \"poll\" is never used: there is no poll in the entry"]);
    let unused = entry("c-1", &format!("{plain}\npoll = {{ client_id = \"crm\" }}"));
    assert_eq!(warnings(&unused), ["customers[0].poll: is never used: channels leaves it out"]);
}

#[test]
fn two_customers_cannot_be_taken_for_one_another() {
    let entry = |id: &str, account: &str, more: &str| {
        format!(
            "[[customers]]\nid = \"{id}\"\nkeys = {{ accountId = \"{account}\" }}\nchannels = [\"email\"]\nemail = \"j@example.com\"\n{more}\n"
        )
    };
    let twice = told(&(entry("c-1", "42", "") + &entry("c-1", "43", "")));
    assert!(only(&twice).contains("8:6: customers[1].id: the id \"c-1\" is declared twice"), "{twice:?}");
    let same = told(&(entry("c-1", "42", "") + &entry("c-2", "42", "")));
    assert!(
        only(&same).starts_with(
            "9:22: customers[1].keys.accountId: another customer of the organisation has the accountId \"42\" too, in "
        ),
        "{same:?}"
    );
    assert!(same[0].contains("tidings.toml:"), "{same:?}");
    let organisations = entry("c-1", "42", "organisation = \"a\"")
        + &entry("c-2", "42", "organisation = \"b\"")
        + &entry("c-3", "42", "");
    assert_eq!(drafts(&organisations).len(), 3);
}
