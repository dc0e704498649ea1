//! Tests of the circuit of an endpoint.

use super::*;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

const FAULT: Fault<'_> = Fault { text: "503", probe: false, ordering: Ordering::Relaxed };
const PROBE: Fault<'_> = Fault { probe: true, ..FAULT };

/// No jitter: the middle of what is drawn.
struct Even;

impl Random for Even {
    fn fill(&self, out: &mut [u8]) {
        out.copy_from_slice(&(u32::MAX / 2).to_le_bytes()[..out.len()]);
    }
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn after(count: u64) -> Timestamp {
    START.plus(secs(count))
}

fn close_to(at: Option<Timestamp>, wanted: Timestamp) -> bool {
    at.is_some_and(|at| (at.as_millis() - wanted.as_millis()).abs() <= 1)
}

/// A circuit that has just opened at START.
fn open() -> Circuit {
    let mut circuit = Circuit::default();
    for _ in 1..FAULTS {
        assert_eq!(circuit.fault(START, &FAULT, &Even), Change::None);
    }
    assert_eq!(circuit.fault(START, &FAULT, &Even), Change::Opened);
    circuit
}

#[test]
fn five_faults_in_a_row_open_it_and_a_success_begins_the_count_anew() {
    let mut circuit = Circuit::default();
    for _ in 0..10 {
        for _ in 1..FAULTS {
            assert_eq!(circuit.fault(START, &FAULT, &Even), Change::None);
        }
        assert!(circuit.is_doubtful());
        assert_eq!(circuit.answered(START, true, false), Change::None);
        assert!(!circuit.is_doubtful() && circuit.standing().failing_since.is_none());
    }
    let standing = open().standing;
    assert_eq!((standing.failures, standing.failing_since), (FAULTS, Some(START)));
    assert_eq!(standing.last_fault.as_deref(), Some("503"));
    let hold = standing.hold.unwrap();
    assert_eq!((hold.reason, hold.since, hold.probes), (HoldReason::CircuitOpen, START, 0));
    assert!(close_to(hold.probe_at, after(5)));
}

#[test]
fn in_strict_order_fewer_are_enough() {
    let fault = Fault { ordering: Ordering::Strict, ..FAULT };
    let mut circuit = Circuit::default();
    for _ in 1..FEW_FAULTS {
        assert_eq!(circuit.fault(START, &fault, &Even), Change::None);
    }
    assert_eq!(circuit.fault(START, &fault, &Even), Change::Opened);
}

#[test]
fn what_was_refused_for_itself_shows_that_the_endpoint_is_there() {
    let mut circuit = Circuit::default();
    for _ in 1..FAULTS {
        circuit.fault(START, &FAULT, &Even);
    }
    assert_eq!(circuit.answered(START, false, false), Change::None);
    assert_eq!((circuit.standing().failures, circuit.standing().last_success), (0, None));
    assert_eq!(open().answered(START, false, false), Change::Closed);
}

#[test]
fn probes_come_after_pauses_that_double_up_to_five_minutes() {
    let mut circuit = open();
    let mut now = START;
    for wanted in [5, 10, 20, 40, 80, 160, 300, 300, 300] {
        let probe_at = circuit.hold().unwrap().probe_at;
        assert!(close_to(probe_at, now.plus(secs(wanted))), "{wanted}: {probe_at:?}");
        now = probe_at.unwrap();
        assert_eq!(circuit.fault(now, &PROBE, &Even), Change::ProbeFailed);
    }
    assert_eq!(circuit.hold().unwrap().probes, 9);
    assert_eq!(circuit.hold().unwrap().since, START, "it is one hold");
}

#[test]
fn faults_of_attempts_from_before_change_nothing_and_a_success_of_one_closes() {
    let mut circuit = open();
    let hold = circuit.hold().cloned();
    for _ in 0..100 {
        assert_eq!(circuit.fault(after(1), &FAULT, &Even), Change::None);
    }
    assert_eq!(circuit.hold().cloned(), hold);
    assert_eq!(circuit.answered(after(2), true, false), Change::Closed);
    let standing = circuit.standing();
    assert_eq!((standing.hold.is_none(), standing.recovered, standing.failures), (true, Some(after(2)), 0));
}

#[test]
fn a_ramp_that_fails_opens_again_sooner_and_for_longer() {
    let mut circuit = open();
    circuit.fault(after(5), &PROBE, &Even);
    circuit.answered(after(15), true, false);
    for _ in 1..FEW_FAULTS {
        assert_eq!(circuit.fault(after(20), &FAULT, &Even), Change::None);
    }
    assert_eq!(circuit.fault(after(20), &FAULT, &Even), Change::Opened);
    let hold = circuit.hold().unwrap();
    assert!(hold.since == after(20) && hold.probes == 0 && close_to(hold.probe_at, after(40)));
    // Behind the ramp it begins anew.
    circuit.answered(after(40), true, false);
    for _ in 1..FAULTS {
        assert_eq!(circuit.fault(after(110), &FAULT, &Even), Change::None);
    }
    assert_eq!(circuit.fault(after(110), &FAULT, &Even), Change::Opened);
    assert!(close_to(circuit.hold().unwrap().probe_at, after(115)));
}

#[test]
fn the_ramp_doubles_every_ten_seconds_and_ends() {
    for (at, wanted) in [(0, 1), (9, 1), (10, 2), (29, 4), (30, 8), (69, 64)] {
        let pace = pace(Some(START), after(at)).unwrap();
        assert_eq!((pace.in_flight, pace.rate.to_string()), (wanted, format!("{}/s", 10 * wanted)), "{at}");
    }
    assert_eq!(pace(Some(START), after(70)), None);
    assert_eq!(pace(Some(START), Timestamp::MAX), None);
    assert_eq!(pace(None, START), None);
    assert_eq!(pace(Some(after(5)), START), pace(Some(START), START), "a clock that was set back");
}

#[test]
fn who_is_gone_stays_so_until_somebody_resumes_it() {
    for mut circuit in [Circuit::default(), open()] {
        assert_eq!(circuit.gone(after(1), "410"), Change::Disabled);
        assert_eq!(circuit.gone(after(1), "410"), Change::None);
        assert_eq!(circuit.answered(after(1), true, false), Change::None);
        assert_eq!(circuit.fault(after(1), &FAULT, &Even), Change::None);
        assert_eq!(circuit.unable(after(1), "no secret"), Change::None);
        let hold = circuit.hold().unwrap();
        assert_eq!((hold.reason, hold.probe_at), (HoldReason::EndpointDisabled, None));
        circuit.probe_soon(after(2));
        assert_eq!(circuit.hold().unwrap().probe_at, None);
        assert_eq!(circuit.resume(after(3)), Change::Closed);
        assert_eq!((circuit.hold(), circuit.standing().recovered), (None, Some(after(3))));
    }
}

#[test]
fn resuming_ends_an_open_circuit_and_looks_for_a_secret_at_once() {
    let mut circuit = open();
    assert_eq!(circuit.resume(after(1)), Change::Closed);
    assert!(!circuit.is_doubtful());
    assert_eq!(circuit.resume(after(2)), Change::None, "nothing is held");
    let mut circuit = Circuit::default();
    assert_eq!(circuit.unable(START, "no secret"), Change::Unable);
    assert_eq!(circuit.hold().unwrap().probe_at, Some(after(60)));
    assert_eq!(circuit.resume(after(1)), Change::None);
    assert_eq!(circuit.hold().unwrap().probe_at, Some(after(1)));
    assert_eq!(circuit.unable(after(1), "no secret"), Change::None);
    assert_eq!(circuit.hold().unwrap().since, START);
}

#[test]
fn an_attempt_that_could_be_made_shows_that_there_is_a_secret_again() {
    let mut circuit = Circuit::default();
    circuit.unable(START, "no secret");
    assert_eq!(circuit.fault(after(1), &FAULT, &Even), Change::None, "it began before");
    assert_eq!(circuit.fault(after(60), &PROBE, &Even), Change::Closed);
    assert_eq!(circuit.standing().failures, 1);
    circuit.unable(after(61), "no secret");
    assert_eq!(circuit.answered(after(62), true, false), Change::None, "it began before");
    assert_eq!(circuit.answered(after(121), true, true), Change::Closed);
}

#[test]
fn a_row_is_worth_it_where_something_has_changed() {
    let kept = Standing { last_success: Some(START), ..Standing::default() };
    let at = |count| Standing { last_success: Some(after(count)), ..Standing::default() };
    assert!(!is_worth_keeping(&kept, &kept) && !is_worth_keeping(&kept, &at(59)));
    assert!(is_worth_keeping(&kept, &at(60)) && is_worth_keeping(&Standing::default(), &at(0)));
    assert!(is_worth_keeping(&kept, &Standing { failures: 1, ..kept.clone() }));
    let mut circuit = Circuit::default();
    circuit.unable(START, "no secret");
    let unable = circuit.standing().clone();
    circuit.unable(after(60), "no secret");
    assert!(!is_worth_keeping(&unable, circuit.standing()) && is_worth_keeping(&kept, &unable));
    circuit.gone(after(60), "410");
    assert!(is_worth_keeping(&unable, circuit.standing()));
}
