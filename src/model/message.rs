//! The parts of an event's data that the management contract knows: what is said, and what comes with it
//! (contracts/management.md, "Create" and "The webhook").

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{Members, RawJson};

/// What an event says as one JSON value, byte for byte: `message` of its data where that is an object, else the data.
#[must_use]
pub fn message_bytes(data: &RawJson) -> &[u8] {
    member(data, "message").filter(|message| is_object(message)).map_or(data.as_bytes(), |raw| raw.get().as_bytes())
}

/// What comes with it, byte for byte: `payload` of its data.
#[must_use]
pub fn payload_bytes(data: &RawJson) -> Option<&[u8]> {
    member(data, "payload").map(|raw| raw.get().as_bytes())
}

/// The members of what an event says; `None` where that is no object.
pub(super) fn message(data: &RawJson) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    let members = data.members()?;
    match members.iter().find(|(name, _)| name == "message") {
        Some((_, message)) if is_object(message) => {
            serde_json::from_str(message.get()).ok().map(|Members(members)| members)
        }
        _ => Some(members),
    }
}

fn member<'a>(data: &'a RawJson, name: &str) -> Option<&'a RawValue> {
    data.members()?.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn parts(data: &'static str) -> (String, Option<String>) {
        let data = RawJson::parse(&Bytes::from_static(data.as_bytes())).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(message_bytes(&data)), payload_bytes(&data).map(text))
    }

    #[test]
    fn the_parts_are_those_of_the_data_byte_for_byte() {
        let both = parts(r#"{"message": {"n" : 1.00}, "payload": [ 1 ]}"#);
        assert_eq!(both, (r#"{"n" : 1.00}"#.to_owned(), Some("[ 1 ]".to_owned())));
        for whole in [r#"{ "n": 1.00 }"#, "[1]", "\"message\"", r#"{"message": "all is well", "n": 1}"#] {
            assert_eq!(parts(whole), (whole.to_owned(), None), "nothing of it is lost");
        }
    }
}
