//! What the machine does with a clock, step by step.

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const LEAP: Duration = Duration::from_mins(10);
const NOON: i64 = 1_800_000_000_000;

/// A machine with its clocks and the latest time that it gave out.
struct House {
    keeper: Timekeeper,
    wall: i64,
    ticks: i64,
    synchronised: Option<bool>,
    last: Timestamp,
}

impl House {
    fn new(synchronised: Option<bool>) -> Self {
        let reading = Reading { wall: at(NOON), monotonic: Duration::ZERO };
        let keeper = Timekeeper::start(reading, None, false, LEAP, synchronised);
        Self { keeper, wall: NOON, ticks: 0, synchronised, last: at(NOON) }
    }

    fn reading(&self) -> Reading {
        Reading { wall: at(self.wall), monotonic: Duration::from_millis(self.ticks.unsigned_abs()) }
    }

    fn go_on(&mut self, millis: i64) -> &mut Self {
        self.wall += millis;
        self.ticks += millis;
        self
    }

    fn leap(&mut self, millis: i64) -> &mut Self {
        self.wall += millis;
        self
    }

    fn look(&mut self) -> (Timestamp, Option<Change>) {
        let answer = self.keeper.look(self.reading(), self.last, || self.synchronised);
        self.last = answer.0;
        answer
    }

    fn accept(&mut self) -> (Timestamp, Option<Change>) {
        let answer = self.keeper.accept(self.reading(), self.last);
        self.last = answer.0;
        answer
    }

    /// Stops, is off for a while and starts again, as a machine that is switched on then.
    fn restart(&mut self, off: i64) -> &mut Self {
        let doubted = self.keeper.doubted().is_some();
        self.wall += off;
        self.ticks = 7;
        self.keeper = Timekeeper::start(self.reading(), Some(self.last), doubted, LEAP, self.synchronised);
        self
    }

