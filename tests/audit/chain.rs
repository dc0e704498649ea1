//! That nothing can be changed, taken out, put in or moved unseen.

use tidings::base::audit::{Head, Report};

use crate::trails::{Memory, change, head, lines, open_on, refusal, report, sound, trail};

/// A run of seven lines, and the head that was noted of it.
async fn sample() -> (String, Head) {
    let folder = tempfile::tempdir().unwrap();
    let (trail, memory) = (trail(), Memory::default());
    let keeper = open_on(&trail, &memory, folder.path());
    for object in ["a", "b", "c"] {
        trail.record(change(object)).await;
    }
    trail.refused(refusal("expired"));
    trail.refused(refusal("unknown"));
    keeper.close().unwrap();
    (memory.text(), head(folder.path()).unwrap())
}

#[tokio::test]
async fn a_sound_trail_is_one() {
    let (text, head) = sample().await;
    let found = sound(&text, Some(head));
    assert_eq!((found.lines, found.skipped, found.remarks), (7, 0, Vec::new()));
    assert_eq!((found.first.unwrap().seq, found.last.unwrap().seq), (1, 7));
    let actions: Vec<_> = lines(&text).iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect();
    let change = "subscription.create";
    let expected = ["appliance.start", change, change, change, "authenticate", "authenticate", "appliance.stop"];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn every_changed_byte_shows() {
    let (text, head) = sample().await;
    let first_line = text.find('\n').unwrap() + 1;
    let last_line = text.trim_end().rfind('\n').unwrap() + 1;
    for index in 0..text.len() - 1 {
        for flip in [1, 0x80] {
            let mut changed = text.clone().into_bytes();
            changed[index] ^= flip;
            let found = report(&changed, Some(head));
            // A first line that is no line any more is one that is missing, which is said.
            let shows = found.broken > 0 || found.first.unwrap().seq > 1 && !found.remarks.is_empty();
            assert!(shows, "byte {index} ^ {flip:x}");
            // Without what the appliance has noted, the last line is nobody's witness but its own.
            let witnessed = first_line..last_line - 1;
            assert!(!witnessed.contains(&index) || report(&changed, None).broken > 0, "byte {index} ^ {flip:x}");
        }
    }
}

#[tokio::test]
async fn lines_that_are_missing_put_in_or_moved_show_where_they_are() {
    let (text, head) = sample().await;
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    for at in 0..lines.len() {
        let mut missing = lines.clone();
        missing.remove(at);
        let found = report(joined(&missing), Some(head));
        // A first line that is missing is a trail that begins later: the file may have been rotated.
        assert_eq!(found.broken > 0, at > 0, "{at}: {found:?}");
        assert!(at == 0 || found.breaks[0].line == (at as u64 + 1).min(lines.len() as u64 - 1), "{at}: {found:?}");

        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        assert_eq!(report(joined(&twice), Some(head)).breaks[0].line, at as u64 + 2);

        for other in at + 1..lines.len() {
            let mut moved = lines.clone();
            moved.swap(at, other);
            assert!(report(joined(&moved), Some(head)).broken > 0, "{at} and {other}");
        }
        for forged in [lines[at].replace("ok", "no"), lines[at].replace("\"seq\":", "\"seq\":1")] {
            let mut more = lines.clone();
            more.insert(at + 1, &forged);
            assert!(report(joined(&more), Some(head)).broken > 0 || forged == lines[at], "{at}: {forged}");
        }
        assert_eq!(report(joined(&lines[..at]), Some(head)).broken, 1, "cut off at {at}");
    }
}

#[tokio::test]
async fn what_is_no_line_of_ours_is_counted_and_passed_over() {
    let (text, head) = sample().await;
    let long = "x".repeat(200_000);
    let noise = format!("\u{fffd}{long}\nINFO ready\n\n{{\"a\":1}}\n");
    let journal = noise.clone() + &text.replace('\n', &format!("\n{noise}"));
    let found = sound(journal.trim_end(), Some(head));
    assert_eq!((found.lines, found.skipped), (7, 24));
    assert_eq!(found.first.unwrap().line, 5);
    assert_eq!(report("", None), Report::default());
    assert_eq!(report("", Some(head)).broken, 1);
    let unending = format!("{{\"audit\":1,{}", "9".repeat(1 << 20));
    assert_eq!(report(unending, None).skipped, 1);
}

#[tokio::test]
async fn a_line_of_a_form_that_is_not_known_is_no_witness() {
    let (text, _) = sample().await;
    assert!(report(text.replace("{\"audit\":1,\"seq\":7", "{\"audit\":2,\"seq\":7"), None).broken > 0);
}
