//! Windows that workers share: here, each task runs in a thread of the test.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use forward::program;
use forward::workers::{Workers, run_task};
use serde_json::Value;

use super::*;

type Attempt = dyn Fn(usize, &[u8]) -> Result<Vec<u8>, String> + Send + Sync;

/// Workers in this process, with slices of ten offsets. `attempt` gets the number of the task.
struct Threads {
    attempt: Arc<Attempt>,
    started: AtomicUsize,
    tasks: usize,
}

impl Threads {
    fn new(
        attempt: impl Fn(usize, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            attempt: Arc::new(attempt),
            started: AtomicUsize::new(0),
            tasks: 3,
        }
    }

    fn working() -> Self {
        Self::new(|_, task| execute(task))
    }
}

fn execute(task: &[u8]) -> Result<Vec<u8>, String> {
    run_task(task).map_err(|error| error.to_string())
}

impl Workers for Threads {
    fn tasks(&self) -> Result<usize, String> {
        Ok(self.tasks)
    }

    fn slice_offsets(&self) -> Result<Option<i64>, String> {
        Ok(Some(10))
    }

    fn execute(&self, task: &[u8]) -> Result<Vec<u8>, String> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (attempt, task) = (Arc::clone(&self.attempt), task.to_vec());
        // A thread of its own, as a process on another machine.
        let task = std::thread::spawn(move || attempt(number, &task));
        task.join().unwrap()
    }

    fn cancel(&self) {}
}

/// Runs a window that the workers share, and returns its report.
fn shared(stage: &Stage, workers: &Threads, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let (a, b) = (stage.a.url(), stage.b.url());
    let arguments = [
        "frontdoor-spark",
        "run",
        "--kafka-bootstrap-servers",
        stage.broker.bootstrap(),
        "--api-type-a-url",
        &a,
        "--api-type-b-url",
        &b,
        "--circuit-cool-down",
        "50ms",
        "--backoff-initial",
        "20ms",
        "--report",
        path.to_str().unwrap(),
    ];
    let arguments = arguments.iter().chain(more).map(|text| (*text).into());
    let code = program::main(arguments, Some(workers));
    let report = std::fs::read(&path).unwrap_or_default();
    Run {
        code: code.into(),
        report: serde_json::from_slice(&report).unwrap_or(Value::Null),
        log: String::new(),
    }
}

fn keys(endpoint: &Endpoint) -> Vec<String> {
    let requests = endpoint.requests();
    let key = |request: &testkit::endpoint::Request| {
        request.header("idempotency-key").unwrap().to_owned()
    };
    requests.iter().map(key).collect()
}

fn distinct(endpoint: &Endpoint) -> usize {
    keys(endpoint).into_iter().collect::<BTreeSet<_>>().len()
}

/// A third each for A, for B, and for no route.
fn write(stage: &Stage, count: usize) {
    let ids = [1010, 1020, 7];
    let data: Vec<_> = (0..count)
        .map(|n| user(ids[n % 3], &n.to_string()))
        .collect();
    stage.write(&data);
}

#[test]
fn workers_deliver_each_record_of_a_window_once() {
    let stage = Stage::accepting();
    write(&stage, 120);
    let run = shared(&stage, &Threads::working(), &[]);
    run.assert(
        0,
        &json!({"planned": 120, "delivered": 80, "skipped": 40, "deferred": 0}),
    );
    assert_eq!((keys(&stage.a).len(), distinct(&stage.a)), (40, 40));
    assert_eq!((keys(&stage.b).len(), distinct(&stage.b)), (40, 40));
    assert_eq!(run.report["routes"][0]["attempts"], 40);
    let next = stage.run(&[]);
    next.assert(0, &json!({"planned": 0}));
}

#[test]
fn runs_with_and_without_workers_alternate_on_one_group() {
    let stage = Stage::accepting();
    write(&stage, 120);
    let capped = ["--window-max-records", "30"];
    let first = stage.run(&capped);
    first.assert(12, &json!({"planned": 30, "deferred": 0}));
    let second = shared(&stage, &Threads::working(), &capped);
    second.assert(12, &json!({"planned": 30, "deferred": 0}));
    let third = stage.run(&[]);
    third.assert(0, &json!({"planned": 60, "deferred": 0}));
    assert_eq!((keys(&stage.a).len(), distinct(&stage.a)), (40, 40));
    assert_eq!((keys(&stage.b).len(), distinct(&stage.b)), (40, 40));
}

#[test]
fn the_slices_of_lost_workers_stay_for_the_next_run() {
    let stage = Stage::accepting();
    write(&stage, 120);
    // The third task is lost after its deliveries, the fifth before them.
    let workers = Threads::new(|number, task| match number {
        2 => execute(task).and(Err("ExecutorLostFailure".to_owned())),
        4 => Err("ExecutorLostFailure".to_owned()),
        _ => execute(task),
    });
    let run = shared(&stage, &workers, &[]);
    run.assert(70, &json!({"planned": 120, "deferred": 20}));
    let notes = run.report["notes"].to_string();
    assert!(notes.contains("2 tasks failed in every attempt"), "{notes}");
    assert!(notes.contains("ExecutorLostFailure"), "{notes}");
    let next = stage.run(&[]);
    assert_eq!((next.code, next.total("deferred")), (0, 0));
    let delivered = run.total("delivered") + next.total("delivered");
    let skipped = run.total("skipped") + next.total("skipped");
    assert_eq!((delivered, skipped), (80, 40));
    assert_eq!((distinct(&stage.a), distinct(&stage.b)), (40, 40));
    let requests = keys(&stage.a).len() + keys(&stage.b).len();
    // Ten offsets of which six or seven have a route.
    assert!((81..=87).contains(&requests), "{requests}");
}

