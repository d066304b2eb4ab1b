//! Responses when the broker is slow, unreachable, restarted, or rejects messages.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaRespErr;
use rustix::process::{Pid, Signal, kill_process};
use testkit::agent::Call;
use testkit::silent_broker;
use testkit::topics::Topics;

use super::avro_bytes::{Codec, container, paul, user};
use super::fixture::{Fixture, Plain, Request, expect_status};
use super::lambda::{Shape, StandIn, event};

#[tokio::test]
async fn answers_before_the_deadline_that_a_message_may_be_stored() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    expect_status(&mut function, paul(), 202).await;
    fixture
        .broker
        .set_round_trip_time(Duration::from_secs(20))
        .unwrap();
    let start = Instant::now();
    // The agent kills a function that does not answer within the timeout.
    let slow = Call::direct(user(1, "n", "e")).timeout(Duration::from_secs(4));
    let reply = function.call(slow).await.unwrap();
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!(reply.headers["retry-after"], "1");
    // It was in flight at the deadline.
    assert_eq!(reply.json().unwrap()["stored"], "maybe");
    fixture.broker.set_round_trip_time(Duration::ZERO).unwrap();
    expect_status(&mut function, paul(), 202).await;
}

#[tokio::test]
async fn an_unreachable_broker_is_a_503_and_nothing_is_stored_later() {
    let fixture = Fixture::new();
    let mut function = fixture.function_with(&[("PUBLISH_TIMEOUT", "700ms")]).await;
    expect_status(&mut function, paul(), 202).await;
    fixture.broker.set_down().unwrap();
    let reply = expect_status(&mut function, user(1, "n", "e"), 503).await;
    let reported = reply.json().unwrap()["stored"].clone();
    let file = container(Codec::Null, &[&[user(2, "n", "e"), user(3, "n", "e")]]);
    let reply = function.call(Call::direct(file)).await.unwrap();
    assert_eq!(
        (reply.status, &reply.json().unwrap()["stored"]),
        (503, &"no".into())
    );
    fixture.broker.set_up().unwrap();
    expect_status(&mut function, paul(), 202).await;
    let stored = fixture.stored();
    let extra = stored
        .iter()
        .filter(|message| message.key.as_deref() == Some(b"1"))
        .count();
    assert!(reported == "maybe" || extra == 0, "{reported}, {extra}");
    assert_eq!(stored.len(), 2 + extra);
}

#[tokio::test]
async fn a_call_succeeds_although_the_broker_restarts() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    expect_status(&mut function, paul(), 202).await;
    fixture.broker.set_down().unwrap();
    let call = async {
        expect_status(&mut function, user(1, "n", "e"), 202).await;
    };
    let restart = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        fixture.broker.set_up().unwrap();
    };
    tokio::join!(call, restart);
    assert_eq!(fixture.stored().len(), 2);
}

#[tokio::test]
async fn a_waiting_call_is_answered_soon_after_the_brokers_return() {
    let fixture = Fixture::new();
    for (name, connects_first, outage) in [
        ("a client that has never connected", false, 3000),
        ("a short outage", true, 300),
        ("a long outage", true, 4000),
    ] {
        if !connects_first {
            fixture.broker.set_down().unwrap();
        }
        let mut function = fixture.function().await;
        if connects_first {
            let reply = function.call(Call::direct(paul())).await.unwrap();
            assert_eq!(reply.status, 202);
            fixture.broker.set_down().unwrap();
        }
        let call = async {
            let reply = function.call(Call::direct(paul())).await.unwrap();
            assert_eq!(reply.status, 202, "{name}: {reply:?}");
            Instant::now()
        };
        let restart = async {
            tokio::time::sleep(Duration::from_millis(outage)).await;
            fixture.broker.set_up().unwrap();
            Instant::now()
        };
        let (answered, up) = tokio::join!(call, restart);
        let wait = answered.duration_since(up);
        println!("{name}: {wait:?}");
        // Half a second of it is librdkafka's wait for a producer id, the rest allows for a busy machine.
        assert!(wait < Duration::from_millis(1500), "{name}: {wait:?}");
    }
}

