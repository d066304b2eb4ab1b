//! The number of series depends on partitions, routes, causes and statuses, and not on records.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU16;

use super::*;

const STATUSES: [u16; 12] = [200, 202, 204, 299, 400, 404, 409, 418, 422, 451, 500, 599];

#[test]
fn hostile_records_and_answers_add_no_series() {
    let next = AtomicU16::new(0);
    let a = Endpoint::start(move |_| {
        let index = usize::from(next.fetch_add(1, Ordering::Relaxed)) % STATUSES.len();
        Answer::status(STATUSES[index]).body("canary-body\n\"}")
    });
    let stage = Stage::new(a.unwrap(), Endpoint::always(Answer::ok()).unwrap());
    let hostile = |n: usize| match n % 3 {
        0 => format!("canary-{n}\"}} 1\nx{{").into_bytes(),
        1 => user(1010, &format!("canary-{n}\"}} 1\n")),
        _ => user(1020, &format!("canary-{n}")),
    };
    let records: Vec<NewRecord> = (0..600)
        .map(|n| NewRecord {
            key: Some(format!("canary-key-{n}").into_bytes()),
            headers: vec![("canary-header".to_owned(), Some(n.to_string().into_bytes()))],
            ..NewRecord::to((n % 2) as i32, hostile(n))
        })
        .collect();
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, &records).unwrap();
    let file = MetricsFile::new();
    let arguments = ["--max-attempts", "2", "--dead-letter-min-count", "100000"];
    let run = run(&stage, &file, &arguments);
    assert!([10, 11].contains(&run.code), "{:#}", run.report);
    assert_eq!(run.total("planned"), 600);

    let metrics = file.read();
    let (partitions, routes, causes) = (2, 2, 8);
    let of_partition = 6 + 2;
    let of_route = 3 + (STATUSES.len() + 2) + 3 + 2;
    let of_histogram = 17 + 1 + 2;
    let others = 12;
    let maximum = partitions * of_partition + causes + routes * (of_route + of_histogram) + others;
    assert!(
        metrics.samples.len() <= maximum,
        "{} > {maximum}",
        metrics.samples.len()
    );

    let labels: BTreeSet<&str> = metrics
        .samples
        .keys()
        .filter(|series| series.name != "target_info")
        .flat_map(|series| series.labels.keys().map(String::as_str))
        .collect();
    let allowed = [
        "cause",
        "group",
        "le",
        "outcome",
        "partition",
        "route",
        "statistic",
        "status",
        "topic",
        "version",
    ];
    assert_eq!(labels, BTreeSet::from(allowed));
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert!(!text.contains("canary"), "{text}");
}
