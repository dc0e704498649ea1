//! Numbers drawn from a seed.

use tidings::base::random::{Random, SeededRandomness};

/// A number below `bound`, which is not 0.
pub(crate) fn below(random: &SeededRandomness, bound: u32) -> u32 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    // The bias is of no importance with bounds this small.
    u32::from_le_bytes(bytes) % bound
}
