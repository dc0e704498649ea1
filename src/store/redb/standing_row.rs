//! How an endpoint stands, as it is stored.

use serde::{Deserialize, Serialize};

use super::record::{hold_from_byte, hold_to_byte};
use crate::base::clock::Timestamp;
use crate::store::{EndpointHold, Standing, StoreError};

/// How an endpoint stands. Instants are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StandingRow {
    /// Reason, since when, next probe, probes in vain.
    hold: Option<(u8, i64, Option<i64>, u32)>,
    failures: u32,
    failing_since: Option<i64>,
    last_fault: Option<String>,
    last_success: Option<i64>,
    recovered: Option<i64>,
}

impl StandingRow {
    pub(super) fn new(standing: &Standing) -> Self {
        let Standing { hold, failures, failing_since, last_fault, last_success, recovered } = standing;
        let millis = |at: &Option<Timestamp>| at.map(Timestamp::as_millis);
        let hold = hold.as_ref().map(|hold| {
            let EndpointHold { reason, since, probe_at, probes } = hold;
            (hold_to_byte(*reason), since.as_millis(), millis(probe_at), *probes)
        });
        Self {
            hold,
            failures: *failures,
            failing_since: millis(failing_since),
            last_fault: last_fault.as_deref().map(super::course::cut).map(str::to_owned),
            last_success: millis(last_success),
            recovered: millis(recovered),
        }
    }

    pub(super) fn into_standing(self) -> Result<Standing, StoreError> {
        let Self { hold, failures, failing_since, last_fault, last_success, recovered } = self;
        let instant = |at: Option<i64>| at.map(Timestamp::from_millis);
        let hold = hold.map(|(reason, since, probe_at, probes)| {
            let (reason, since) = (hold_from_byte(reason)?, Timestamp::from_millis(since));
            Ok::<_, StoreError>(EndpointHold { reason, since, probe_at: instant(probe_at), probes })
        });
        Ok(Standing {
            hold: hold.transpose()?,
            failures,
            failing_since: instant(failing_since),
            last_fault,
            last_success: instant(last_success),
            recovered: instant(recovered),
        })
    }
}
