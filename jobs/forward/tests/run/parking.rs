//! A route that is full, and the other routes.

use std::time::Duration;

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint};

use crate::{Run, Stage, user};

#[test]
fn a_full_route_does_not_stop_the_records_of_other_partitions() {
    const RECORDS: usize = 40;
    const ROUTES: usize = 16;
    let slow = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(50))).unwrap();
    let stage = Stage::new(slow, Endpoint::always(Answer::ok()).unwrap());
    // Partition 0 holds four times the bytes of route A that a queue has room for, since the routes share the room;
    // partition 1 holds those of route B.
    let name = "n".repeat(100_000);
    let data: Vec<_> = (0..2 * RECORDS)
        .map(|n| user(if n % 2 == 0 { 0 } else { 1 }, &name))
        .collect();
    stage.write(&data);
    let route = |id: usize| {
        let url = if id == 0 {
            stage.a.url()
        } else {
            stage.b.url()
        };
        json!({"name": format!("route-{id}"), "when": format!("id == {id}"), "url": url})
    };
    let routes = tempfile::NamedTempFile::new().unwrap();
    let table: Vec<_> = (0..ROUTES).map(route).collect();
    std::fs::write(&routes, json!(table).to_string()).unwrap();
    let output = stage
        .forward(&["--max-in-flight", "1"])
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", routes.path())
        .output()
        .unwrap();
    Run::of(&output).assert(0, &json!({"delivered": 2 * RECORDS, "deferred": 0}));
    let (a, b) = (stage.a.requests(), stage.b.requests());
    assert_eq!((a.len(), b.len()), (RECORDS, RECORDS));
    let last = b.iter().map(|request| request.at).max().unwrap();
    let before = a.iter().filter(|request| request.at < last).count();
    assert!(before < RECORDS / 2, "{before} of A's requests came first");
}
