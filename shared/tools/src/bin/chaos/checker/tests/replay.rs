use super::*;

/// A replay of the dead letters of [`valid_evidence`]: an invalid record, and one that the endpoint accepts now. A killed run
/// has written its letter twice.
fn valid_replay() -> Replay {
    let first = valid_evidence();
    let mut dead_letters = first.dead_letters;
    dead_letters.push(dead_letters[1].clone());
    dead_letters[2].place = (0, 9);
    let rejected = first.topic[4].value.clone().unwrap();
    let report = |delivered: i64| json!({"totals": {"delivered": delivered, "dead_lettered": 1, "deferred": 0}});
    Replay {
        name: "replay".to_owned(),
        evidence: Evidence {
            topic: first.topic,
            dead_letters,
            received: vec![
                received("A", rejected.clone(), "c/t/0/4"),
                received("A", rejected, "c/t/0/4"),
            ],
            runs: vec![Run::default()],
            reports: vec![report(2), report(0)],
            ..Evidence::default()
        },
        earlier: first.received,
        requests_again: 0,
        has_written: false,
    }
}

#[test]
fn passes_a_valid_replay() {
    let verdict = check_replay(&valid_replay());
    assert!(verdict.is_pass(), "{verdict:?}");
}

#[test]
fn reports_a_replay_that_is_wrong() {
    let falsify: [fn(&mut Replay); 9] = [
        |replay| replay.evidence.received.clear(),
        |replay| {
            for received in &mut replay.evidence.received {
                received.accepted = false;
            }
        },
        |replay| replay.earlier[2].key = "other".to_owned(),
        |replay| {
            replay.evidence.dead_letters.truncate(1);
        },
        |replay| {
            let third = replay.evidence.received[0].clone();
            replay.evidence.received.push(third);
        },
        |replay| replay.requests_again = 1,
        |replay| replay.has_written = true,
        |replay| replay.evidence.reports[1]["totals"]["delivered"] = json!(1),
        |replay| replay.evidence.reports[0]["totals"]["dead_lettered"] = json!(2),
    ];
    for (index, falsify) in falsify.into_iter().enumerate() {
        let mut replay = valid_replay();
        falsify(&mut replay);
        assert!(check_replay(&replay).replays.count > 0, "{index}");
    }
}

#[test]
fn allows_the_repeats_of_a_killed_replay_and_of_a_cut_response() {
    let mut replay = valid_replay();
    let third = replay.evidence.received[0].clone();
    replay.evidence.received.push(third);
    replay.evidence.runs[0].allowed_repeats = 1;
    assert!(check_replay(&replay).is_pass());
    replay.evidence.runs[0].allowed_repeats = 0;
    replay.evidence.received[0].cut_short = true;
    assert!(check_replay(&replay).is_pass());
}
