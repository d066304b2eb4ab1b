//! Every route and every partition makes progress while others are slow.

use super::*;

/// 16 requests of 100 ms at a time: 160 records a second.
fn slow() -> Endpoint {
    Endpoint::start(|_| Answer::ok().after(Duration::from_millis(100))).unwrap()
}

/// Runs until `b` has received `records` requests, then stops the run. Returns the time from the start to the last one.
fn time_of_fast_route(stage: &Stage, records: usize) -> Duration {
    let start = Instant::now();
    let mut child = stage
        .forward(&["--max-in-flight", "16", "--shutdown-timeout", "1s"])
        .spawn()
        .unwrap();
    let is_complete = stage.b.wait_for(records, Duration::from_secs(20));
    let elapsed = start.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        is_complete,
        "{} requests in {elapsed:?}, while the slow endpoint received {}",
        stage.b.count(),
        stage.a.count()
    );
    elapsed
}

#[test]
fn a_slow_route_does_not_delay_another_in_the_same_partition() {
    let stage = Stage::new(slow(), Endpoint::always(Answer::ok()).unwrap());
    let mut data = vec![user(1010, "a"); 20_000];
    data.extend(vec![user(1020, "b"); 200]);
    stage.write_to(0, data);
    let elapsed = time_of_fast_route(&stage, 200);
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
}

#[test]
fn a_slow_route_does_not_delay_another_in_another_partition() {
    let stage = Stage::new(slow(), Endpoint::always(Answer::ok()).unwrap());
    stage.write_to(0, vec![user(1010, "a"); 20_000]);
    stage.write_to(1, vec![user(1020, "b"); 200]);
    let elapsed = time_of_fast_route(&stage, 200);
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
}

#[test]
fn every_partition_makes_progress_before_the_deadline() {
    let stage = Stage::new(slow(), Endpoint::always(Answer::ok()).unwrap());
    stage.write_to(0, vec![user(1010, "a"); 30_000]);
    stage.write_to(1, vec![user(1010, "a"); 50]);
    let run = stage.run(&["--max-in-flight", "16", "--deadline", "3s"]);
    let delivered: Vec<_> = run.report["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|partition| partition["delivered"].as_i64().unwrap())
        .collect();
    assert_eq!(run.code, 12, "{:#}", run.report);
    assert!(delivered.iter().all(|count| *count >= 20), "{delivered:?}");
}

#[test]
fn a_run_with_a_deadline_uses_nine_tenths_of_it() {
    let stage = Stage::new(slow(), Endpoint::always(Answer::ok()).unwrap());
    stage.write_to(0, vec![user(1010, "a"); 3_000]);
    let start = Instant::now();
    let run = stage.run(&["--max-in-flight", "16", "--deadline", "4s"]);
    let elapsed = start.elapsed();
    let requests = stage.a.requests();
    let last = requests.iter().map(|request| request.at).max().unwrap();
    assert_eq!(run.code, 12, "{:#}", run.report);
    assert_eq!(run.total("delivered"), requests.len() as i64);
    let used = last.duration_since(start);
    assert!(used > Duration::from_millis(3_500), "{used:?}");
    assert!(elapsed < Duration::from_millis(4_300), "{elapsed:?}");
}
