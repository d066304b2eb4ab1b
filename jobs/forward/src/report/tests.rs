use std::collections::BTreeMap;

use super::*;
use crate::dead_letter::DeadLetterSample;

pub(crate) fn partition(partition: i32) -> PartitionReport {
    PartitionReport {
        partition,
        start: 100,
        end: 1_300,
        planned: 1_200,
        delivered: 1_000,
        skipped: 190,
        dead_lettered: 2,
        already_completed: 3,
        deferred: 4,
        empty_offsets: 1,
        committed: 1_296,
        lag_before: 1_200,
        lag_after: 4,
    }
}

pub(crate) fn route(name: &str, delivered: i64) -> RouteReport {
    RouteReport {
        route: name.to_owned(),
        url: format!("http://{name}/"),
        matched: delivered + 1,
        delivered,
        dead_lettered: 1,
        deferred: 0,
        attempts: 15,
        statuses: BTreeMap::from([(200, 10), (503, 2)]),
        timeouts: 3,
        connection_errors: 0,
        latency_ms: Latency::new(
            Duration::from_micros(1_500),
            Duration::from_millis(20),
            Duration::from_secs(2),
        ),
        latency_ranges_ms: Vec::new(),
        latency_sum_ms: None,
        state: RouteEnd::Open,
        retry_at: None,
        answers: None,
    }
}

pub(crate) fn report() -> RunReport {
    let identity = Identity {
        run: "r1".to_owned(),
        cluster: "c".to_owned(),
        topic: "orders".to_owned(),
        topic_id: None,
        group: "frontdoor".to_owned(),
    };
    RunReport::new(
        identity,
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
        Duration::from_millis(410),
        vec![partition(0), partition(1)],
        vec![route("A", 1_200), route("B", 800)],
        vec!["the broker keeps no commit metadata".to_owned()],
        Facts::default(),
    )
}

/// A report with markup of others in every text.
pub(crate) fn hostile() -> RunReport {
    let text = "<script>alert(1)</script> ` * _ [ ] | ~ # \" ' \u{1b}[2J\n</style></svg><img src=x onerror=a>\n|---|";
    let mut route = route(text, 5);
    route.url = text.to_owned();
    route.retry_at = Some(text.to_owned());
    RunReport {
        run: text.to_owned(),
        topic: text.to_owned(),
        group: text.to_owned(),
        cluster: text.to_owned(),
        started: text.to_owned(),
        ended: text.to_owned(),
        notes: vec![text.to_owned()],
        routes: vec![route],
        partitions: Vec::new(),
        oldest_deferred: Some(OldestDeferred {
            partition: 0,
            offset: 1,
            route: Some(text.to_owned()),
            timestamp: 2,
            age_seconds: 3,
        }),
        dead_letters: DeadLetterSummary {
            causes: [(text.to_owned(), 1)].into(),
            samples: vec![DeadLetterSample {
                partition: 1,
                offset: 42,
                cause: text.to_owned(),
                reason: text.to_owned(),
            }],
        },
        ..report()
    }
}

#[test]
fn adds_up_and_names_the_outcome() {
    let report = report();
    assert_eq!(report.totals.planned, 2_400);
    assert_eq!(report.totals.delivered, 2_000);
    assert!(report.balanced && report.balances());
    assert_eq!(report.outcome, RunOutcome::MoreWork);
    assert_eq!(report.exit_code, 12);
    assert_eq!(report.started, "1970-01-01T00:00:01.500Z");
    assert_eq!(report.ended, "1970-01-01T00:00:01.910Z");
}

#[test]
fn a_dry_run_ends_like_a_run_whose_endpoints_accept_every_record() {
    let outcome = |dead_lettered, deferred_by_route, unread| {
        let partition = PartitionReport {
            end: 10,
            planned: 10,
            skipped: 10 - dead_lettered - deferred_by_route - unread,
            dead_lettered,
            deferred: deferred_by_route + unread,
            ..PartitionReport::default()
        };
        let route = RouteReport {
            matched: deferred_by_route,
            deferred: deferred_by_route,
            ..RouteReport::default()
        };
        let facts = Facts {
            dry_run: true,
            ..Facts::default()
        };
        let (started, took) = (SystemTime::UNIX_EPOCH, Duration::ZERO);
        let (partitions, routes) = (vec![partition], vec![route]);
        let identity = Identity::default();
        RunReport::new(identity, started, took, partitions, routes, vec![], facts).outcome
    };
    assert_eq!(outcome(0, 4, 0), RunOutcome::Completed);
    assert_eq!(outcome(2, 4, 0), RunOutcome::CompletedWithDeadLetters);
    assert_eq!(outcome(2, 4, 1), RunOutcome::MoreWork);
}

#[test]
fn one_offset_that_is_not_accounted_for_is_an_internal_error() {
    for tilt in [
        |partitions: &mut Vec<PartitionReport>, _: &mut Vec<RouteReport>| {
            partitions[0].empty_offsets += 1
        },
        |partitions: &mut Vec<PartitionReport>, _: &mut Vec<RouteReport>| {
            partitions[0].empty_offsets -= 2;
            partitions[0].deferred += 2;
        },
        |partitions: &mut Vec<PartitionReport>, _: &mut Vec<RouteReport>| partitions[1].end += 1,
        |_: &mut Vec<PartitionReport>, routes: &mut Vec<RouteReport>| routes[0].matched += 1,
        |_: &mut Vec<PartitionReport>, routes: &mut Vec<RouteReport>| {
            routes[0].matched -= 1;
            routes[0].delivered -= 1;
        },
        |_: &mut Vec<PartitionReport>, routes: &mut Vec<RouteReport>| {
            let success = Some(routes[0].delivered - 1);
            routes[0].answers = Some(AnswerCounts {
                success,
                ..AnswerCounts::default()
            });
        },
    ] {
        let mut partitions = vec![partition(0), partition(1)];
        let mut routes = vec![route("A", 1_200), route("B", 800)];
        tilt(&mut partitions, &mut routes);
        let report = RunReport::new(
            Identity::default(),
            SystemTime::now(),
            Duration::ZERO,
            partitions,
            routes,
            Vec::new(),
            Facts::default(),
        );
        assert!(!report.balanced);
        assert_eq!(report.outcome, RunOutcome::Internal);
    }
}

#[test]
fn the_json_has_the_documented_names_in_the_documented_order() {
    let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "version",
            "run",
            "outcome",
            "exit_code",
            "started",
            "ended",
            "seconds",
            "cluster",
            "topic",
            "topic_id",
            "group",
            "totals",
            "balanced",
            "partitions",
            "routes",
            "dead_letters",
            "notes"
        ]
    );
    assert_eq!(json["outcome"], "more_work");
    assert_eq!(json["topic_id"], serde_json::Value::Null);
    assert_eq!(json["routes"][0]["statuses"]["503"], 2);
    assert_eq!(json["routes"][0]["latency_ms"]["p50"], 1.5);
    assert_eq!(json["routes"][0]["state"], "open");
    let read: RunReport = serde_json::from_value(json).unwrap();
    assert_eq!(read, report());
}

#[test]
fn a_saved_report_replaces_the_old_one_and_leaves_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    std::fs::write(&path, "old").unwrap();
    report().save(&path).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        report().json() + "\n"
    );
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    assert!(
        report()
            .save(&directory.path().join("none/report.json"))
            .is_err()
    );
    assert!(report().save(Path::new("/dev/null")).is_ok());
    assert!(!Path::new("/dev/null").is_file());
}
