//! A broker with SASL OAUTHBEARER that verifies tokens as Amazon MSK does: `MskValidator.java` recomputes their signature.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::agent::{Agent, Call};
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::kafka::{Kafka, Options};
use testkit::program;
use testkit::user::User;

use crate::endpoints::accepting;
use crate::stage::Stage;

const SECRET: &str = "hunter2-aws";

/// A broker whose sessions end after three seconds, so that clients authenticate again (KIP-368).
pub(crate) fn start() -> Kafka {
    let listener = "listener.name.sasl_ssl";
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/MskValidator.java");
    Kafka::start(&Options {
        sasl_ssl: true,
        fast_join: true,
        source: Some(source.into()),
        set: vec![
            "sasl.enabled.mechanisms=OAUTHBEARER".to_owned(),
            format!("{listener}.sasl.enabled.mechanisms=OAUTHBEARER"),
            format!("{listener}.oauthbearer.sasl.jaas.config={module} required;"),
            format!("{listener}.oauthbearer.sasl.server.callback.handler.class=MskValidator"),
            format!("{listener}.oauthbearer.connections.max.reauth.ms=3000"),
        ],
        ..Options::default()
    })
    .unwrap()
}

/// The settings of a client without credentials.
pub(crate) fn settings(kafka: &Kafka) -> Vec<(String, String)> {
    let environment = kafka.environment();
    let of_broker = environment.filter(|(name, _)| {
        !matches!(
            *name,
            "KAFKA_USERNAME" | "KAFKA_PASSWORD" | "KAFKA_SASL_MECHANISM"
        )
    });
    let iam = [
        ("KAFKA_SASL_MECHANISM", "AWS_MSK_IAM"),
        ("KAFKA_AWS_REGION", "eu-west-1"),
    ];
    let all = of_broker.chain(iam);
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The instance metadata service, with credentials that expire after four seconds.
fn instance() -> Endpoint {
    let count = AtomicUsize::new(0);
    let script = move |request: &Request| match request.target.as_str() {
        "/latest/api/token" => Answer::ok().body("hunter2-imds"),
        "/latest/meta-data/iam/security-credentials/" => Answer::ok().body("orders"),
        _ => {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let at = seconds_from_now(4);
            Answer::ok().body(format!(
                r#"{{"AccessKeyId":"ASIA{number}","SecretAccessKey":"{SECRET}","Token":"hunter2/{number}","Expiration":"{at}"}}"#
            ))
        }
    };
    Endpoint::start(script).unwrap()
}

fn seconds_from_now(seconds: u64) -> String {
    let at = jiff::Timestamp::now() + Duration::from_secs(seconds);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn job_and_function_authenticate_with_tokens_for_amazon_msk() {
    let kafka = start();
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "msk", 1, &[]).await.to(&a, &b);
    for (name, value) in settings(&kafka) {
        stage.set(&name, value);
    }
    stage.write_users(1, "a", 3, 1);
    stage.set("AWS_ACCESS_KEY_ID", "AKIA1");
    stage.set("AWS_SECRET_ACCESS_KEY", "hunter2-wrong");
    let (code, checks) = stage.check();
    assert_eq!(code, 74, "{checks:?}");
    let broker = checks["broker"].to_string();
    assert!(broker.contains("rejects the access token"), "{broker}");
    assert!(broker.contains("kafka-cluster:Connect"), "{broker}");
    let run = stage.run();
    assert_eq!(run.code, 74, "{}", run.log);
    assert!(!run.log.contains("hunter2"), "{}", run.log);
    stage.set("AWS_SECRET_ACCESS_KEY", SECRET);
    let run = stage.run();
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(stage.committed_offset(0), 3);

    program::build_all().await.unwrap();
    let function = program::built("fn-recep-avro").unwrap();
    let imds = instance();
    let mut variables = settings(&kafka);
    for (name, value) in [
        ("KAFKA_TOPIC", stage.topic.clone()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url()),
        ("LOG_LEVEL", "debug".to_owned()),
    ] {
        variables.push((name.to_owned(), value));
    }
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut function = Agent::start(Path::new(&function), &variables)
        .await
        .unwrap();
    // Credentials, tokens and sessions of the broker expire in between.
    let (mut stored, end) = (0, Instant::now() + Duration::from_secs(12));
    while Instant::now() < end {
        let datum = User::new(1010, "a").encode();
        let reply = function.call(Call::direct(datum)).await.unwrap();
        assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
        stored += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(imds.count() >= 9, "{} requests", imds.count());
    assert!(!function.log().contains("hunter2"), "{}", function.log());

    // A job whose credentials expire during its run.
    stage.set("AWS_ACCESS_KEY_ID", "");
    stage.set("AWS_SECRET_ACCESS_KEY", "");
    stage.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url());
    let slow = Endpoint::always(Answer::ok().after(Duration::from_millis(1000))).unwrap();
    stage = stage.to(&slow, &slow);
    stage.set("MAX_IN_FLIGHT", (stored / 6).max(1).to_string());
    let run = stage.run();
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(stage.committed_offset(0), 3 + stored);
    assert!(!run.log.contains("hunter2"), "{}", run.log);
}
