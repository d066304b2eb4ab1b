use std::collections::BTreeMap;

use record::StreamId;

use super::*;
use crate::route_config::RouteConfig;

pub(crate) async fn config(environment: &[(&str, &str)]) -> Result<Config, String> {
    let lookup = |name: &str| {
        let broker = &[("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")];
        let mut all = environment.iter().chain(broker);
        let found = all.find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let settings = Settings::gather(&crate::settings::GROUPS, &[], lookup)
        .await
        .map_err(|error| error.to_string())?;
    Config::from_settings(&settings).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_defaults_are_those_of_the_catalog() {
    let config = config(&[]).await.unwrap();
    assert_eq!(config.group, "frontdoor");
    assert_eq!(config.group_protocol, None);
    assert_eq!(config.window_start, WindowStart::Committed);
    assert_eq!(config.window_end, WindowEnd::Now);
    assert_eq!(
        (config.records, config.bytes, config.deadline),
        (None, None, None)
    );
    assert_eq!(config.dead_letter_topic, "FrontDoorTopic-dead-letter");
    assert!(!config.dead_letter_envelope && !config.tombstones_are_dead_letters);
    assert_eq!(config.unmatched, Unmatched::Skip);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.max_uncommitted_dead_letters(), Some(16 * 64));
    assert_eq!(
        (config.dead_letter_max_ratio, config.dead_letter_min_count),
        (0.05, 100)
    );
}

#[tokio::test]
async fn a_window_may_be_given_by_time_or_by_offsets() {
    let by_time = config(&[
        ("WINDOW_START", "2026-11-22T10:00:00Z"),
        ("WINDOW_END", "2026-11-22T08:00:00.5-03:00"),
    ])
    .await
    .unwrap();
    assert_eq!(by_time.window_start, WindowStart::Time(1_795_341_600_000));
    assert_eq!(by_time.window_end, WindowEnd::Time(1_795_345_200_500));
    let by_offsets = config(&[
        ("WINDOW_START", "1:250, 0:100"),
        ("WINDOW_MAX_RECORDS", "500"),
    ])
    .await
    .unwrap();
    assert_eq!(
        by_offsets.window_start,
        WindowStart::Offsets(BTreeMap::from([(0, 100), (1, 250)]))
    );
    assert_eq!(by_offsets.records, Some(500));
}

#[tokio::test]
async fn what_is_malformed_or_contradictory_is_named() {
    let longest = "t".repeat(249);
    for (environment, expected) in [
        (
            vec![("WINDOW_START", "yesterday")],
            "WINDOW_START is \"yesterday\", expected committed, earliest, a time",
        ),
        (
            vec![("WINDOW_START", "2026-11-22T10:00:00")],
            "WINDOW_START is",
        ),
        (vec![("WINDOW_START", "0:1,0:2")], "WINDOW_START is"),
        (vec![("WINDOW_START", "0:-1")], "WINDOW_START is"),
        (vec![("WINDOW_END", "committed")], "WINDOW_END is"),
        (
            vec![("WINDOW_START", "0:5"), ("WINDOW_END", "0:4")],
            "contradict each other",
        ),
        (
            vec![("WINDOW_START", "0:5"), ("WINDOW_END", "1:9")],
            "contradict each other",
        ),
        (
            vec![
                ("WINDOW_START", "2026-11-22T10:00:00Z"),
                ("WINDOW_END", "2026-11-22T10:00:00Z"),
            ],
            "contradict each other",
        ),
        (
            vec![("WINDOW_MAX_RECORDS", "0")],
            "WINDOW_MAX_RECORDS is \"0\", expected a whole number from 1",
        ),
        (vec![("WINDOW_MAX_BYTES", "many")], "WINDOW_MAX_BYTES is"),
        (
            vec![("DEADLINE", "0s")],
            "DEADLINE must be greater than zero",
        ),
        (
            vec![("WINDOW_MAX_BYTES", "0")],
            "WINDOW_MAX_BYTES must be greater than zero",
        ),
        (
            vec![("SECRET_REFRESH_INTERVAL", "10")],
            "SECRET_REFRESH_INTERVAL is \"10\", expected a duration",
        ),
        (vec![("REQUEST_TIMEOUT", "10")], "REQUEST_TIMEOUT is \"10\""),
        (
            vec![("RATE_LIMIT", "0")],
            "RATE_LIMIT is \"0\", expected a number above 0",
        ),
        (vec![("RATE_LIMIT", "inf")], "RATE_LIMIT is"),
        (vec![("RATE_LIMIT", "NaN")], "RATE_LIMIT is"),
        (vec![("MAX_IN_FLIGHT", "10001")], "MAX_IN_FLIGHT is"),
        (vec![("MAX_UNCOMMITTED", "0")], "MAX_UNCOMMITTED is \"0\""),
        (vec![("MAX_ATTEMPTS", "-1")], "MAX_ATTEMPTS is"),
        (
            vec![("BACKOFF_INITIAL", "1m")],
            "BACKOFF_INITIAL is longer than BACKOFF_MAX",
        ),
        (
            vec![("DEAD_LETTER_MAX_RATIO", "5")],
            "DEAD_LETTER_MAX_RATIO is \"5\"",
        ),
        (
            vec![("DEAD_LETTER_MAX_RATIO", "NaN")],
            "DEAD_LETTER_MAX_RATIO is",
        ),
        (
            vec![("UNMATCHED", "drop")],
            "UNMATCHED is \"drop\", expected skip, dead_letter or stop",
        ),
        (vec![("ORDER", "topic")], "ORDER is"),
        (
            vec![("DEAD_LETTER_TOPIC", "FrontDoorTopic")],
            "are the same topic",
        ),
        (
            vec![("DEAD_LETTER_TOPIC", "dead letters")],
            "DEAD_LETTER_TOPIC is \"dead letters\", expected 1 to 249 characters",
        ),
        (vec![("KAFKA_TOPIC", "orders/new")], "KAFKA_TOPIC is"),
        (
            vec![("KAFKA_BOOTSTRAP_SERVERS", "kafka://b:9092")],
            "KAFKA_BOOTSTRAP_SERVERS is \"kafka://b:9092\", expected host:port",
        ),
        (
            vec![("KAFKA_TOPIC", &longest)],
            "KAFKA_TOPIC is too long for a topic of this name with \"-dead-letter\"",
        ),
        (vec![("ON_DATA_LOSS", "shrug")], "ON_DATA_LOSS is"),
    ] {
        let error = config(&environment).await.unwrap_err();
        assert!(error.contains(expected), "{environment:?}: {error}");
    }
}

#[tokio::test]
async fn datums_as_written_need_unbatched_avro() {
    let check = async |schema: &str, members: &str| {
        let text =
            format!("version: 1\nroutes: [{{name: A, when: 'true', url: 'http://a', {members}}}]");
        let routes = RouteConfig::parse(&text, &Settings::default()).unwrap();
        let config = config(&[("DELIVERY_SCHEMA", schema)]).await.unwrap();
        let result = config.check_routes(&routes);
        result.map_err(|error| error.to_string())
    };
    let deletes = "tombstones: {url: 'http://a/{kafka.key}'}";
    for members in ["format: avro", "batch: 1", "", deletes] {
        assert_eq!(check("writer", members).await, Ok(()));
    }
    for (members, expected) in [
        ("batch: 2", "or batch to 1"),
        ("format: json", "or format to avro"),
        ("format: ndjson, batch: 2", "or format to avro"),
        ("format: {cloudevents: {mode: binary}}", "or format to avro"),
        (
            "headers: {x: '{id}'}",
            "or url and headers to text without placeholders",
        ),
    ] {
        let error = check("writer", members).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert_eq!(check("reader", members).await, Ok(()));
    }
}

#[tokio::test]
async fn oci_streaming_gets_an_envelope_unless_configured_otherwise() {
    let oci = [("KAFKA_PROFILE", "oci")];
    assert!(config(&oci).await.unwrap().dead_letter_envelope);
    let without_envelope = [("KAFKA_PROFILE", "oci"), ("DEAD_LETTER_ENVELOPE", "false")];
    assert!(
        !config(&without_envelope)
            .await
            .unwrap()
            .dead_letter_envelope
    );
}

#[tokio::test]
async fn each_route_has_its_own_limits() {
    let routes = |members: &str| {
        let text = format!(
            "version: 1\nroutes:\n- {{name: A, when: 'true', url: 'http://a'}}\n\
             - {{name: B, when: 'true', url: 'http://b', {members}}}\n"
        );
        RouteConfig::parse(&text, &Settings::default()).unwrap()
    };
    let config = config(&[("BACKOFF_MAX", "2s"), ("ORDER", "partition")])
        .await
        .unwrap();
    let own = routes("order: key, limits: {request_timeout: 90s, max_in_flight: 3}");
    let stream = StreamId {
        cluster: "c".into(),
        topic: "t".into(),
    };
    let endpoints = config
        .delivery(&own, stream, &avro::Schema::parse("\"int\"").unwrap(), 1)
        .unwrap()
        .endpoints;
    let [a, b] = &endpoints[..] else { panic!() };
    assert_eq!((a.order, b.order), (Order::Partition, Order::Key));
    assert_eq!(a.limits.request_timeout, Duration::from_secs(10));
    assert_eq!(
        (a.limits.max_uncommitted, b.limits.max_uncommitted),
        (Some(1024), Some(48))
    );
    // Handing over a partition waits for the slowest route.
    assert_eq!(config.handover(&own), Duration::from_secs(91));
    assert_eq!(config.handover(&[]), Duration::from_secs(11));
    let error = config.check_routes(&routes("limits: {backoff_initial: 3s}"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("backoff_initial of route \"B\" is longer"),
        "{error}"
    );
    assert!(
        config
            .check_routes(&routes("limits: {backoff_initial: 3s, backoff_max: 4s}"))
            .is_ok()
    );
}