    fn ledger(&mut self) -> i64 {
        self.look().0.as_millis() - NOON
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn cause(change: Option<Change>) -> Option<Cause> {
    match change {
        Some(Change::Doubted(doubt)) => Some(doubt.cause),
        _ => None,
    }
}

#[test]
fn both_sides_of_the_limit_forward_and_back() {
    for (by, doubted) in
        [(10 * MINUTE, false), (10 * MINUTE + 1, true), (-10 * MINUTE, false), (-10 * MINUTE - 1, true)]
    {
        let mut house = House::new(Some(false));
        house.go_on(HOUR).look();
        let (time, change) = house.leap(by).look();
        assert_eq!(cause(change).is_some(), doubted, "{by}");
        let expected = if doubted || by < 0 { HOUR } else { HOUR + by };
        assert_eq!(time, at(NOON + expected), "{by}");
    }
}

#[test]
fn both_sides_of_the_day_at_a_start() {
    for (off, doubted) in [(24 * HOUR, false), (24 * HOUR + 1, true), (-10 * MINUTE, false), (-10 * MINUTE - 1, true)] {
        let mut house = House::new(None);
        house.go_on(SECOND).look();
        house.restart(off);
        assert_eq!(house.keeper.doubted().is_some(), doubted, "{off}");
        let expected = if doubted || off < 0 { SECOND } else { SECOND + off };
        assert_eq!(house.ledger(), expected, "{off}");
    }
}

#[test]
fn in_doubt_time_goes_on_by_the_monotonic_clock_and_what_looks_expired_is_withheld() {
    let mut house = House::new(None);
    let (time, change) = house.go_on(HOUR).leap(48 * HOUR).look();
    assert_eq!(cause(change), Some(Cause::LeaptForward(Duration::from_hours(48))));
    assert_eq!(time, at(NOON + HOUR));
    assert_eq!(house.keeper.withheld_to(house.reading()), Some(at(NOON + 49 * HOUR)));
    let (time, change) = house.go_on(3 * HOUR).look();
    assert_eq!((time, change), (at(NOON + 4 * HOUR), None));
    assert_eq!(house.keeper.withheld_to(house.reading()), Some(at(NOON + 52 * HOUR)));
}

#[test]
fn a_wall_clock_that_agrees_again_is_trusted() {
    let mut house = House::new(None);
    house.leap(48 * HOUR).look();
    let (time, change) = house.go_on(HOUR).leap(-48 * HOUR + 9 * MINUTE).look();
    assert_eq!(change, Some(Change::Trusted(Trust::Agrees)));
    assert_eq!(time, at(NOON + HOUR + 9 * MINUTE));
    assert_eq!(house.keeper.withheld_to(house.reading()), None);
}

#[test]
fn after_a_start_in_doubt_a_clock_set_right_agrees_however_long_the_machine_was_off() {
    let mut house = House::new(None);
    house.go_on(SECOND).look();
    house.restart(1000 * HOUR).go_on(MINUTE);
    assert_eq!(house.ledger(), SECOND + MINUTE);
    // It was off for five hours in truth.
    let (time, change) = house.leap(-995 * HOUR).look();
    assert_eq!(change, Some(Change::Trusted(Trust::Agrees)));
    assert_eq!(time, at(NOON + SECOND + MINUTE + 5 * HOUR));
}

#[test]
fn a_synchronised_clock_may_leap_and_ends_a_doubt() {
    let mut house = House::new(Some(true));
    assert_eq!(house.leap(48 * HOUR).look().1, None);
    assert_eq!(house.ledger(), 48 * HOUR);
    house.restart(48 * HOUR);
    assert_eq!(house.ledger(), 96 * HOUR);
    house.synchronised = Some(false);
    assert!(cause(house.leap(48 * HOUR).look().1).is_some());
    house.synchronised = Some(true);
    assert_eq!(house.look().1, Some(Change::Trusted(Trust::Synchronised)));
    assert_eq!(house.ledger(), 144 * HOUR);
}

#[test]
fn a_wall_clock_accepted_after_a_leap_back_is_waited_for_at_half_the_pace() {
    let mut house = House::new(None);
    house.go_on(10 * HOUR).leap(-2 * HOUR).look();
    // In doubt at the full pace.
    assert_eq!(house.go_on(HOUR).ledger(), 11 * HOUR);
    assert_eq!(house.accept().1, Some(Change::Trusted(Trust::Accepted)));
    for _ in 0..2 * 3600 {
        house.go_on(SECOND).look();
    }
    assert_eq!((house.wall - NOON, house.ledger()), (11 * HOUR, 12 * HOUR));
    assert_eq!(house.go_on(2 * HOUR).ledger(), 13 * HOUR);
    // Caught up.
    assert_eq!(house.go_on(HOUR).ledger(), 14 * HOUR);
    assert_eq!(house.wall - NOON, 14 * HOUR);
}

#[test]
fn the_half_pace_is_kept_however_often_somebody_looks() {
    let mut house = House::new(Some(true));
    house.leap(-HOUR).look();
    for _ in 0..1000 {
        house.go_on(1).look();
    }
    assert_eq!(house.ledger(), 500);
}

#[test]
fn a_doubt_outlives_a_restart_on_the_same_day() {
    let mut house = House::new(None);
    house.leap(5 * HOUR).look();
    house.restart(MINUTE);
    assert_eq!(house.keeper.doubted().map(|d| d.cause), Some(Cause::AheadAtStart(Duration::from_mins(301))));
    assert_eq!(house.ledger(), 0);
    house.leap(-5 * HOUR);
    assert_eq!(house.ledger(), MINUTE);
    assert!(house.keeper.doubted().is_none());
}

#[test]
fn a_cause_is_told_in_words() {
    let words = Cause::LeaptForward(Duration::from_millis(172_800_123)).to_string();
    assert_eq!(words, "it leapt forward by 48h");
    let words = Cause::BehindAtStart(Duration::from_secs(3_601)).to_string();
    assert_eq!(words, "at the start it was 1h 1s before the last commit");
}

#[derive(Clone, Debug)]
enum Step {
    GoOn(i64),
    Leap(i64),
    Look,
    Accept,
    Restart(i64),
    Synchronise(Option<bool>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let by = prop_oneof![-30 * MINUTE..30 * MINUTE, -4000 * HOUR..4000 * HOUR, -SECOND..SECOND];
    let step = prop_oneof![
        4 => prop_oneof![0..5 * SECOND, 0..3 * HOUR].prop_map(Step::GoOn),
        2 => by.clone().prop_map(Step::Leap),
        4 => Just(Step::Look),
        1 => Just(Step::Accept),
        1 => by.prop_map(Step::Restart),
        1 => prop_oneof![Just(None), Just(Some(false)), Just(Some(true))].prop_map(Step::Synchronise),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Takes the step, and says what the time was before and is now, and how much time has gone by.
fn take(house: &mut House, step: &Step) -> Option<(Timestamp, Option<Change>)> {
    match *step {
        Step::GoOn(by) => drop(house.go_on(by)),
        Step::Leap(by) => drop(house.leap(by)),
        Step::Look => return Some(house.look()),
        Step::Accept => return Some(house.accept()),
        Step::Restart(_) => {}
        Step::Synchronise(synchronised) => house.synchronised = synchronised,
    }
    None
}

proptest! {
    #[test]
    fn time_never_goes_back_and_nothing_ends_in_doubt(synchronised in any::<Option<bool>>(), steps in steps()) {
        let mut house = House::new(synchronised);
        let (mut seen, mut ticks) = (house.last, 0);
        for step in &steps {
            let (before, doubted) = (house.last, house.keeper.doubted().is_some());
            if let Step::Restart(off) = step {
                // A stop commits, and so does a start.
                house.look();
                house.restart(*off).look();
                prop_assert!(house.last >= before);
                (seen, ticks) = (house.last, house.ticks);
                continue;
            }
            let glanced = house.keeper.glance(house.reading());
            let Some((time, change)) = take(&mut house, step) else { continue };
            prop_assert!(time >= before);
            let (gone_by, advanced) = (house.ticks - ticks, time.as_millis() - seen.as_millis());
            prop_assert!(advanced >= gone_by / 2, "{advanced} in {gone_by}");
            let in_doubt = house.keeper.doubted().is_some();
            if in_doubt && !doubted {
                // The last trusted moment, and the monotonic clock from there on.
                prop_assert!(matches!(change, Some(Change::Doubted(_))));
                prop_assert!(advanced <= gone_by, "{advanced} in {gone_by}");
                prop_assert_ne!(house.synchronised, Some(true));
            } else if in_doubt {
                prop_assert_eq!(advanced, gone_by);
                prop_assert_ne!(house.synchronised, Some(true));
                prop_assert_eq!(change, None);
            } else if house.wall >= time.as_millis() {
                prop_assert_eq!(time, at(house.wall));
            }
            prop_assert_eq!(change.is_some(), in_doubt != doubted);
            if let (Some(glanced), Step::Look, None) = (glanced, step, change) {
                prop_assert_eq!(glanced.max(before), time);
            }
            (seen, ticks) = (time, house.ticks);
        }
    }
}
