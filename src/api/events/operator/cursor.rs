//! Cursors: where a list goes on, opaque to callers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::engine::LookCursor;
use crate::model::id::{MAX_TARGETS, Position, SubscriptionId};

const UNKNOWN: &str = "is not a cursor that an answer of this list has given";

/// The text of a place among the notifications: position and target, big-endian, in base64url.
pub(super) fn write(cursor: LookCursor) -> String {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&cursor.position.get().to_be_bytes());
    bytes[8..].copy_from_slice(&cursor.target.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that [`write`] has written.
pub(super) fn read(text: &str) -> Result<LookCursor, String> {
    place(text).ok_or_else(|| UNKNOWN.to_owned())
}

fn place(text: &str) -> Option<LookCursor> {
    let bytes: [u8; 12] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (position, target) = bytes.split_at(8);
    let position = Position::new(u64::from_be_bytes(position.try_into().ok()?))?;
    let target = u32::from_be_bytes(target.try_into().ok()?);
    (target as usize <= MAX_TARGETS).then_some(LookCursor { position, target })
}

/// The text of a place among the subscriptions: behind this one.
pub(super) fn write_id(id: &SubscriptionId) -> String {
    write_text(id.as_str())
}

/// The place that [`write_id`] has written.
pub(super) fn read_id(text: &str) -> Result<SubscriptionId, String> {
    read_text(text).map(|id| SubscriptionId::new(&id))
}

/// The text of a place among what is known by names: behind this one.
pub(super) fn write_text(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// The place that [`write_text`] has written.
pub(super) fn read_text(text: &str) -> Result<String, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|name| !name.is_empty());
    name.ok_or_else(|| UNKNOWN.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(position in 0..Position::LIMIT, target in 0_u32..1 << 18) {
            let cursor = LookCursor { position: Position::new(position).unwrap(), target };
            prop_assert_eq!(read(&write(cursor)), Ok(cursor));
        }

        #[test]
        fn no_text_is_more_than_refused(text in ".{0,24}") {
            let _ = (read(&text), read_id(&text));
        }
    }

    #[test]
    fn only_what_was_given_is_taken() {
        let first = LookCursor { position: Position::new(0).unwrap(), target: 0 };
        assert_eq!(read(&write(first)), Ok(first));
        let beyond = [&(Position::LIMIT).to_be_bytes()[..], &[0; 4]].concat();
        for bad in ["", "AAAA", "AAAAAAAAAAAAAAAA=", "!", &URL_SAFE_NO_PAD.encode(beyond), "________________"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read_id(&write_id(&"crm-é".into())), Ok("crm-é".into()));
        assert!(read_id("").is_err() && read_id("_w").is_err());
    }
}
