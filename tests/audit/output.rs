//! Outputs that come to an end, go away or fail, and the runs that come after one another.

use std::fs;
use std::path::Path;

use tidings::base::audit::{HeadFile, OpenError, Opening, Output};

use crate::trails::{Memory, change, head, lines, open, open_on, refusal, report, sound, trail, values};

/// One run that writes these changes; whether it is stopped in order.
async fn run(output: &Output, data_dir: &Path, objects: &[&str], stopped: bool) {
    let trail = trail();
    let keeper = open(&trail, output, data_dir);
    for object in objects {
        trail.record(change(object)).await;
    }
    if stopped {
        keeper.close().unwrap();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_recorded_line_is_written_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let (trail, output) = (trail(), Output::File(path.clone()));
    let keeper = open(&trail, &output, folder.path());
    trail.record(change("a")).await;
    assert!(read(&path).contains("\"object\":\"a\""));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
    keeper.close().unwrap();
}

#[tokio::test]
async fn the_chain_goes_on_over_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let output = Output::File(path.clone());
    run(&output, folder.path(), &["a"], true).await;
    run(&output, folder.path(), &["b"], false).await;
    run(&output, folder.path(), &[], true).await;
    let found = sound(read(&path), head(folder.path()));
    assert_eq!(values(&read(&path), "last_run"), ["none", "stopped", "broken-off"]);
    assert_eq!(found.remarks.len(), 1, "{found:?}");
    assert_eq!(found.last.unwrap().seq, 7);
}

#[tokio::test]
async fn a_line_that_a_crash_cut_short_is_closed_off_and_no_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let output = Output::File(path.clone());
    let head_file = HeadFile::path_in(folder.path());
    run(&output, folder.path(), &["a"], false).await;
    let (before, noted) = (read(&path), fs::read(&head_file).unwrap());
    run(&output, folder.path(), &["b"], false).await;
    let after = read(&path);
    let line = after[before.len()..].lines().next().unwrap();
    for cut in (0..line.len()).step_by(9).chain([1, line.len() - 1, line.len()]) {
        fs::write(&path, format!("{before}{}", &line[..cut])).unwrap();
        fs::write(&head_file, &noted).unwrap();
        run(&output, folder.path(), &["c"], true).await;
        let found = sound(read(&path), head(folder.path()));
        let whole = cut == line.len();
        assert_eq!(found.skipped, u64::from(cut > 0 && !whole), "cut at {cut}");
        assert_eq!(found.lines, if whole { 6 } else { 5 }, "cut at {cut}");
        let torn = values(&read(&path), "torn");
        assert_eq!(torn, if cut > 0 && !whole { vec![cut.to_string()] } else { Vec::new() });
        assert_eq!(values(&read(&path), "unconfirmed"), if whole { &["1"][..] } else { &[] });
    }
}

#[tokio::test]
async fn what_is_taken_away_or_added_between_runs_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let output = Output::File(path.clone());
    run(&output, folder.path(), &["a", "b"], true).await;
    let whole = read(&path);
    let shorter = whole.lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!(report(&shorter, head(folder.path())).broken, 1);
    fs::write(&path, &shorter).unwrap();
    run(&output, folder.path(), &[], true).await;
    let found = report(read(&path), head(folder.path()));
    assert_eq!((found.broken, found.breaks[0].line), (1, 3), "{found:?}");

    // Somebody writes a line that fits, as only who knows the form can.
    let other = tempfile::tempdir().unwrap();
    run(&output, other.path(), &[], true).await;
    run(&output, folder.path(), &[], true).await;
    let found = report(read(&path), head(folder.path()));
    assert_eq!(found.broken, 2, "{found:?}");
    assert!(found.breaks[1].what.contains("were not there when the appliance had stopped"), "{found:?}");
}

#[tokio::test]
async fn a_rotated_file_is_followed_by_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let (trail, output) = (trail(), Output::File(path.clone()));
    let keeper = open(&trail, &output, folder.path());
    let old = |number: u32| folder.path().join(format!("audit.log.{number}"));
    trail.record(change("a")).await;
    // As logrotate does it without and with `create`.
    fs::rename(&path, old(1)).unwrap();
    trail.record(change("b")).await;
    fs::rename(&path, old(2)).unwrap();
    fs::write(&path, "").unwrap();
    trail.record(change("c")).await;
    keeper.close().unwrap();
    // And while nobody writes.
    fs::rename(&path, old(3)).unwrap();
    run(&output, folder.path(), &["d"], true).await;
    let parts = [read(&old(1)), read(&old(2)), read(&old(3)), read(&path)];
    assert_eq!(parts.each_ref().map(|part| lines(part).len()), [2, 1, 2, 3]);
    for part in &parts {
        sound(part, None);
    }
    sound(parts.concat(), head(folder.path()));
    assert_eq!(report(parts[..2].concat() + &parts[3], None).broken, 1);
}

