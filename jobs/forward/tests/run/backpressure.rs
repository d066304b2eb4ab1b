//! The effect of a full route on the other routes.

use std::time::Duration;

use serde_json::json;
use testkit::endpoint::{Answer, Endpoint};

use crate::{Run, Stage, user};

#[test]
fn a_full_route_does_not_delay_other_partitions() {
    const RECORDS: usize = 40;
    const ROUTES: usize = 16;
    let slow = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(50))).unwrap();
    let stage = Stage::new(slow, Endpoint::always(Answer::ok()).unwrap());
    // The routes share the buffer. Partition 0 has four times as many bytes for route A as the share of a route;
    // partition 1 has the records of route B.
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
    std::fs::write(&routes, json!({"version": 1, "routes": table}).to_string()).unwrap();
    let output = stage
        .forward(&["--max-in-flight", "1"])
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", routes.path())
        .output()
        .unwrap();
    Run::from_output(&output).assert(0, &json!({"delivered": 2 * RECORDS, "deferred": 0}));
    let (a, b) = (stage.a.requests(), stage.b.requests());
    assert_eq!((a.len(), b.len()), (RECORDS, RECORDS));
    let last = b.iter().map(|request| request.at).max().unwrap();
    let before = a.iter().filter(|request| request.at < last).count();
    assert!(
        before < RECORDS / 2,
        "{before} requests of A arrived before the last request of B"
    );
}