#[tokio::test]
async fn connects_several_times_a_second_while_a_call_waits() {
    // It closes every connection.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let fixture = Fixture::new();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", address.as_str())];
    let mut function = fixture.function_with(&settings).await;
    let mut longest = Duration::ZERO;
    let accept = async {
        let mut last = Instant::now();
        loop {
            drop(listener.accept().await.unwrap());
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    };
    tokio::select! {
        reply = function.call(Call::direct(paul())) => assert_eq!(reply.unwrap().status, 503),
        () = accept => {}
    }
    assert!(longest < Duration::from_millis(700), "{longest:?}");
}

#[tokio::test]
async fn counts_repeated_warnings_about_an_unreachable_broker() {
    let fixture = Fixture::new();
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("PUBLISH_TIMEOUT", "2s"),
    ];
    let mut function = fixture.function_with(&settings).await;
    // Each call has a new client, because the last one was purged.
    for _ in 0..3 {
        let reply = function.call(Call::direct(paul())).await.unwrap();
        assert_eq!(reply.status, 503);
    }
    let log = function.log();
    let lines = log.lines().filter(|line| line.contains("Kafka client"));
    let count = lines.count();
    assert!((1..=12).contains(&count), "{count} lines:\n{log}");
}

#[tokio::test]
async fn the_log_says_why_the_brokers_do_not_acknowledge() {
    let fixture = Fixture::new();
    let closed = "127.0.0.1:1".parse().unwrap();
    let forwarded =
        silent_broker::start_advertising("ingest", Some(closed), Duration::ZERO).unwrap();
    for (bootstrap, expected) in [
        (
            "127.0.0.1:1",
            "Kafka cannot be used (connection_refused): connection refused",
        ),
        (
            &forwarded.address,
            "Kafka cannot be used (advertised_address): a bootstrap server answers, but broker 1 has the advertised \
             address 127.0.0.1:1: connection refused",
        ),
    ] {
        let settings = [
            ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
            ("PUBLISH_TIMEOUT", "3s"),
        ];
        let mut function = fixture.function_with(&settings).await;
        let reply = expect_status(&mut function, paul(), 503).await;
        let log = function.log();
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains("publishing failed"));
        assert!(line.is_some_and(|line| line.contains(expected)), "{log}");
        // The caller does not learn the addresses.
        let body = reply.json().unwrap().to_string();
        assert!(!body.contains("127.0.0.1"), "{body}");
    }
}

#[tokio::test]
async fn the_first_call_after_a_long_freeze_uses_a_new_connection() {
    let fixture = Fixture::new();
    let mut function = fixture
        .function_with(&[("CONNECTIONS_MAX_IDLE", "200ms")])
        .await;
    expect_status(&mut function, paul(), 202).await;
    function.freeze().unwrap();
    function.close_connection();
    // The broker closes the connection meanwhile.
    fixture.broker.set_down().unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    fixture.broker.set_up().unwrap();
    function.thaw().unwrap();
    for id in 0..3 {
        expect_status(&mut function, user(id, "n", "e"), 202).await;
    }
    assert_eq!(fixture.stored().len(), 4);
}