#[tokio::test]
async fn a_folder_that_goes_away_loses_nothing_if_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let (trail, output) = (trail(), Output::File(logs.join("audit.log")));
    let keeper = open(&trail, &output, folder.path());
    trail.record(change("a")).await;
    fs::rename(&logs, folder.path().join("old")).unwrap();
    trail.record(change("b")).await;
    assert!(trail.trouble().unwrap().contains("No such file"), "{:?}", trail.trouble());
    fs::create_dir(&logs).unwrap();
    keeper.close().unwrap();
    assert_eq!((trail.trouble(), trail.lost()), (None, 0));
    let whole = read(&folder.path().join("old/audit.log")) + &read(&logs.join("audit.log"));
    assert_eq!(sound(whole, head(folder.path())).lines, 4);
}

#[tokio::test]
async fn an_output_that_fails_anywhere_and_recovers_has_every_line_once() {
    let mut length = 1;
    let mut room = 0;
    while room <= length {
        let folder = tempfile::tempdir().unwrap();
        let (trail, memory) = (trail(), Memory::default());
        memory.room(Some(room));
        let keeper = open_on(&trail, &memory, folder.path());
        trail.record(change("a")).await;
        trail.record(change("b")).await;
        memory.room(None);
        keeper.close().unwrap();
        let text = memory.text();
        length = length.max(text.len());
        let found = sound(&text, head(folder.path()));
        assert_eq!((found.lines, trail.lost()), (4, 0), "room for {room} bytes: {text}");
        room += 7;
    }
}

#[tokio::test]
async fn what_cannot_be_written_at_all_is_counted_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, memory) = (trail(), Memory::default());
    let keeper = open_on(&trail, &memory, folder.path());
    trail.record(change("first")).await;
    memory.room(Some(0));
    // Nobody waits while nothing can be written.
    for _ in 0..6000 {
        trail.record(change("x")).await;
    }
    assert!(trail.trouble().is_some());
    let lost = trail.lost();
    assert!((1000..2000).contains(&lost), "{lost}");
    memory.room(None);
    keeper.close().unwrap();
    let text = memory.text();
    let found = sound(&text, head(folder.path()));
    assert_eq!((trail.trouble(), trail.lost()), (None, lost));
    assert_eq!(lines(&text).iter().filter(|line| line["object"] == "x").count() as u64, 6000 - lost);
    assert_eq!(values(&text, "count"), [lost.to_string()]);
    assert_eq!(found.remarks.len(), 1, "{found:?}");
}

#[tokio::test]
async fn an_output_that_never_recovers_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, memory) = (trail(), Memory::default());
    memory.room(Some(0));
    let keeper = open_on(&trail, &memory, folder.path());
    trail.record(change("x")).await;
    assert!(keeper.close().unwrap_err().contains("could not be written"));
    // The run's first line, and the change.
    assert_eq!(trail.lost(), 2);
    trail.record(change("y")).await;
    trail.refused(refusal("z"));
    assert_eq!(trail.lost(), 4);
}

#[tokio::test]
async fn a_flood_of_refusals_is_few_lines_with_exact_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (trail, memory) = (trail(), Memory::default());
    let keeper = open_on(&trail, &memory, folder.path());
    for n in 0..20_000 {
        trail.refused(refusal(if n % 2 == 0 { "expired" } else { "unknown" }));
        if n % 1000 == 0 {
            trail.record(change("x")).await;
        }
    }
    keeper.close().unwrap();
    let text = memory.text();
    sound(&text, head(folder.path()));
    let refused: Vec<_> = lines(&text).into_iter().filter(|line| line["action"] == "authenticate").collect();
    let count = refused.iter().map(|line| line["repeated"].as_u64().unwrap_or(1)).sum::<u64>();
    assert_eq!((count, trail.lost()), (20_000, 0));
    assert_eq!(lines(&text).iter().filter(|line| line["object"] == "x").count(), 20);
}

#[tokio::test]
async fn where_the_output_is_a_journal_a_crash_is_a_seam() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::default();
    let first = trail();
    let keeper = open_on(&first, &memory, folder.path());
    first.record(change("a")).await;
    let noted = fs::read(HeadFile::path_in(folder.path())).unwrap();
    first.record(change("b")).await;
    drop(keeper);
    // The last of the head was lost with the power.
    fs::write(HeadFile::path_in(folder.path()), noted).unwrap();
    let second = trail();
    let keeper = open_on(&second, &memory, folder.path());
    keeper.close().unwrap();
    let found = sound(memory.text(), head(folder.path()));
    assert!(found.remarks.iter().any(|remark| remark.what.contains("goes on 1 lines earlier")), "{found:?}");
    // The same after a run that says it was stopped is none.
    let claimed = memory.text().replace("broken-off", "stopped");
    assert!(report(claimed, None).broken > 0);
}

#[tokio::test]
async fn two_appliances_do_not_write_one_trail() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = Output::File(one.path().join("audit.log"));
    let (first, second) = (trail(), trail());
    let keeper = open(&first, &output, one.path());
    let refused = second.open(&Opening { output: &output, data_dir: two.path(), version: "1" });
    assert!(matches!(refused, Err(OpenError::InUse(_))));
    keeper.close().unwrap();
    open(&second, &output, two.path()).close().unwrap();
}

#[test]
fn an_output_that_cannot_be_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::File(folder.path().join("missing/audit.log"));
    let refused = trail().open(&Opening { output: &output, data_dir: folder.path(), version: "1" });
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("missing/audit.log") && text.contains("audit.output"), "{text}");
}
