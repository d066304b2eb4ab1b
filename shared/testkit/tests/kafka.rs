//! Transactions, commits, deleted records and killed brokers of `deploy/kafka`.

use testkit::kafka::{Kafka, Options};
use testkit::records;
use testkit::topics::{Committed, NewRecord, Topics};

#[tokio::test]
#[ignore = "starts Apache Kafka: run by `make e2e`"]
async fn one_broker_supports_transactions_headers_commits_and_deleted_records() {
    let kafka = Kafka::shared().unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    topics.create("orders", 2, &[]).await.unwrap();

    let mut plain = NewRecord::to(0, "plain");
    plain.headers = vec![
        ("h".to_owned(), Some(b"v".to_vec())),
        ("none".to_owned(), None),
    ];
    assert_eq!(
        topics
            .write("orders", &[plain, NewRecord::to(1, "other")])
            .unwrap(),
        [(0, 0), (1, 0)]
    );
    topics
        .whole_transaction("orders", &[NewRecord::to(0, "aborted")], false)
        .unwrap();
    topics
        .whole_transaction("orders", &[NewRecord::to(0, "committed")], true)
        .unwrap();
    // Five offsets: plain, aborted and its marker, committed and its marker.
    assert_eq!(topics.watermarks("orders").unwrap()[&0], (0, 5));
    let stored = records::all(kafka.bootstrap(), "orders").unwrap();
    let values: Vec<&[u8]> = stored
        .iter()
        .filter_map(|one| one.value.as_deref())
        .collect();
    assert_eq!(values, [b"plain".as_slice(), b"committed", b"other"]);
    assert_eq!(stored[0].headers.len(), 2);

    let committed = Committed {
        offset: 3,
        metadata: "metadata".to_owned(),
    };
    topics.commit("group", "orders", 0, &committed).unwrap();
    assert_eq!(
        topics.committed("group", "orders").unwrap(),
        [(0, committed)].into()
    );

    topics.delete_before("orders", 0, 2).await.unwrap();
    assert_eq!(topics.watermarks("orders").unwrap()[&0], (2, 5));
    topics.delete("orders").await.unwrap();
    assert!(
        records::all(kafka.bootstrap(), "orders")
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
#[ignore = "starts Apache Kafka: run by `make e2e`"]
async fn three_brokers_keep_acknowledged_records_when_one_is_killed() {
    let kafka = Kafka::start(&Options {
        three: true,
        ..Options::default()
    })
    .unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    topics.create("orders", 3, &[]).await.unwrap();
    let batch = |text: &str| {
        (0..3)
            .map(|partition| NewRecord::to(partition, text))
            .collect::<Vec<_>>()
    };
    topics.write("orders", &batch("before")).unwrap();
    kafka.kill(2).await.unwrap();
    topics
        .write("orders", &batch("while broker 2 is down"))
        .unwrap();
    kafka.restart(2).await.unwrap();
    kafka.kill(1).await.unwrap();
    topics
        .write("orders", &batch("while broker 1 is down"))
        .unwrap();
    assert_eq!(records::all(kafka.bootstrap(), "orders").unwrap().len(), 9);
}
