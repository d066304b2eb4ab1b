//! A run stays within the memory of a 128 MiB container.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint};
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::accepting_after;
use crate::run::{Run, RunProcess};
use crate::stage::Stage;

const LIMIT: u64 = 128 << 20;

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn megabyte_records_and_slow_endpoints_stay_under_128_mib() {
    const RECORDS: usize = 300;
    let slow = || accepting_after(Duration::from_millis(20));
    let (a, b) = (slow(), slow());
    // One route sends batches, the other sends single records.
    let routes = json!([
        {"name": "A", "when": "id == 1010", "url": a.url(), "batch": 500},
        {"name": "B", "when": "id == 1020", "url": b.url()},
    ]);
    let stage = Stage::new("memory", 3).await.routes(&routes);
    write_megabytes(&stage, RECORDS, |number| {
        user(if number % 2 == 0 { 1010 } else { 1020 }, number)
    });
    let run = run_within_the_limit(&stage, 0);
    assert_eq!(run.total("delivered"), RECORDS as i64);
    let bytes = |endpoint: &Endpoint| {
        let requests = endpoint.requests();
        requests
            .iter()
            .map(|request| request.body.len())
            .sum::<usize>()
    };
    assert!(bytes(&a) + bytes(&b) > RECORDS * SIZE);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn megabyte_dead_letters_stay_under_128_mib() {
    const RECORDS: usize = 300;
    let (stage, _a, _b) = Stage::accepting("memory-dead-letters", 3).await;
    let stage = stage.with("DEAD_LETTER_MAX_RATIO", "1");
    write_megabytes(&stage, RECORDS, |number| {
        [number.to_be_bytes().as_slice(), &[0xff; SIZE]].concat()
    });
    let run = run_within_the_limit(&stage, 10);
    assert_eq!(run.total("dead_lettered"), RECORDS as i64);
    let dead_letters = stage.topics.watermarks(&stage.dead_letter_topic()).unwrap();
    assert_eq!(dead_letters[&0].1, RECORDS as i64);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_largest_kept_answers_stay_under_128_mib() {
    const RECORDS: usize = 1_000;
    let endpoint = Endpoint::always(Answer::ok().body("x".repeat(262_144))).unwrap();
    let stage = Stage::new("memory-answers", 3).await;
    let topic = format!("{}-accepted", stage.topic);
    stage.topics.create(&topic, 1, &[]).await.unwrap();
    let stage = stage.routes(&json!([
        {"name": "A", "when": "true", "url": endpoint.url(), "answers": {"success_topic": topic, "max_body": 262_144}},
    ]));
    stage.write_users(1010, "user", RECORDS, 3);
    let run = run_within_the_limit(&stage, 0);
    assert_eq!(run.total("delivered"), RECORDS as i64);
    assert_eq!(
        stage.topics.watermarks(&topic).unwrap()[&0].1,
        RECORDS as i64
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn twenty_slow_routes_stay_under_128_mib() {
    const ROUTES: i32 = 20;
    const RECORDS: usize = 200;
    let slow = accepting_after(Duration::from_millis(300));
    let route = |number: i32| json!({"name": format!("R{number}"), "when": format!("id == {number}"), "url": slow.url()});
    let routes: Vec<_> = (0..ROUTES).map(route).collect();
    let stage = Stage::new("memory-routes", 1).await.routes(&json!(routes));
    write_megabytes(&stage, RECORDS, |number| {
        user(number as i32 % ROUTES, number)
    });
    let run = run_within_the_limit(&stage, 0);
    assert_eq!(run.total("delivered"), RECORDS as i64);
}

/// The size of a record, in bytes: almost a megabyte.
const SIZE: usize = 990_000;

fn user(id: i32, number: usize) -> Vec<u8> {
    let mut user = User::new(id, &format!("u-{number}"));
    user.email = "x".repeat(SIZE);
    user.encode()
}

/// Writes records to each partition in turn, ten per call.
fn write_megabytes(stage: &Stage, records: usize, value: impl Fn(usize) -> Vec<u8>) {
    let partitions = stage.topics.watermarks(&stage.topic).unwrap().len();
    for batch in 0..records / 10 {
        let numbers = batch * 10..batch * 10 + 10;
        let new = numbers.map(|number| NewRecord::to((number % partitions) as i32, value(number)));
        stage.write(&new.collect::<Vec<_>>());
    }
}

/// Runs once, and asserts the exit code and the peak memory.
fn run_within_the_limit(stage: &Stage, code: i32) -> Run {
    let group = ControlGroup::new(&stage.topic);
    let mut run = match &group {
        Some(group) => stage.start_in_cgroup(&group.dir),
        None => stage.start(),
    };
    let peak = peak_resident(&mut run);
    // The exit code is -9 if the kernel killed the process for its memory.
    let run = run.wait().expect(code);
    eprintln!("{}: peak {} MiB", stage.topic, peak >> 20);
    assert!(peak > 0 && peak < LIMIT, "{peak} bytes");
    run
}

/// Waits for the end of the run and returns its peak resident set size (`VmHWM`), in bytes.
fn peak_resident(run: &mut RunProcess) -> u64 {
    let (status, mut peak) = (format!("/proc/{}/status", run.pid()), 0);
    while run.is_running() {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes =
                line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            peak = peak.max(kilobytes.unwrap_or_default() << 10);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    peak
}

/// A control group with the memory limit of a container: page cache and sockets count, and the kernel kills a process
/// above the limit. Only root can create one; otherwise only the peak is checked. A limit on the address space
/// (`ulimit -v`) does not work: threads reserve stacks that they do not use.
struct ControlGroup {
    dir: PathBuf,
}

impl ControlGroup {
    fn new(name: &str) -> Option<Self> {
        let mounts = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        mounts.iter().find_map(|(mount, limit)| {
            let dir = Path::new(mount).join(format!("frontdoor-{}-{name}", std::process::id()));
            std::fs::create_dir(&dir).ok()?;
            let group = Self { dir };
            std::fs::write(group.dir.join(limit), LIMIT.to_string()).ok()?;
            Some(group)
        })
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.dir);
    }
}