#[test]
fn a_task_that_is_executed_twice_counts_once() {
    let stage = Stage::accepting();
    write(&stage, 60);
    let workers = Threads::new(|_, task| {
        let first = execute(task);
        execute(task).and(first)
    });
    let run = shared(&stage, &workers, &[]);
    run.assert(0, &json!({"planned": 60, "delivered": 40, "skipped": 20}));
    assert_eq!((keys(&stage.a).len(), distinct(&stage.a)), (40, 20));
    assert_eq!(run.report["routes"][0]["attempts"], 20);
}

#[test]
fn an_endpoint_that_is_down_is_found_once_and_the_next_run_delivers() {
    let stage = Stage::new(
        Endpoint::always(Answer::status(503)).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    write(&stage, 300);
    let run = shared(&stage, &Threads::working(), &[]);
    run.assert(
        11,
        &json!({"planned": 300, "delivered": 100, "deferred": 100}),
    );
    assert_eq!(run.report["routes"][0]["state"], "deferred");
    // Three tasks at once find it; the 27 others send it nothing.
    let requests = stage.a.count();
    let other = Endpoint::always(Answer::ok()).unwrap();
    let stage = Stage { a: other, ..stage };
    let next = shared(&stage, &Threads::working(), &[]);
    next.assert(0, &json!({"delivered": 100, "deferred": 0}));
    assert!(
        requests <= 3 * 60,
        "{requests} requests to an endpoint that is down"
    );
    assert_eq!((distinct(&stage.a), distinct(&stage.b)), (100, 100));
    assert_eq!(keys(&stage.b).len(), 100);
}

#[test]
fn the_tasks_share_the_limits_of_an_endpoint() {
    let answer = |_: &testkit::endpoint::Request| Answer::ok().after(Duration::from_millis(5));
    let stage = Stage::new(
        Endpoint::start(answer).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    write(&stage, 300);
    let run = shared(&stage, &Threads::working(), &["--max-in-flight", "7"]);
    run.assert(0, &json!({"delivered": 200}));
    assert!(
        (2..=6).contains(&stage.a.peak_in_flight()),
        "{}",
        stage.a.peak_in_flight()
    );
    // With fewer requests than tasks, fewer tasks run.
    write(&stage, 300);
    let workers = Threads {
        tasks: 8,
        ..Threads::working()
    };
    let run = shared(&stage, &workers, &["--max-in-flight", "2"]);
    run.assert(0, &json!({"delivered": 200}));
    assert!(stage.a.peak_in_flight() <= 6);
}

#[test]
fn an_order_by_partition_holds_across_slices() {
    let stage = Stage::accepting();
    let data = (0..50).map(|n| user(1010, &n.to_string()));
    stage.write_to(0, data.collect());
    let run = shared(&stage, &Threads::working(), &["--order", "partition"]);
    run.assert(0, &json!({"delivered": 50}));
    let offsets: Vec<i64> = keys(&stage.a)
        .iter()
        .map(|key| {
            key.trim_matches('"')
                .rsplit('/')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert!(offsets.is_sorted(), "{offsets:?}");
}

#[test]
fn invalid_records_are_dead_letters_and_too_many_end_the_run() {
    let stage = Stage::accepting();
    write(&stage, 57);
    stage.write(&[vec![0xff; 3], vec![0xff; 4], vec![0xff; 5]]);
    let run = shared(&stage, &Threads::working(), &[]);
    run.assert(
        10,
        &json!({"planned": 60, "dead_lettered": 3, "delivered": 38}),
    );
    let causes = run.report["dead_letters"]["causes"].as_object().unwrap();
    assert_eq!(causes.values().next(), Some(&json!(3)), "{causes:?}");
    let invalid: Vec<_> = (0..300).map(|_| vec![0xff; 3]).collect();
    stage.write(&invalid);
    let more = [
        "--dead-letter-min-count",
        "50",
        "--dead-letter-max-ratio",
        "0.5",
    ];
    let run = shared(&stage, &Threads::working(), &more);
    assert_eq!((run.code, run.total("delivered")), (65, 0));
    // Each of three tasks may have had ten.
    assert!(
        (51..=80).contains(&run.total("dead_lettered")),
        "{:#}",
        run.report
    );
}

#[test]
fn what_workers_cannot_share_is_refused_before_anything_is_read() {
    let stage = Stage::accepting();
    write(&stage, 3);
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let workers = Threads::new(move |_, task| {
        *count.lock().unwrap() += 1;
        execute(task)
    });
    for more in [
        ["--every", "1s"],
        ["--concurrent-runs", "share"],
        ["--window-max-bytes", "1000"],
    ] {
        assert_eq!(shared(&stage, &workers, &more).code, 78, "{more:?}");
    }
    assert_eq!(*seen.lock().unwrap(), 0);
    assert_eq!(stage.a.count() + stage.b.count(), 0);
}

#[test]
fn a_task_of_another_version_is_refused() {
    for task in [&b""[..], b"{}", b"[1]", b"\xff", b"{\"version\": \"99\"}"] {
        let error = run_task(task).unwrap_err().to_string();
        assert!(error.contains("another version"), "{error}");
    }
}
