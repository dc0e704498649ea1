//! The rows of OPEN and OUTCOMES as they were before anything was sent: version 1.

use serde::{Deserialize, Serialize};

use super::{OPEN, OUTCOME, RoundRow};
use crate::store::StoreError;
use crate::store::redb::record::decode_as;

pub(super) const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Past {
    rounds_before: u32,
    rounds: Vec<RoundRow>,
    pages: Vec<(u64, u32)>,
}

impl From<Past> for super::Past {
    fn from(Past { rounds_before, rounds, pages }: Past) -> Self {
        Self { rounds_before, rounds, pages, attempts: 0, delivered: false }
    }
}

#[derive(Serialize, Deserialize)]
struct OpenRow {
    deadline: i64,
    size: u64,
    handouts: u32,
    lease: Option<(i64, bool)>,
    past: Past,
}

pub(super) fn open(bytes: &[u8]) -> Result<super::OpenRow, StoreError> {
    let OpenRow { deadline, size, handouts, lease, past } = decode_as(VERSION, bytes, OPEN)?;
    Ok(super::OpenRow { deadline, size, handouts, lease, wait: None, past: past.into() })
}

#[derive(Serialize, Deserialize)]
struct OutcomeRow {
    state: u8,
    reason: String,
    at: i64,
    deadline: i64,
    handouts: u32,
    past: Past,
}

pub(super) fn outcome(bytes: &[u8]) -> Result<super::OutcomeRow, StoreError> {
    let OutcomeRow { state, reason, at, deadline, handouts, past } = decode_as(VERSION, bytes, OUTCOME)?;
    Ok(super::OutcomeRow { state, reason, at, deadline, handouts, past: past.into(), attempt: None })
}
