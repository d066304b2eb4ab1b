//! No output of `forward` contains a secret of the Kafka connection.

use testkit::{echo_broker, kafka_secrets};

use crate::{forward, printed};

#[tokio::test]
async fn no_secret_of_the_connection_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, tokens) = kafka_secrets::cases(folder.path()).unwrap();
    // It repeats what it receives as a password or token.
    let broker = echo_broker::start(0).unwrap();
    let mut runs = Vec::new();
    for case in &cases {
        for arguments in [
            &["settings"][..],
            &["settings", "--kafka"],
            &["check"],
            &["check", "--output", "json"],
            &["run", "--output", "json"],
        ] {
            let mut command = forward(arguments);
            command
                .env("KAFKA_BOOTSTRAP_SERVERS", &broker)
                .env("API_TYPE_A_URL", "http://127.0.0.1:1/")
                .env("API_TYPE_B_URL", "http://127.0.0.1:1/")
                .env("START_TIMEOUT", "2s")
                .envs(case.settings.iter().map(|(name, value)| (name, value)));
            let output = tokio::spawn(async move { command.output().await });
            runs.push((case, arguments, output));
        }
    }
    for (case, arguments, run) in runs {
        let all = printed(&run.await.unwrap().unwrap());
        assert!(
            all.contains("KAFKA") || all.contains("kafka"),
            "{arguments:?}: {all}"
        );
        for secret in &case.secrets {
            assert!(!all.contains(secret), "{secret} in {arguments:?}: {all}");
        }
    }
    assert!(tokens.count() > 0);
}
