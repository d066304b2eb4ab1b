//! The settings of Amazon MSK with IAM.

use msk_iam::{CredentialSource, MskTokens};
use oauth2::TokenSource;
use settings::{SettingError, Settings};

use crate::profile::aws_region;
use crate::settings::KAFKA_AWS_REGION;
use crate::tokens::Tokens;

/// The value of `KAFKA_SASL_MECHANISM`, and the name in errors. The mechanism of the protocol is OAUTHBEARER.
pub(crate) const AWS_MSK_IAM: &str = "AWS_MSK_IAM";

/// The source of tokens. `variable` reads AWS's own variables of the process.
///
/// # Errors
/// The region is unknown or malformed, or a variable is.
pub(crate) fn tokens(
    settings: &Settings,
    bootstrap: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Tokens, SettingError> {
    let wrong = |reason: String| SettingError::Contradiction(reason);
    let found = settings.optional(&KAFKA_AWS_REGION).map(str::to_owned);
    let found = found
        .or_else(|| aws_region(bootstrap).map(str::to_owned))
        .or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"))
        .ok_or_else(|| wrong("AWS_MSK_IAM needs a region: set KAFKA_AWS_REGION".to_owned()))?;
    // A part of a host name.
    let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if found.is_empty() || found.len() > 63 || !found.chars().all(is_label) {
        return Err(wrong(format!(
            "{found:?} is not a region of AWS: set KAFKA_AWS_REGION"
        )));
    }
    let credentials = CredentialSource::from_environment(variable, &found).map_err(wrong)?;
    Ok(Tokens {
        source: TokenSource::of(MskTokens::new(credentials, &found)),
        principal: AWS_MSK_IAM.to_owned(),
        extensions: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::tests::kafka;

    const MSK: &str = "b-1.demo.a1.c2.kafka.us-east-1.amazonaws.com:9098";

    #[tokio::test]
    async fn the_port_of_msk_selects_iam_unless_there_are_other_credentials() {
        let iam = [("KAFKA_BOOTSTRAP_SERVERS", MSK)];
        let config = kafka(&iam).await.unwrap().reader("group");
        assert_eq!(config.get("sasl.mechanism"), Some("OAUTHBEARER"));
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert!(config.tokens.is_some());
        let user = [iam[0], ("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "p")];
        let config = kafka(&user).await.unwrap().reader("group");
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert!(config.tokens.is_none());
    }

    #[tokio::test]
    async fn the_mechanism_needs_a_region_and_no_user() {
        let other = [
            ("KAFKA_BOOTSTRAP_SERVERS", "broker.example:9098"),
            ("KAFKA_SASL_MECHANISM", "AWS_MSK_IAM"),
        ];
        let error = kafka(&other).await.unwrap_err();
        assert!(error.contains("KAFKA_AWS_REGION"), "{error}");
        let with = |more: &[_]| [&other[..], more].concat();
        assert!(
            kafka(&with(&[("KAFKA_AWS_REGION", "eu-west-1")]))
                .await
                .is_ok()
        );
        let error = kafka(&with(&[("KAFKA_AWS_REGION", "evil.example/")])).await;
        assert!(error.unwrap_err().contains("not a region"));
        let user = [("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "p")];
        let error = kafka(&with(&user)).await.unwrap_err();
        assert!(error.contains("KAFKA_USERNAME is set"), "{error}");
    }
}
