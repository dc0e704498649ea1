//! The 202: what became of each event.

use std::io::Write as _;

use utoipa::ToSchema;

use super::form::Form;
use crate::api::instant;
use crate::engine::Receipt;

/// Bytes of a receipt, roughly.
const RECEIPT_BYTES: usize = 176;

/// What became of the event, or of those of a batch.
#[derive(ToSchema)]
#[schema(as = Published)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used: the bytes are written by hand")]
pub(super) enum Published {
    /// What became of the one event.
    One(WireReceipt),
    /// What became of the events of a batch, in their order.
    Batch(Vec<WireReceipt>),
}

/// What became of an event.
#[derive(ToSchema)]
#[schema(as = Receipt)]
#[expect(dead_code, reason = "only its schema is used: the bytes are written by hand")]
pub(super) struct WireReceipt {
    /// Our id of the event.
    #[schema(format = "uuid")]
    id: String,
    /// Whether it was published before; then this is what was answered to the first.
    duplicate: bool,
    /// How many subscriptions it matched.
    matched: u64,
    notifications: Notifications,
    /// The latest deadline of its notifications; left out if there are none.
    #[schema(format = DateTime, nullable = false)]
    expires: Option<String>,
}

/// How many endpoints get it, by kind.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the bytes are written by hand")]
struct Notifications {
    /// Queues to be polled.
    poll: u64,
    /// Webhooks.
    webhook: u64,
    /// E-mail addresses.
    email: u64,
}

/// The body of the answer: an array for a batch, else the one receipt.
pub(super) fn body(form: Form, receipts: &[Receipt]) -> Vec<u8> {
    let mut out = Vec::with_capacity(receipts.len() * RECEIPT_BYTES + 2);
    let batch = form == Form::Batch;
    if batch {
        out.push(b'[');
    }
    for (index, receipt) in receipts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(&mut out, receipt);
    }
    if batch {
        out.push(b']');
    }
    out
}

fn write(out: &mut Vec<u8>, receipt: &Receipt) {
    let Receipt { id, duplicate, matched, notifications, expires } = receipt;
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "{{\"id\":\"{id}\",\"duplicate\":{duplicate},\"matched\":{matched},\"notifications\":{{\"poll\":{},\"webhook\":{},\"email\":{}}}",
        notifications.poll, notifications.webhook, notifications.email,
    );
    if let Some(expires) = expires {
        out.extend_from_slice(b",\"expires\":\"");
        instant::write_millis(out, *expires);
        out.push(b'"');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Timestamp;
    use crate::model::id::LedgerId;
    use crate::model::notification::ByKind;

    #[test]
    fn a_receipt_is_what_the_contract_says() {
        let mut receipt = Receipt {
            id: LedgerId::parse("0198f0c2-1111-7000-8000-000000040000").unwrap(),
            duplicate: false,
            matched: 3,
            notifications: ByKind { poll: 1, webhook: 2, email: 0 },
            expires: Some(Timestamp::from_millis(1_516_683_382_007)),
        };
        let one = r#"{"id":"0198f0c2-1111-7000-8000-000000040000","duplicate":false,"matched":3,"notifications":{"poll":1,"webhook":2,"email":0},"expires":"2018-01-23T04:56:22.007Z"}"#;
        assert_eq!(String::from_utf8(body(Form::Plain, &[receipt.clone()])).unwrap(), one);
        receipt.expires = None;
        let text = String::from_utf8(body(Form::Batch, &[receipt.clone(), receipt])).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed.as_array().unwrap().len(), 2);
        assert!(parsed[0].get("expires").is_none());
    }
}
