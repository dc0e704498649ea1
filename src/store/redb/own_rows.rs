//! What the rows of single notifications say of one endpoint, packed for start and `verify`.
//!
//! Where much is sent, each notification behind the settled point has such a row, and one dead endpoint keeps that point
//! back for days: so it is eight bytes for each, in order of position, and is walked along with the heads.

use super::account::Standing;
use super::record::{state_from_byte, state_to_byte};
use crate::model::notification::State;

/// Rising positions, each with what its row says. Of an open one there are none but that row.
#[derive(Debug, Default)]
pub(super) struct OwnRows {
    /// The position in the upper 60 bits, what its row says in the lower 4.
    packed: Vec<u64>,
    /// How many of them have been walked past.
    walked: usize,
    /// Those of them that no head has asked for.
    strays: Vec<u64>,
}

const BITS: u32 = 4;
const WAITING: u64 = 0;
const LEASED: u64 = 1;
/// And the state's byte on top.
const ENDED: u64 = 2;
const HELD: u64 = 15;

fn pack(position: u64, standing: Standing) -> u64 {
    let code = match standing {
        Standing::Waiting { .. } => WAITING,
        Standing::Leased => LEASED,
        Standing::Held => HELD,
        Standing::Ended(state) => ENDED + u64::from(state_to_byte(state)),
    };
    position << BITS | code
}

fn unpack(packed: u64) -> Standing {
    match packed & ((1 << BITS) - 1) {
        WAITING => Standing::Waiting { open: true },
        LEASED => Standing::Leased,
        HELD => Standing::Held,
        code => {
            let state = u8::try_from(code - ENDED).ok().and_then(|byte| state_from_byte(byte).ok());
            Standing::Ended(state.unwrap_or(State::Expired))
        }
    }
}

impl OwnRows {
    /// What is at `position`, in any order.
    pub(super) fn add(&mut self, position: u64, standing: Standing) {
        self.packed.push(pack(position, standing));
    }

    /// Puts all that was added in order. Of two rows of one notification the open one holds: that there are both is for
    /// `verify` to find.
    pub(super) fn sort(&mut self) {
        self.packed.sort_unstable();
        self.packed.dedup_by_key(|packed| *packed >> BITS);
        self.packed.shrink_to_fit();
    }

    /// Whether there is a row at `position`.
    pub(super) fn contains(&self, position: u64) -> bool {
        self.packed.binary_search_by_key(&position, |packed| *packed >> BITS).is_ok()
    }

    /// What the row at `position` says, if there is one. To be asked in rising order.
    pub(super) fn walk(&mut self, position: u64) -> Option<Standing> {
        while let Some(&packed) = self.packed.get(self.walked) {
            if packed >> BITS > position {
                return None;
            }
            self.walked += 1;
            if packed >> BITS == position {
                return Some(unpack(packed));
            }
            self.strays.push(packed >> BITS);
        }
        None
    }

    /// The positions that nobody has asked for.
    pub(super) fn strays(&self) -> impl Iterator<Item = u64> {
        let left = self.packed[self.walked..].iter().map(|packed| *packed >> BITS);
        self.strays.iter().copied().chain(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_walked_in_order_and_the_open_one_holds() {
        let mut rows = OwnRows::default();
        let last = crate::model::id::Position::LIMIT - 1;
        let states = State::ALL.map(Standing::Ended);
        for (position, standing) in (10..).zip(states) {
            rows.add(position, standing);
        }
        rows.add(last, Standing::Held);
        rows.add(12, Standing::Waiting { open: true });
        rows.add(3, Standing::Leased);
        rows.sort();
        assert!(rows.contains(3) && rows.contains(last) && !rows.contains(4));
        assert_eq!((rows.walk(2), rows.walk(4)), (None, None));
        for (position, standing) in (10..).zip(states).filter(|(position, _)| *position != 14) {
            let expected = if position == 12 { Standing::Waiting { open: true } } else { standing };
            assert_eq!(rows.walk(position), Some(expected), "{position}");
        }
        assert_eq!(rows.walk(100), None);
        assert_eq!(rows.strays().collect::<Vec<_>>(), [3, 14, last]);
        assert_eq!((rows.walk(last), rows.walk(last)), (Some(Standing::Held), None));
        assert_eq!(rows.strays().count(), 2);
    }
}
