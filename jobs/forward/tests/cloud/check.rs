//! The report of `forward check`.

use testkit::endpoint::{Answer, Endpoint};
use testkit::oci_standin::NAMESPACE;

use crate::{Fixture, text};

#[tokio::test]
async fn a_complete_setup_prints_one_line_for_each_check_and_exits_with_0() {
    let fixture = Fixture::new().await;
    let output = fixture.check(&[]).await;
    let text = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let names: Vec<String> = lines
        .iter()
        .map(|words| {
            assert_eq!(words[0], "ok", "{text}");
            if words[1] == "endpoint" {
                words[1..3].join(" ")
            } else {
                words[1].to_owned()
            }
        })
        .collect();
    assert_eq!(
        names,
        [
            "principal",
            "namespace",
            "config_location",
            "kafka_bootstrap_servers",
            "kafka_topic",
            "api_type_a_url",
            "api_type_b_url",
            "api_type_a_token",
            "avro_schema",
            "settings",
            "routes",
            "schema",
            "broker",
            "topic",
            "group",
            "dead_letter_topic",
            "endpoint A",
            "endpoint B"
        ]
    );
    assert!(
        text.contains(NAMESPACE) && text.contains("FrontDoorTopic, 3 partitions"),
        "{text}"
    );
    assert_eq!(fixture.a.requests().len(), 1);
    assert_eq!(fixture.a.requests()[0].method, "GET");
    assert_eq!(
        fixture.a.requests()[0].header("authorization"),
        Some("Bearer canary-a")
    );
}

#[tokio::test]
async fn all_failed_checks_are_reported_with_advice() {
    let mut fixture = Fixture::new().await;
    fixture.oci.cloud.expire_secret("api_type_a_token");
    fixture
        .oci
        .set("AVRO_SCHEMA", "oci://avro-schema-bucket/nothing");
    fixture.oci.set("KAFKA_TOPIC", "no-such-topic");
    fixture.oci.set("API_TYPE_B_URL", "http://127.0.0.1:1/");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    for (name, message) in [
        (
            "api_type_a_token",
            "its content expired at 2020-01-01T00:00:00.000Z; create a new version of the secret",
        ),
        ("avro_schema", "404 ObjectNotFound"),
        (
            "avro_schema",
            "check the name or OCID, and that a policy lets this principal read it",
        ),
        (
            "endpoint B",
            "http://127.0.0.1:1/: no connection: Connection refused",
        ),
    ] {
        assert!(failures[name].contains(message), "{failures:?}");
    }
    assert!(!failures.contains_key("endpoint A"), "{failures:?}");
}

#[tokio::test]
async fn a_missing_principal_is_reported_once() {
    let mut fixture = Fixture::new().await;
    fixture.oci.set("OCI_RESOURCE_PRINCIPAL_RPST", "/nowhere");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert!(
        failures["principal"].contains("OCI_RESOURCE_PRINCIPAL_RPST names /nowhere: No such file"),
        "{failures:?}"
    );
    assert!(
        failures["config_location"].ends_with("not read: see principal; "),
        "{failures:?}"
    );
}

#[tokio::test]
async fn checks_that_depend_on_an_unread_source_refer_to_it() {
    let fixture = Fixture::new().await;
    fixture.oci.put_config("kafka_topic=a\nauth_tokne=canary");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert_eq!(
        failures["config_location"],
        "oci://config/config.properties: line 2: unknown setting \"auth_tokne\"; --help lists the settings; "
    );
    for name in ["settings", "routes", "schema"] {
        let message = failures.get(name).map_or("", String::as_str);
        assert_eq!(
            message, ": not checked: see config_location; ",
            "{failures:?}"
        );
    }
    let fixture = Fixture::new().await;
    fixture.oci.cloud.expire_secret("kafka_bootstrap_servers");
    let (_, failures) = fixture.failures().await;
    assert_eq!(
        failures["settings"],
        ": not checked: see kafka_bootstrap_servers; "
    );
    assert!(!failures.contains_key("schema"), "{failures:?}");
}

#[tokio::test]
async fn an_unreachable_broker_is_reported_within_its_timeout() {
    let mut fixture = Fixture::new().await;
    fixture.oci.set("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1");
    fixture.oci.set("START_TIMEOUT", "1s");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 74);
    assert!(
        failures["broker"].contains("connection refused: nothing listens"),
        "{failures:?}"
    );
    assert!(
        failures["broker"].contains("check that the broker is running"),
        "{failures:?}"
    );
    fixture
        .oci
        .set("KAFKA_BOOTSTRAP_SERVERS", "no-such-host.invalid:9092");
    let (_, failures) = fixture.failures().await;
    assert!(
        failures["broker"].contains("the host name does not resolve")
            && failures["broker"].contains("check KAFKA_BOOTSTRAP_SERVERS"),
        "{failures:?}"
    );
}

#[tokio::test]
async fn an_unresponsive_broker_and_endpoint_are_reported_within_their_timeouts() {
    let mut fixture = Fixture::new().await;
    // The listener accepts connections and never responds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    fixture.oci.set("KAFKA_BOOTSTRAP_SERVERS", &address);
    fixture.oci.set("START_TIMEOUT", "1s");
    fixture
        .oci
        .set("API_TYPE_A_URL", format!("http://{address}/"));
    fixture
        .oci
        .set("API_TYPE_B_URL", format!("https://{address}/"));
    fixture.oci.set("REQUEST_TIMEOUT", "1s");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 74);
    assert!(
        failures["broker"]
            .contains("the port accepts connections, but answers no Kafka request; check that"),
        "{failures:?}"
    );
    for name in ["endpoint A", "endpoint B"] {
        assert!(
            failures[name].contains("no response within 1s; check that it is running"),
            "{failures:?}"
        );
    }
}

