//! The contract's OpenAPI document.

use hyper::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::RecipientsSettings;
use super::configure::{Body as Lists, MAX_ADDRESSES};
use super::contract::{Operation, routes, shown};
use super::error::{Body as ErrorBody, Error, Problem, Problems};
use super::table::Wire;
use crate::api::openapi::{self, Description, Outline, Shape, header};
use crate::engine::RecipientTable;
use crate::http::contract::Response;

/// The document of the contract with these settings; without a public URL it holds wherever it is found.
#[must_use]
pub fn document(settings: &RecipientsSettings) -> String {
    // OpenAPI has no path without a slash: the one of the mount itself is that of the table, too.
    let routes: Vec<_> = routes(settings.scopes).into_iter().filter(|route| !route.path.is_empty()).collect();
    let outline = Outline {
        title: "Notification recipients",
        text: "Who in the caller's group is mailed about what. Every path answers with and without a slash at its end. The \
               notifications that there are follow from the configuration; a later release does not add members to an \
               answer.",
        server: format!("{}{}", settings.public_url, settings.mount),
        public_url: &settings.public_url,
        token_url: format!("{}{}", settings.public_url, settings.token_path),
        routes: &routes,
        describe: &describe,
        refuse: &|refusal| Error::from(refusal).response(),
        error: Shape::of::<ErrorBody<'_>>(),
    };
    outline.write()
}

fn describe(operation: Operation) -> Description {
    match operation {
        Operation::Read => of_group(Description::new(
            "Read who is mailed about what",
            "Every known notification of the caller's group with its addresses, also those that have none.",
        )),
        Operation::Configure => configure(),
        Operation::Document => openapi::describe(),
    }
}

fn configure() -> Description {
    let condition = "The change is made only if the notifications are those that had this `ETag`.";
    let problems = Problems::from([
        ("bogus".to_owned(), Problem::of("Unknown notification.")),
        (
            "order_confirm".to_owned(),
            Problem::Items([("0".to_owned(), vec!["Enter a valid email address.".to_owned()])].into()),
        ),
    ]);
    let text = format!(
        "A list that is given takes the place of the one that there is, an empty one clears it, and what is not named \
         stays as it is; all or nothing. A notification is mailed to at most {MAX_ADDRESSES} addresses, to each in a \
         message of its own; one without an address is not mailed. What waits for an address that is taken out is \
         cancelled."
    );
    of_group(Description::new("Change who is mailed about what", text))
        .parameter(header("If-Match", condition, ObjectBuilder::new().schema_type(Type::String)))
        .takes("application/json", Shape::of::<Lists>(), &[("two lists", example())])
        .fails(
            "invalid",
            "The body is not valid: what is wrong, by notification.",
            &Error::Invalid(problems).response(),
        )
        .fails(
            "declared",
            "The configuration declares the group's notifications.",
            &Error::Declared("acme".to_owned()).response(),
        )
        .fails("changed", "The notifications are not those that `If-Match` names.", &Error::Changed.response())
        .fails("media-type", "The body is not said to be `application/json`.", &Error::MediaType.response())
}

/// One that shows the table of the caller's group.
fn of_group(description: Description) -> Description {
    let none = Error::Forbidden("The token names no group, and its client has none.".to_owned());
    description.answers("table", "The notifications of the group.", Shape::of::<Wire<'_>>(), &table()).fails(
        "no-group",
        "The caller belongs to no group, or to several.",
        &none.response(),
    )
}

fn example() -> Value {
    json!({"order_confirm": ["admin@example.com", "order@example.com"], "change_status": []})
}

fn table() -> Response {
    let row = |(id, list): (&str, &[&str])| (id.into(), list.iter().map(|&address| address.to_owned()).collect());
    let rows: [(&str, &[&str]); 2] =
        [("order_confirm", &["admin@example.com", "order@example.com"]), ("change_status", &[])];
    shown(&RecipientTable(rows.map(row).into())).unwrap_or_else(|_| Response::empty(StatusCode::OK))
}
