//! `[operator]`, and subscriptions to what the appliance tells of itself.

use tidings::model::condition::{Condition, OPERATOR_CLIENT, OPERATOR_SUBSCRIPTION};
use tidings::model::target::Target;

use crate::site::Site;

const MAIL: &str = "[email]\nfrom = \"t@example.com\"\nrelay = \"smtp://127.0.0.1:25\"\n";
const CLIENT: &str = "[[clients]]\nid = \"crm\"\nsecret = { env = \"CRM\" }\n";

fn site(text: &str) -> Site {
    Site::new(&format!("{MAIL}{CLIENT}{text}")).variable("CRM", "x")
}

#[test]
fn operator_email_is_a_subscription_to_all_conditions() {
    let settings = site("[operator]\nemail = [\"ops@Example.com\", \"night@example.com\"]").loaded().settings;
    let [declared] = &settings.engine.declared[..] else { panic!("{:?}", settings.engine.declared) };
    assert_eq!((declared.id.as_str(), declared.client_id.as_str()), (OPERATOR_SUBSCRIPTION, OPERATOR_CLIENT));
    assert!(
        declared
            .event_types
            .iter()
            .map(tidings::model::id::EventTypeId::as_str)
            .eq(Condition::ALL.map(Condition::as_str))
    );
    let places: Vec<_> = declared.endpoints.iter().map(Target::place).collect();
    assert_eq!(places, ["ops@example.com", "night@example.com"]);
    assert!(declared.endpoints.iter().all(Target::takes_events));
}

#[test]
fn without_anybody_there_is_none() {
    for text in ["", "[operator]\n", "[operator]\nemail = []"] {
        assert!(site(text).loaded().settings.engine.declared.is_empty(), "{text}");
    }
    let without_mail = Site::new("[operator]\nemail = []").loaded();
    assert!(without_mail.settings.engine.declared.is_empty());
}

#[test]
fn what_is_wrong_with_it_is_said() {
    for (text, message) in [
        ("[operator]\nemail = [\"ops\"]", "must be an address such as"),
        ("[operator]\nemail = \"ops@example.com\"", "must be an array"),
        ("[operator]\nmail = []", "did you mean email?"),
        ("[operator]\nemail = [\"a@h\", \"a@h\"]", "\"a@h\" is there twice"),
        ("[[api_keys]]\nid = \"tidings\"\nscopes = [\"events:publish\"]\nhash = \"x\"", "is the appliance's own"),
    ] {
        let shown = site(text).shown();
        assert!(shown.iter().any(|line| line.contains(message)), "{message} is not in {shown:?}");
    }
    let shown = Site::new("[operator]\nemail = [\"ops@example.com\"]").shown();
    assert!(shown[0].contains("there is no mail without [email]"), "{shown:?}");
}

#[test]
fn files_may_subscribe_to_built_in_types_that_there_are() {
    let subscription = |id: &str, event_type: &str| {
        site(&format!(
            "[events]\ncatalogue = \"closed\"\n[[subscriptions]]\nid = \"{id}\"\nclient_id = \"crm\"\n\
             event_types = [\"{event_type}\"]\nemail = {{ to = [\"ops@example.com\"] }}\n"
        ))
    };
    for condition in Condition::ALL {
        assert_eq!(subscription("s", condition.as_str()).loaded().settings.engine.declared.len(), 1);
    }
    let shown = subscription("s", "tidings.endpoint.help").shown();
    assert!(shown[0].contains("no built-in event type") && shown[0].contains("tidings.endpoint.held"), "{shown:?}");
    let shown = subscription(OPERATOR_SUBSCRIPTION, "tidings.clock").shown();
    assert!(shown[0].contains("is that of the subscription of [operator]"), "{shown:?}");
}
