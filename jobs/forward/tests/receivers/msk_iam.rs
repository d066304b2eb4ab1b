//! Tokens for Amazon MSK, compared with those of AWS's signer for Python.

use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use msk_iam::{Credentials, presign};
use runtime::secret::Secret;
use serde_json::json;

use super::PYTHON;

#[test]
#[ignore = "installs packages from PyPI"]
fn tokens_are_equal_to_those_of_another_signer() {
    let long = "x".repeat(1500);
    let mut cases = Vec::new();
    for (id, secret, token) in [
        (
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            None,
        ),
        ("ASIAEXAMPLE", "secret", Some("IQoJb3JpZ2luX2VjE+/=")),
        ("ASIAEXAMPLE", "é %&=", Some(long.as_str())),
    ] {
        for region in ["us-east-1", "eu-central-1", "cn-north-1"] {
            for time in [0, 951_782_399, 1_700_000_000, 4_102_444_799_i64] {
                cases.push((id, secret, token, region, time));
            }
        }
    }
    let json: Vec<_> = cases
        .iter()
        .map(|(id, secret, token, region, time)| {
            json!({"id": id, "secret": secret, "token": token, "region": region, "time": time})
        })
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!(json).to_string()).unwrap();
    let output = Command::new(PYTHON)
        .arg("signer.py")
        .arg(file.path())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let mut lines = output.lines();
    let user_agent = lines.next().unwrap();
    let tokens: Vec<_> = lines.collect();
    assert_eq!(tokens.len(), cases.len());
    for (case, expected) in cases.iter().zip(tokens) {
        let (id, secret, token, region, time) = case;
        let credentials = Credentials {
            access_key_id: (*id).to_owned(),
            secret_access_key: Secret::new(*secret),
            session_token: token.map(Secret::new),
            expires_at: None,
        };
        let now = UNIX_EPOCH + Duration::from_secs(*time as u64);
        let token = presign(&credentials, region, now, user_agent).unwrap();
        assert_eq!(token.reveal(), expected, "{case:?}");
    }
}
