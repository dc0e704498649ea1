//! Ids: of events and notifications (found without an index), of clients, subscriptions, endpoints.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use uuid::Uuid;

use crate::base::clock::Timestamp;

/// The longest id of a client, subscription or event type, in characters (contracts/polling.md).
pub const MAX_NAME: usize = 255;

/// Where an event stands in the ledger: opaque and ordered, not consecutive. Below 2^44.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The first position that cannot be: ids have 44 bits for it.
    pub const LIMIT: u64 = 1 << 44;

    /// The position `value`, `None` at or above [`Position::LIMIT`].
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value < Self::LIMIT { Some(Self(value)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The generation of a store: raised by a restore, so that ids are never used twice. Below 2^12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u16);

impl Epoch {
    /// The epoch `value`, `None` from 4096 on.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if value < 1 << 12 { Some(Self(value)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// The most notifications that one event can have: ids have 18 bits for their number, 0 is the event.
pub const MAX_TARGETS: usize = (1 << 18) - 1;

/// The id of an event or of one of its notifications: a valid `UUIDv7` (RFC 9562, 5.7) whose 74 random bits
/// hold epoch (12), position (44) and target number (18; 0 stands for the event itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LedgerId(Uuid);

/// What a [`LedgerId`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerIdParts {
    /// When the event was accepted; never negative in an id.
    pub accepted: Timestamp,
    /// The generation of the store that gave it out.
    pub epoch: Epoch,
    /// Where the event stands.
    pub position: Position,
    /// 0 for the event, n for its n-th notification.
    pub target: u32,
}

impl LedgerId {
    /// The id of these parts; `target` beyond [`MAX_TARGETS`] is cut to 18 bits.
    #[must_use]
    pub fn new(parts: LedgerIdParts) -> Self {
        let millis = u128::from(parts.accepted.as_millis().max(0).cast_unsigned() & ((1 << 48) - 1));
        let random = u128::from(parts.position.get()) << 18 | u128::from(parts.target & ((1 << 18) - 1));
        Self(Uuid::from_u128(millis << 80 | 0x7 << 76 | u128::from(parts.epoch.get()) << 64 | 0b10 << 62 | random))
    }

    /// The parts of this id.
    #[must_use]
    pub fn parts(self) -> LedgerIdParts {
        let bits = self.0.as_u128();
        let low = (bits & ((1 << 62) - 1)) as u64;
        LedgerIdParts {
            accepted: Timestamp::from_millis(((bits >> 80) as u64).cast_signed()),
            epoch: Epoch(((bits >> 64) & 0xfff) as u16),
            position: Position(low >> 18),
            target: (low & ((1 << 18) - 1)) as u32,
        }
    }

    /// Parses the hyphenated form; `None` if it is not a `UUIDv7`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let uuid = Uuid::try_parse(text).ok()?;
        let version_7 = uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122;
        version_7.then_some(Self(uuid))
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A new `UUIDv7` for what is not in the ledger (subscriptions, requests), with 74 of the given random bits.
#[must_use]
pub fn uuid_v7(now: Timestamp, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(now.as_millis().max(0).cast_unsigned(), &random).into_uuid()
}

/// Whether `text` matches `^[\p{L}0-9\._\-]+$` and is at most [`MAX_NAME`] characters (contracts/polling.md).
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut count = 0;
    text.chars().all(|c| {
        count += 1;
        is_letter(c) || matches!(c, '0'..='9' | '.' | '_' | '-')
    }) && (1..=MAX_NAME).contains(&count)
}

/// `\p{L}`, Unicode's letters.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || !c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Letter
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is: what may be one is checked where it comes in ([`is_name`]).
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

name_type! {
    /// The id of a client: who calls us.
    ClientId
}
name_type! {
    /// The id of a subscription: a UUID where an API made it, a name where a file declares it.
    SubscriptionId
}
name_type! {
    /// The id of an event type, for example `301`.
    EventTypeId
}

/// What the ids of declared subscriptions are numbered in, where a contract wants UUIDs; made for this once.
const DECLARED: Uuid = Uuid::from_u128(0x8d6f_0b4e_53a1_4c0e_9f37_61c2_55b0_7ad4);

impl SubscriptionId {
    /// The id as a UUID: itself where it is one, else the `UUIDv5` of it (contracts/README.md).
    #[must_use]
    pub fn to_uuid(&self) -> Uuid {
        let own = Uuid::try_parse(&self.0).ok().filter(|_| self.0.len() == 36);
        own.unwrap_or_else(|| uuid_v5(DECLARED, &self.0))
    }
}

/// The `UUIDv5` (RFC 9562, 5.5) of `name` in `namespace`.
#[must_use]
pub fn uuid_v5(namespace: Uuid, name: &str) -> Uuid {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(namespace.as_bytes());
    context.update(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

/// The number that a store gives to an endpoint, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointNumber(pub u32);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_ledger_id_gives_back_its_parts(
            millis in 0_i64..1 << 47, epoch in 0_u16..4096, position in 0_u64..Position::LIMIT, target in 0_u32..1 << 18,
        ) {
            let parts = LedgerIdParts {
                accepted: Timestamp::from_millis(millis),
                epoch: Epoch::new(epoch).unwrap(),
                position: Position::new(position).unwrap(),
                target,
            };
            let id = LedgerId::new(parts);
            prop_assert_eq!(id.parts(), parts);
            prop_assert_eq!(LedgerId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn ids_of_later_events_sort_later(a in 0_u64..1 << 40, step in 1_u64..1000, target in 0_u32..9) {
            let id = |position, target| LedgerId::new(LedgerIdParts {
                accepted: Timestamp::from_millis(1), epoch: Epoch(0), position: Position(position), target,
            });
            prop_assert!(id(a, target).to_string() < id(a + step, 0).to_string());
        }
    }

    #[test]
    fn names_follow_the_contract_s_pattern() {
        for good in ["crm", "301", "a.b_c-d", "émile", "日本語", &"x".repeat(255)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "a\n", "²", "a:b", "\u{301}", &"x".repeat(256)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_declared_id_is_shown_as_a_uuid_of_version_5() {
        // RFC 9562, A.4.
        let known = uuid_v5(Uuid::from_u128(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8), "www.example.com");
        assert_eq!(known.to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
        let shown = |id: &str| SubscriptionId::new(id).to_uuid();
        assert_eq!(shown("0198f0c2-1111-7000-8000-000000000000").to_string(), "0198f0c2-1111-7000-8000-000000000000");
        assert_eq!(shown("crm-accounts").get_version_num(), 5);
        assert_eq!(shown("crm-accounts"), shown("crm-accounts"));
        assert_ne!(shown("crm-accounts"), shown("crm-account"));
    }

    #[test]
    fn only_version_7_is_a_ledger_id() {
        assert!(LedgerId::parse("0198f0c2-1111-7000-8000-000000000000").is_some());
        for bad in ["", "0198f0c2-1111-4000-8000-000000000000", "0198f0c211117000800000000000000", "x"] {
            assert_eq!(LedgerId::parse(bad), None, "{bad}");
        }
    }
}