#[tokio::test]
async fn publishes_nothing_after_the_deadline() {
    let fixture = Fixture::new();
    // Lambda's emulator ends such a call at once.
    let mut lambda = StandIn::start(&fixture.settings("ingest"), Duration::ZERO).await;
    let event = event(Shape::HttpApi, &Request::post(paul()));
    let response = lambda.invoke(event).await;
    assert_eq!(response["statusCode"], 503, "{response}");
    let body = response["body"].as_str().unwrap();
    assert!(body.contains(r#""stored":"no""#), "{body}");
    assert_eq!(fixture.stored().len(), 0);
}

#[tokio::test]
async fn a_record_too_large_for_the_topic_is_a_413() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let large = user(7, &"x".repeat(1_048_588), "e");
    let reply = expect_status(&mut function, large.clone(), 413).await;
    assert!(
        reply.json().unwrap()["type"]
            .as_str()
            .unwrap()
            .ends_with("record-too-large")
    );
    // All or none: the small ones before it are not stored either.
    let file = container(Codec::Null, &[&[paul(), large, paul()]]);
    let reply = function.call(Call::direct(file)).await.unwrap();
    assert_eq!(
        (reply.status, &reply.json().unwrap()["record"]),
        (413, &2.into())
    );
    assert_eq!(fixture.stored().len(), 0);
    let detail = reply.json().unwrap()["detail"].to_string();
    assert!(
        detail.contains("1048588 bytes (Kafka's default"),
        "{detail}"
    );
    let largest = user(7, &"x".repeat(999_000), "e");
    expect_status(&mut function, largest, 202).await;
}

#[tokio::test]
async fn max_message_lowers_the_limit_and_does_not_raise_it() {
    for (setting, size, status) in [
        ("100kB", 99_000, 202),
        ("100kB", 100_000, 413),
        ("3MB", 1_040_000, 202),
        ("3MB", 1_048_588, 413),
    ] {
        let fixture = Fixture::new();
        let mut function = fixture.function_with(&[("MAX_MESSAGE", setting)]).await;
        let record = user(7, &"x".repeat(size), "e");
        expect_status(&mut function, record.clone(), status).await;
        let stored = fixture.stored();
        match status {
            202 => assert_eq!(stored[0].value.as_ref(), Some(&record)),
            _ => assert_eq!(stored, []),
        }
    }
}

#[tokio::test]
async fn an_unknown_topic_is_a_500() {
    let fixture = Fixture::new();
    fixture
        .broker
        .set_topic_error(
            "ingest",
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        )
        .unwrap();
    let mut function = fixture.function().await;
    let reply = expect_status(&mut function, paul(), 500).await;
    let body = reply.json().unwrap();
    assert!(
        body["type"].as_str().unwrap().ends_with("topic-unknown"),
        "{body}"
    );
    assert_eq!(body["stored"], "no");
}

#[tokio::test]
async fn does_not_create_an_unknown_topic_and_detects_its_creation() {
    let fixture = Fixture::new();
    let topics = Topics::connect(fixture.broker.bootstrap()).unwrap();
    let mut function = fixture
        .function_with(&[("KAFKA_TOPIC", "no-such-topic")])
        .await;
    for _ in 0..2 {
        let reply = expect_status(&mut function, paul(), 500).await;
        let body = reply.json().unwrap();
        assert!(body["type"].as_str().unwrap().ends_with("topic-unknown"));
        assert_eq!(body["stored"], "no");
    }
    assert!(topics.watermarks("no-such-topic").unwrap().is_empty());
    fixture.broker.create_topic("no-such-topic", 1).unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while function.call(Call::direct(paul())).await.unwrap().status != 202 {
        assert!(Instant::now() < end, "{}", function.log());
    }
    assert_eq!(fixture.stored_in("no-such-topic").len(), 1);
}

#[tokio::test]
async fn an_unknown_topic_is_a_500_with_a_short_timeout() {
    let fixture = Fixture::new();
    let settings = [("KAFKA_TOPIC", "no-such-topic"), ("PUBLISH_TIMEOUT", "2s")];
    let mut function = fixture.function_with(&settings).await;
    expect_status(&mut function, paul(), 500).await;
}

#[tokio::test]
async fn concurrent_calls_share_the_client_and_have_separate_results() {
    let fixture = Fixture::new();
    let settings = [
        &fixture.settings("ingest")[..],
        &[("PUBLISH_TIMEOUT", "2s")],
    ]
    .concat();
    let plain = std::sync::Arc::new(Plain::start(&settings).await);
    let all = |from: i64, status: u16| {
        let plain = std::sync::Arc::clone(&plain);
        async move {
            let mut calls = tokio::task::JoinSet::new();
            for id in from..from + 50 {
                let plain = std::sync::Arc::clone(&plain);
                calls.spawn(async move {
                    let reply = plain.call(&Request::post(user(id, "n", "e"))).await;
                    assert_eq!(reply.status, status, "{:?}", reply.json());
                });
            }
            while let Some(ended) = calls.join_next().await {
                ended.unwrap();
            }
        }
    };
    all(0, 202).await;
    assert_eq!(fixture.stored().len(), 50);
    fixture.broker.set_down().unwrap();
    all(100, 503).await;
    fixture.broker.set_up().unwrap();
    // On a busy machine the new connection may take longer than one call.
    let mut tries = 0;
    while plain.call(&Request::post(paul())).await.status != 202 {
        tries += 1;
        assert!(tries < 10, "{}", plain.log());
    }
    all(200, 202).await;
    let stored = fixture.stored();
    let keys: std::collections::BTreeSet<_> = stored.iter().map(|message| &message.key).collect();
    assert!(keys.len() >= 100, "{}", keys.len());
}

#[tokio::test]
async fn the_problem_of_a_partly_stored_container_names_the_stored_records() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_NO_ERROR as FINE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as REFUSED,
    };
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let warm = function.call(Call::direct(paul())).await.unwrap();
    assert_eq!(warm.status, 202);
    let data: Vec<_> = (0..60).map(|id| user(id, "n", "e")).collect();
    // Each partition has a produce request of its own. The second request is rejected.
    fixture
        .broker
        .push_produce_errors(&[FINE, REFUSED, FINE])
        .unwrap();
    let file = container(Codec::Null, &[&data]);
    let reply = function.call(Call::direct(file)).await.unwrap();
    let body = reply.json().unwrap();
    assert_eq!(
        (reply.status, &body["stored"]),
        (500, &"partly".into()),
        "{body}"
    );
    let records = body["records"].as_array().unwrap();
    assert_eq!(records.len(), 60);
    let reported: Vec<_> = data
        .iter()
        .zip(records)
        .filter(|(_, record)| record["stored"] == "yes")
        .map(|(datum, record)| {
            let place = (record["partition"].as_i64(), record["offset"].as_i64());
            (datum.clone(), place)
        })
        .collect();
    assert!(
        !reported.is_empty() && reported.len() < 60,
        "{}",
        reported.len()
    );
    let stored = fixture.stored();
    assert_eq!(stored.len(), reported.len() + 1);
    for (datum, place) in reported {
        let found = stored
            .iter()
            .find(|message| message.value.as_ref() == Some(&datum));
        let found = found.expect("reported, but not stored");
        assert_eq!(
            (Some(i64::from(found.partition)), Some(found.offset)),
            place
        );
    }
}

