//! Rising positions, written as runs of equal distances: a page of neighbours takes two numbers.

use serde::{Deserialize, Serialize};

/// Positions in rising order: (distance from the one before, how many times), from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Runs(Vec<(u64, u32)>);

impl Runs {
    /// `positions` rise.
    pub(super) fn new(positions: impl IntoIterator<Item = u64>) -> Self {
        let mut runs: Vec<(u64, u32)> = Vec::new();
        let mut before = 0;
        for position in positions {
            let distance = position - before;
            before = position;
            match runs.last_mut() {
                Some((d, times)) if *d == distance => *times += 1,
                _ => runs.push((distance, 1)),
            }
        }
        Self(runs)
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = u64> {
        let steps = self.0.iter().flat_map(|&(distance, times)| std::iter::repeat_n(distance, times as usize));
        steps.scan(0_u64, |at, distance| {
            *at = at.saturating_add(distance);
            Some(*at)
        })
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.0.first().map(|(distance, _)| *distance)
    }

    pub(super) fn last(&self) -> Option<u64> {
        let end = self.0.iter().map(|&(distance, times)| distance.saturating_mul(times.into()));
        end.reduce(u64::saturating_add)
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|(_, times)| u64::from(*times)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_give_back_their_positions(
            gaps in proptest::collection::vec(1_u64..4, 0..1000), first in 0_u64..1 << 40,
        ) {
            let positions: Vec<u64> = gaps.iter().scan(first, |at, gap| { *at += gap; Some(*at) }).collect();
            let runs = Runs::new(positions.iter().copied());
            prop_assert_eq!(runs.positions().collect::<Vec<_>>(), positions.clone());
            prop_assert_eq!((runs.first(), runs.last()), (positions.first().copied(), positions.last().copied()));
            prop_assert_eq!(runs.count(), positions.len() as u64);
        }
    }
}