#[tokio::test]
async fn the_status_of_an_endpoint_is_a_failure_a_warning_or_neither() {
    let mut fixture = Fixture::new().await;
    for (status, result, code, message) in [
        (
            401,
            "warning",
            0,
            "responds 401 Unauthorized to GET; check the credentials",
        ),
        (
            404,
            "warning",
            0,
            "responds 404 Not Found to GET; the path does not exist",
        ),
        (405, "ok", 0, "responds 405 Method Not Allowed to GET"),
        (501, "ok", 0, "responds 501 Not Implemented to GET"),
        (
            503,
            "failed",
            75,
            "responds 503 Service Unavailable to GET; see the log",
        ),
    ] {
        fixture.a = Endpoint::always(Answer::status(status)).unwrap();
        let url = fixture.a.url();
        fixture.oci.set("API_TYPE_A_URL", url);
        let (exit_code, messages) = fixture.messages(result).await;
        assert_eq!(exit_code, code, "{status}");
        let found = messages["endpoint A"].as_str();
        assert!(found.contains(message), "{found}");
    }
}

#[tokio::test]
async fn what_is_accepted_but_not_intended_is_a_warning() {
    let mut fixture = Fixture::new().await;
    let lines = format!(
        "kafka_bootstrap_servers={}\nkafka_username=u\nkafka_security_protocol=sasl_plaintext\nkafka_password=canary\n",
        fixture.broker.bootstrap()
    );
    let routes = r#"{"version":1,"routes":[{"name":"A","when":"id == 1","url":"http://127.0.0.1:1/","auth":{"bearer":"canary"}}]}"#;
    fixture
        .oci
        .cloud
        .put_object("config", "config.properties", lines.as_bytes());
    fixture
        .oci
        .cloud
        .put_object("config", "routes.json", routes.as_bytes());
    fixture.oci.set("ROUTES", "oci://config/routes.json");
    fixture.oci.set("MAX_IN_FLIGT", "1");
    let (_, warnings) = fixture.messages("warning").await;
    for (name, message) in [
        (
            "environment",
            "MAX_IN_FLIGT is not a setting and is ignored: use MAX_IN_FLIGHT",
        ),
        (
            "kafka_password",
            "KAFKA_PASSWORD is in config.properties in plain text; put it into the vault",
        ),
        ("routes", "1 of 1 routes have a secret in plain text"),
    ] {
        let found = warnings.get(name).map_or("", String::as_str);
        assert!(found.contains(message), "{name}: {warnings:?}");
    }
}

#[tokio::test]
async fn a_suspicious_condition_is_a_warning() {
    let mut fixture = Fixture::new().await;
    let routes =
        r#"{"version":1,"routes":[{"name":"A","when":"true","url":"http://127.0.0.1:1/"}]}"#;
    let lines = format!("kafka_bootstrap_servers={}\n", fixture.broker.bootstrap());
    fixture
        .oci
        .cloud
        .put_object("config", "config.properties", lines.as_bytes());
    fixture
        .oci
        .cloud
        .put_object("config", "routes.json", routes.as_bytes());
    fixture.oci.set("ROUTES", "oci://config/routes.json");
    let (_, warnings) = fixture.messages("warning").await;
    assert!(
        warnings["routes"].contains("route \"A\" matches every record"),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn the_dead_letter_topic_and_the_window_are_checked() {
    let mut fixture = Fixture::new().await;
    fixture.oci.set("DEAD_LETTER_TOPIC", "no-such-topic");
    fixture.oci.set("WINDOW_END", "0:5");
    let (code, warnings) = fixture.messages("warning").await;
    assert_eq!(code, 0);
    assert!(
        warnings["dead_letter_topic"].contains("no-such-topic does not exist; create it"),
        "{warnings:?}"
    );
    assert!(
        warnings["window"]
            .contains("WINDOW_END is beyond the end of the log, offset 0 of partition 0"),
        "{warnings:?}"
    );
    fixture.oci.set("WINDOW_END", "0:5,7:1");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert!(
        failures["window"].contains("names partition 7"),
        "{failures:?}"
    );
    fixture.oci.set("WINDOW_START", "0:5");
    fixture.oci.set("WINDOW_END", "now");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert!(
        failures["window"].contains("WINDOW_START is beyond"),
        "{failures:?}"
    );
}

#[tokio::test]
async fn all_wrong_routes_are_reported_and_the_endpoints_of_the_others_are_checked() {
    let mut fixture = Fixture::new().await;
    let lines = format!("kafka_bootstrap_servers={}\n", fixture.broker.bootstrap());
    let routes = format!(
        "version: 1
routes:
- {{name: A, when: id == 1, url: '{}'}}
- {{name: B, when: idd == 1, url: 'http://127.0.0.1:1/'}}
- {{name: C, when: id == 3, url: 'http://127.0.0.1:1/', batch: 0}}
- {{name: D, when: id == 4, url: 'http://127.0.0.1:1/', batch: x}}
",
        fixture.a.url()
    );
    let cloud = &fixture.oci.cloud;
    cloud.put_object("config", "config.properties", lines.as_bytes());
    cloud.put_object("config", "routes.yaml", routes.as_bytes());
    fixture.oci.set("ROUTES", "oci://config/routes.yaml");
    let output = fixture.check(&[]).await;
    assert_eq!(output.status.code(), Some(78));
    let text = text(&output.stdout);
    for expected in [
        "FAIL  routes             line 4, route \"B\": idd == 1: ",
        "FAIL  routes             line 5, route \"C\": batch is 0",
        "FAIL  routes             invalid u64 at line 6",
        "ok    endpoint A ",
        "FAIL  endpoint B ",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(
        !text.contains("endpoint C") && !text.contains("endpoint D"),
        "{text}"
    );
}