#[tokio::test]
async fn a_message_too_large_for_the_broker_is_a_413() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    fixture
        .broker
        .push_produce_errors(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE])
        .unwrap();
    let reply = expect_status(&mut function, paul(), 413).await;
    let body = reply.json().unwrap();
    assert_eq!(body["stored"], "no");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("the topic's max.message.bytes"), "{detail}");
}

#[tokio::test]
async fn replaces_the_client_after_a_fatal_error() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    expect_status(&mut function, paul(), 202).await;
    // For an idempotent producer this error is fatal.
    fixture
        .broker
        .push_produce_errors(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER; 1])
        .unwrap();
    let _ = function
        .call(Call::direct(user(1, "n", "e")).timeout(Duration::from_secs(5)))
        .await;
    for id in 2..5 {
        expect_status(&mut function, user(id, "n", "e"), 202).await;
    }
    let log = function.log();
    assert!(log.contains("after a fatal error"), "{log}");
}

#[tokio::test]
async fn a_freeze_during_a_call_only_delays_the_call() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    expect_status(&mut function, paul(), 202).await;
    fixture
        .broker
        .set_round_trip_time(Duration::from_millis(300))
        .unwrap();
    let pid = Pid::from_raw(function.id().unwrap() as i32).unwrap();
    let freeze = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        kill_process(pid, Signal::STOP).unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        kill_process(pid, Signal::CONT).unwrap();
    };
    let (reply, ()) = tokio::join!(function.call(Call::direct(user(1, "n", "e"))), freeze);
    assert_eq!(reply.unwrap().status, 202);
    assert_eq!(fixture.stored().len(), 2);
}

#[tokio::test]
async fn an_unreachable_broker_does_not_increase_the_number_of_threads() {
    let fixture = Fixture::new();
    let mut function = fixture.function_with(&[("PUBLISH_TIMEOUT", "300ms")]).await;
    expect_status(&mut function, paul(), 202).await;
    fixture.broker.set_down().unwrap();
    let mut max = 0;
    for id in 0..20 {
        expect_status(&mut function, user(id, "n", "e"), 503).await;
        max = max.max(function.threads().unwrap());
    }
    // An Fn container may have 50.
    assert!(max <= 40, "{max} threads");
    fixture.broker.set_up().unwrap();
    expect_status(&mut function, paul(), 202).await;
}
