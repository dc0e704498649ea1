//! Tests of the target that endpoints share.

use super::*;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const QUICK: Duration = Duration::from_millis(20);

/// No jitter: the middle of what is drawn.
struct Even;

impl Random for Even {
    fn fill(&self, out: &mut [u8]) {
        out.copy_from_slice(&(u32::MAX / 2).to_le_bytes()[..out.len()]);
    }
}

fn after(secs: u64) -> Timestamp {
    START.plus(Duration::from_secs(secs))
}

fn turns(target: &Arc<TargetState>, now: Timestamp) -> Vec<Turn> {
    std::iter::from_fn(|| target.try_turn(now)).collect()
}

/// Makes one attempt and says what it found.
fn attempt(target: &Arc<TargetState>, finding: Finding<'_>, now: Timestamp) -> Option<TargetChange> {
    target.try_turn(now).unwrap().found(finding, QUICK, now, &Even)
}

/// Whole seconds from `from` until it rests no more.
fn rest(target: &TargetState, from: Timestamp) -> u64 {
    target.rests_until(from).map_or(0, |until| until.since(from).as_millis().div_ceil(1000).try_into().unwrap())
}

#[test]
fn there_are_as_many_turns_as_may_be() {
    let target = Arc::new(TargetState::new(3));
    let taken = turns(&target, START);
    assert_eq!(taken.len(), 3);
    drop(taken);
    assert_eq!(turns(&target, START).len(), 3);
    assert_eq!(turns(&Arc::new(TargetState::new(0)), START).len(), 1);
}

#[test]
fn who_is_tired_rests_longer_each_time_and_then_gets_one_at_a_time() {
    let target = Arc::new(TargetState::new(4));
    let mut now = START;
    for wanted in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(attempt(&target, Finding::Tired(None), now), None);
        assert_eq!(rest(&target, now), wanted);
        assert!(target.try_turn(now).is_none());
        now = target.rests_until(now).unwrap();
        assert_eq!(turns(&target, now).len(), 1);
    }
    for wanted in [2, 3, 4, 4] {
        attempt(&target, Finding::Works, now);
        assert_eq!(turns(&target, now).len(), wanted);
    }
}

#[test]
fn what_was_under_way_when_it_got_tired_counts_once() {
    let target = Arc::new(TargetState::new(8));
    let taken = turns(&target, START);
    for turn in &taken {
        turn.found(Finding::Tired(None), QUICK, START, &Even);
    }
    assert_eq!(rest(&target, START), 1);
    for turn in &taken[1..] {
        turn.found(Finding::Works, QUICK, START, &Even);
    }
    drop(taken);
    assert_eq!(turns(&target, after(1)).len(), 1);
}

#[test]
fn a_rest_that_was_asked_for_is_given_within_bounds() {
    for (asked, given) in [(0, 1), (1, 1), (30, 30), (300, 300), (86_400, 300)] {
        let target = Arc::new(TargetState::new(4));
        attempt(&target, Finding::Tired(Some(after(asked))), START);
        assert_eq!(rest(&target, START), given);
    }
}

#[test]
fn who_is_down_is_probed_after_pauses_that_double_and_rises_with_the_first_answer() {
    for answer in [Finding::Works, Finding::Answered, Finding::Tired(None)] {
        let target = Arc::new(TargetState::new(4));
        let taken = turns(&target, START);
        let down = Down { since: START, probes: 0, fault: "refused".to_owned() };
        assert_eq!(
            taken[0].found(Finding::Down("refused"), QUICK, START, &Even),
            Some(TargetChange::Fell(down.clone()))
        );
        assert_eq!(taken[1].found(Finding::Down("refused"), QUICK, START, &Even), None);
        assert_eq!(taken[2].found(Finding::Works, QUICK, START, &Even), None);
        drop(taken);
        let mut now = START;
        for (probes, pause) in (1..).zip([5, 10, 20, 40, 80, 160, 300, 300]) {
            assert_eq!(rest(&target, now), pause);
            now = target.rests_until(now).unwrap();
            let stayed = TargetChange::Stayed(Down { probes, ..down.clone() });
            assert_eq!(attempt(&target, Finding::Down("refused"), now), Some(stayed));
        }
        now = target.rests_until(now).unwrap();
        assert_eq!(attempt(&target, Finding::Nothing, now), None);
        assert!(matches!(attempt(&target, answer, now), Some(TargetChange::Rose(down)) if down.since == START));
        assert_eq!(target.down(), None);
    }
}

#[test]
fn who_takes_long_is_slow_and_who_is_new_may_be() {
    let target = Arc::new(TargetState::new(4));
    let mut taken = turns(&target, START);
    let paces: Vec<_> = taken.iter_mut().map(Turn::pace).collect();
    assert_eq!(paces, [TargetPace::New, TargetPace::Slow, TargetPace::Slow, TargetPace::Slow]);
    assert_eq!(taken[0].pace(), TargetPace::New, "it stays what it is");
    taken.remove(0);
    assert_eq!(target.try_turn(START).unwrap().pace(), TargetPace::New, "nothing was found out");
    drop(taken);
    attempt(&target, Finding::Works, START);
    let mut turn = target.try_turn(START).unwrap();
    assert!(turn.pace() == TargetPace::Quick && !target.is_slow());
    turn.found(Finding::Nothing, Duration::from_secs(15), START, &Even);
    assert!(target.is_slow() && turn.pace() == TargetPace::Slow);
    for _ in 0..10 {
        turn.found(Finding::Works, QUICK, START, &Even);
    }
    assert_eq!(turn.pace(), TargetPace::Quick);
}

#[test]
fn an_endpoint_leaves_half_to_others_where_there_are_others() {
    let target = TargetState::new(5);
    target.gain();
    assert_eq!(target.share(), 5);
    target.gain();
    assert_eq!(target.share(), 3);
    target.lose();
    assert_eq!(target.share(), 5);
    assert_eq!(TargetState::new(1).share(), 1);
}

#[tokio::test]
async fn turns_are_given_in_the_order_of_asking_and_surplus_ones_are_not() {
    let target = Arc::new(TargetState::new(2));
    let mut taken = turns(&target, START);
    let asking: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let target = target.clone();
                async move { target.turn().await }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(target.try_turn(START).is_none());
    taken[0].found(Finding::Tired(None), QUICK, START, &Even);
    taken.pop();
    tokio::task::yield_now().await;
    assert!(asking.iter().all(|asking| !asking.is_finished()), "there is one turn now, and it is taken");
    taken.pop();
    let mut asking = asking.into_iter();
    let mut first = asking.next().unwrap().await.unwrap();
    assert_eq!(first.begin(START), Begin::At(target.rests_until(START).unwrap()));
    assert_eq!(first.begin(after(1)), Begin::Now);
    drop(first);
    asking.next().unwrap().await.unwrap();
}
