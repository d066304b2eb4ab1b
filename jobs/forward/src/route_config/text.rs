//! The routes file as it is written: YAML, of which JSON is a part. References are not replaced. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answers::AnswersText;
use super::format::FormatText;
use super::limits::{OrderText, RouteLimits};
use super::shape::MethodText;

/// One route.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteText {
    pub(super) name: String,
    pub(super) when: String,
    pub(super) url: String,
    pub(super) auth: Option<AuthText>,
    pub(super) sign: Option<SignText>,
    pub(super) tls: Option<TlsText>,
    #[serde(default = "one")]
    pub(super) batch: usize,
    pub(super) format: Option<FormatText>,
    #[serde(default)]
    pub(super) method: MethodText,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) kafka_headers: Vec<String>,
    pub(super) body: Option<String>,
    pub(super) tombstones: Option<TombstonesText>,
    pub(super) order: Option<OrderText>,
    #[serde(default)]
    pub(super) limits: RouteLimits,
    #[serde(default)]
    pub(super) success_on: Vec<String>,
    #[serde(default)]
    pub(super) retry_on: Vec<String>,
    #[serde(default)]
    pub(super) drop_on: Vec<String>,
    pub(super) answers: Option<AnswersText>,
}

/// How requests are authorized: one of its members. Not an enum: an error about its variants would repeat a secret that is
/// written in the wrong place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthText {
    /// A fixed bearer token.
    pub(super) bearer: Option<String>,
    /// User name and password.
    pub(super) basic: Option<BasicText>,
    /// A header, such as an API key.
    pub(super) header: Option<HeaderText>,
    /// A token of an authorization server.
    pub(super) oauth2: Option<OAuth2Text>,
    /// A signature of the Oracle Cloud principal.
    pub(super) oci: Option<OciText>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicText {
    pub(super) username: String,
    pub(super) password: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderText {
    pub(super) name: String,
    pub(super) value: String,
}

/// The client credentials grant (RFC 6749, section 4.4).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuth2Text {
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) token_endpoint_auth_method: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    /// The TLS configuration of the token endpoint.
    pub(super) tls: Option<TlsText>,
}

/// No members: `{}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OciText {}

/// How requests are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignText {
    /// The secrets of Standard Webhooks.
    pub(super) standard_webhooks: Vec<String>,
}

/// The requests for records without a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TombstonesText {
    pub(super) url: String,
    #[serde(default)]
    pub(super) success_on: Vec<String>,
}

/// The TLS configuration: paths or PEM texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsText {
    pub(super) ca: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

impl AuthText {
    /// The number of members.
    pub(super) fn members(&self) -> usize {
        let Self {
            bearer,
            basic,
            header,
            oauth2,
            oci,
        } = self;
        let all = [
            bearer.is_some(),
            basic.is_some(),
            header.is_some(),
            oauth2.is_some(),
            oci.is_some(),
        ];
        all.into_iter().filter(|is_set| *is_set).count()
    }
}

fn one() -> usize {
    1
}
