//! A route that is full, and the other routes.

use std::time::Duration;

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint};

use crate::{Stage, user};

#[test]
fn a_full_route_does_not_stop_the_records_of_other_partitions() {
    const RECORDS: usize = 120;
    let slow = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(20))).unwrap();
    let stage = Stage::new(slow, Endpoint::always(Answer::ok()).unwrap());
    // Partition 0 holds more bytes for route A than a route's queue has room for; partition 1 holds those of route B.
    let name = "n".repeat(100_000);
    let data: Vec<_> = (0..2 * RECORDS)
        .map(|n| user(if n % 2 == 0 { 1010 } else { 1020 }, &name))
        .collect();
    stage.write(&data);
    let run = stage.run(&["--max-in-flight", "1"]);
    run.assert(0, &json!({"delivered": 2 * RECORDS, "deferred": 0}));
    let (a, b) = (stage.a.requests(), stage.b.requests());
    assert_eq!((a.len(), b.len()), (RECORDS, RECORDS));
    let last = b.iter().map(|request| request.at).max().unwrap();
    let before = a.iter().filter(|request| request.at < last).count();
    assert!(before < RECORDS / 2, "{before} of A's requests came first");
}
