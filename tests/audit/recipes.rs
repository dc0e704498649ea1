//! How each route that changes something is called so that it succeeds. A route without a recipe fails the walk.

use crate::calls::Call;
use crate::stage::{SECRET, Stage, Target};

/// A call that succeeds, and what the audit trail is to say of it.
pub(crate) struct Recipe {
    pub(crate) call: Call,
    /// The object; `None`: an id that the call makes, which stands somewhere in its answer.
    pub(crate) object: Object,
}

/// What the line names as changed.
pub(crate) enum Object {
    /// This.
    Known(String),
    /// The member `id` of the answer.
    Made,
    /// Nothing: a token has no name.
    None,
}

/// The recipe for `target`, with `token` of a client that may do all.
pub(crate) async fn recipe(stage: &Stage, target: &Target, token: &str) -> Recipe {
    match (target.contract, target.route.label) {
        ("root", "token") => {
            let body = format!("grant_type=client_credentials&client_id=driver&client_secret={SECRET}");
            Recipe { call: target.call(&[]).form(&body), object: Object::None }
        }
        ("polling", "subscribe") => Recipe { call: subscribe(target.call(&[])).bearer(token), object: Object::Made },
        ("polling", "unsubscribe") => {
            let made = subscribe(Call::new("POST", &format!("{}/subscriptions", target.mount))).bearer(token);
            let made = stage.send("polling", &made).await.expect(201).json();
            let id = made["id"].as_str().unwrap().to_owned();
            Recipe { call: target.call(&[&id]).bearer(token), object: Object::Known(id) }
        }
        (contract, label) => panic!(
            "{contract}/{label} changes something ({:?}): write down in tests/audit/recipes.rs how it is called",
            target.change()
        ),
    }
}

fn subscribe(call: Call) -> Call {
    call.json(r#"{"event_type_ids": ["301"], "client_id": "driver"}"#)
}
