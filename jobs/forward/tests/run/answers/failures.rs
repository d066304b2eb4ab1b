//! Answers that cannot be written, and runs that are killed.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::types::RDKafkaRespErr;

use super::*;

fn accepting(members: &str) -> AnswerStage {
    let endpoint = Endpoint::always(Answer::ok().body("stored")).unwrap();
    AnswerStage::new(endpoint, members, "")
}

#[test]
fn a_record_whose_answer_is_not_written_is_not_committed() {
    let stage = accepting(BOTH);
    stage.write(&["a"; 500]);
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    let broker = &stage.stage.broker;
    // The metadata at the start would have the error too.
    let (started, deadline) = (stage.command(&[]).spawn().unwrap(), Duration::from_secs(30));
    assert!(stage.stage.a.wait_for(1, deadline), "no request");
    broker.set_topic_error(SUCCESS, denied).unwrap();
    let run = Run::from_output(&wait(started, deadline));
    let none = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    broker.set_topic_error(SUCCESS, none).unwrap();
    let answered = stage_answers(&stage);
    assert_eq!(run.code, 74, "{:#}\n{}", run.report, run.log);
    assert_eq!(run.report["balanced"], true);
    assert_eq!(
        run.total("delivered"),
        answered.len() as i64,
        "{:#}",
        run.report
    );
    assert!(run.total("deferred") > 0);
    let notes = run.report["notes"].to_string();
    assert!(notes.contains("the answer to FrontDoorTopic/0@"), "{notes}");
    assert!(notes.contains("answers were not acknowledged"), "{notes}");
    // Only records with an answer are committed, and the run stops before it delivers all others.
    let committed = stage.committed();
    assert!((0..committed).all(|offset| answered.contains(&offset)));

    stage.run(&[]).assert(0, &json!({"deferred": 0}));
    assert_eq!(stage_answers(&stage).len(), 500);
    assert_same_keys(&stage, 500);
}

/// The offsets of the records with an answer.
fn stage_answers(stage: &AnswerStage) -> BTreeSet<i64> {
    let stored = stage.stored(SUCCESS);
    let offset = |stored| envelope(stored)["offset"].as_i64().unwrap();
    stored.iter().map(offset).collect()
}

/// Each record has one key, in requests and answers of all runs.
fn assert_same_keys(stage: &AnswerStage, records: usize) {
    let mut keys = BTreeMap::new();
    for stored in stage.stored(SUCCESS) {
        let answer = envelope(&stored);
        let key = answer["idempotency_key"].as_str().unwrap().to_owned();
        let known = keys
            .entry(answer["offset"].as_i64().unwrap())
            .or_insert(key.clone());
        assert_eq!(*known, key);
    }
    assert_eq!(keys.len(), records);
    let requests = stage.stage.a.requests();
    let sent: BTreeSet<&str> = requests
        .iter()
        .map(|request| request.header("idempotency-key").unwrap().trim_matches('"'))
        .collect();
    assert_eq!(sent, keys.values().map(String::as_str).collect());
}

#[test]
fn no_answer_of_a_run_with_a_denied_topic_is_committed() {
    let stage = accepting(&format!("success_topic: {SUCCESS}"));
    let broker = &stage.stage.broker;
    stage.write(&["a"; 100]);
    let too_old = RDKafkaRespErr::RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
    // Each produce request fails; metadata does not.
    broker.push_produce_errors(&[too_old; 1000]).unwrap();
    let run = stage.run(&[]);
    run.assert(74, &json!({"delivered": 0, "deferred": 100}));
    assert_eq!(run.report["routes"][0]["answers"], json!({"success": 0}));
    assert_eq!(stage.committed(), 0);
    assert!(stage.answers(SUCCESS).is_empty());
}

#[test]
fn a_dead_letter_whose_answer_is_not_written_is_not_committed() {
    let endpoint = Endpoint::always(Answer::status(422)).unwrap();
    let stage = AnswerStage::new(endpoint, &format!("error_topic: {ERROR}"), "");
    stage.write(&["a"]);
    let (error, none) = (
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
    );
    // The dead letter is written, its answer is not.
    stage
        .stage
        .broker
        .push_produce_errors(&[none, error])
        .unwrap();
    let run = stage.run(&[]);
    run.assert(74, &json!({"dead_lettered": 0, "deferred": 1}));
    assert_eq!(stage.stored(DEAD_LETTER_TOPIC).len(), 1);
    assert!(stage.answers(ERROR).is_empty());
    assert_eq!(stage.committed(), 0);

    stage.run(&[]).assert(10, &json!({"dead_lettered": 1}));
    assert_eq!(stage.answers(ERROR).len(), 1);
    assert_eq!(stage.committed(), 1);
}

#[test]
fn a_missing_topic_is_found_before_the_first_request() {
    let stage = accepting("success_topic: no.such.topic");
    stage.write(&["a"]);
    let run = stage.run(&[]);
    run.assert(74, &json!({"planned": 0}));
    let notes = run.report["notes"].to_string();
    assert!(
        notes.contains("no.such.topic, the success_topic of route"),
        "{notes}"
    );
    assert_eq!(stage.stage.a.count(), 0);
    let mut check = stage.command(&[]);
    let output = forward_check(&mut check);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("FAIL  answers") && text.contains("create it"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(74), "{text}");
    let topics = Topics::connect(stage.stage.broker.bootstrap()).unwrap();
    assert!(topics.watermarks("no.such.topic").unwrap().is_empty());
}

/// `forward check` with the environment of a run.
fn forward_check(run: &mut Command) -> Output {
    let environment = run
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut check = Command::new(env!("CARGO_BIN_EXE_forward"));
    check.env_clear().envs(environment).arg("check");
    check.output().unwrap()
}

#[test]
fn the_topics_of_the_job_are_refused_for_answers() {
    for (topic, other) in [
        (TOPIC, "KAFKA_TOPIC"),
        (DEAD_LETTER_TOPIC, "DEAD_LETTER_TOPIC"),
    ] {
        for member in ["success_topic", "error_topic"] {
            let stage = accepting(&format!("{member}: {topic}"));
            let output = stage.command(&[]).output().unwrap();
            let log = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{log}");
            assert!(
                log.contains(&format!("the {member} of route \"A\" is {other}")),
                "{log}"
            );
        }
    }
}

#[test]
fn every_committed_record_has_an_answer_after_a_kill() {
    const RECORDS: usize = 3_000;
    let endpoint = Endpoint::always(Answer::ok().body("stored").after(Duration::from_millis(2)));
    let stage = AnswerStage::new(endpoint.unwrap(), BOTH, "");
    stage.write(&vec!["a"; RECORDS]);
    let mut child = stage.command(&["--max-in-flight", "8"]).spawn().unwrap();
    let is_delivered = stage.stage.a.wait_for(1_000, Duration::from_secs(30));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_delivered, "{} requests", stage.stage.a.count());
    let (committed, answered) = (stage.committed(), stage_answers(&stage));
    assert!(committed > 0, "no commit before the kill");
    let missing = (0..committed).find(|offset| !answered.contains(offset));
    assert_eq!(missing, None, "of {committed} committed records");
    // A replay needs no membership, which the broker keeps for some time after the kill.
    let replay = stage.run(&["--window-start", "earliest"]);
    replay.assert(0, &json!({"delivered": RECORDS}));
    assert_eq!(stage_answers(&stage).len(), RECORDS);
    assert_same_keys(&stage, RECORDS);
}
