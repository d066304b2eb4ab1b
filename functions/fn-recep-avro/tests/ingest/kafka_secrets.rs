//! No output of the function contains a secret of the Kafka connection.

use std::path::Path;

use testkit::agent::{Agent, Call};
use testkit::user::User;
use testkit::{echo_broker, kafka_secrets};

use super::config::run;

#[tokio::test]
async fn no_secret_of_the_connection_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, tokens) = kafka_secrets::cases(folder.path()).unwrap();
    // It repeats what it receives as a password or token.
    let broker = echo_broker::start(0).unwrap();
    let datum = User::new(1010, "a").encode();
    for case in &cases {
        let mut settings: Vec<(&str, &str)> = case
            .settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        settings.push(("KAFKA_BOOTSTRAP_SERVERS", &broker));
        settings.push(("PUBLISH_TIMEOUT", "500ms"));
        let (code, out, err) = run(&["--print-config"], &settings);
        assert_eq!(code, Some(0), "{err}");
        let binary = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
        let mut function = Agent::start(binary, &settings).await.unwrap();
        let reply = function.call(Call::direct(datum.clone())).await.unwrap();
        assert_eq!(reply.status, 503, "{reply:?}");
        let all = format!("{out}{err}{}{}", function.log(), reply.json().unwrap());
        assert!(all.contains("[redacted]"), "{all}");
        for secret in &case.secrets {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
    assert!(tokens.count() > 0);
}
