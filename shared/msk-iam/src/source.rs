//! Where credentials come from.

use std::path::{Path, PathBuf};

use oauth2::TokenError;
use reqwest::{Method, Url};
use runtime::files;
use runtime::host::is_loopback;
use runtime::secret::Secret;
use runtime::text::percent_encode;

use crate::Credentials;
use crate::http::Http;
use crate::response;

/// The address of the instance metadata service.
const INSTANCE: &str = "http://169.254.169.254";

/// The address of the credentials of a task of Amazon ECS.
const TASK: &str = "http://169.254.170.2";

/// The addresses that may be sent credentials without TLS: those of Amazon ECS and EKS.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// The maximum size of a file with a token, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// How credentials are obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`: also those of AWS Lambda.
    Environment(Credentials),
    /// The role of a web identity, as Amazon EKS gives it to a service account.
    WebIdentity {
        /// The file with the web identity's token.
        token_file: PathBuf,
        /// The role to assume.
        role_arn: String,
        /// The name of the session.
        session_name: String,
        /// The endpoint of AWS STS.
        endpoint: Url,
    },
    /// The endpoint of the container: a task of Amazon ECS, or a pod of Amazon EKS.
    Container {
        /// The URL of the credentials.
        url: Url,
        /// The file with the value of `Authorization`, or the value.
        authorization: Option<Authorization>,
    },
    /// The role of the virtual machine, from its metadata service, version 2.
    Instance {
        /// The address of the service.
        endpoint: Url,
    },
}

/// The value of `Authorization` for the endpoint of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// It is read for each request, because it is replaced.
    File(PathBuf),
    /// The value.
    Value(Secret),
}

impl CredentialSource {
    /// The source that these variables of the process select; the virtual machine's role if there are none. The order is
    /// that of AWS's SDKs.
    ///
    /// # Errors
    /// A variable is malformed, or belongs to another one that is missing.
    pub fn from_environment(
        variable: &dyn Fn(&str) -> Option<String>,
        region: &str,
    ) -> Result<Self, String> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let url = |name: &str, text: &str| {
            Url::parse(text).map_err(|_| format!("{name} is not the URL of an endpoint"))
        };
        match (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret)) => {
                let credentials = Credentials {
                    access_key_id,
                    secret_access_key: Secret::new(secret),
                    session_token: given("AWS_SESSION_TOKEN").map(Secret::new),
                    expires_at: None,
                };
                credentials.protect();
                return Ok(Self::Environment(credentials));
            }
            (None, None) => {}
            _ => {
                return Err(
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set both or neither"
                        .to_owned(),
                );
            }
        }
        if let Some(file) = given("AWS_WEB_IDENTITY_TOKEN_FILE") {
            let name = "AWS_ENDPOINT_URL_STS";
            let endpoint = given(name).unwrap_or_else(|| sts(region));
            return Ok(Self::WebIdentity {
                token_file: file.into(),
                role_arn: given("AWS_ROLE_ARN")
                    .ok_or("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not")?,
                session_name: given("AWS_ROLE_SESSION_NAME")
                    .unwrap_or_else(|| "frontdoor".to_owned()),
                endpoint: url(name, &endpoint)?,
            });
        }
        let relative = given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let full = given("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        if let Some(text) = relative.map(|path| format!("{TASK}{path}")).or(full) {
            let file = given("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from);
            let value = given("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new);
            return Ok(Self::Container {
                url: container_url(&text)?,
                authorization: file
                    .map(Authorization::File)
                    .or(value.map(Authorization::Value)),
            });
        }
        if given("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value == "true") {
            return Err(
                "no AWS credentials: AWS_EC2_METADATA_DISABLED is true, and AWS_ACCESS_KEY_ID is not set"
                    .to_owned(),
            );
        }
        let name = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
        let endpoint = given(name).unwrap_or_else(|| INSTANCE.to_owned());
        Ok(Self::Instance {
            endpoint: url(name, &endpoint)?,
        })
    }

    /// What it is called in logs and errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Environment(_) => "AWS credentials of the environment",
            Self::WebIdentity { .. } => "AWS credentials of the web identity",
            Self::Container { .. } => "AWS credentials of the container",
            Self::Instance { .. } => "AWS credentials of the instance",
        }
    }

    /// Obtains the credentials.
    pub(crate) async fn load(&self) -> Result<Credentials, TokenError> {
        let credentials = match self {
            Self::Environment(credentials) => return Ok(credentials.clone()),
            Self::WebIdentity {
                token_file,
                role_arn,
                session_name,
                endpoint,
            } => web_identity(token_file, role_arn, session_name, endpoint).await?,
            Self::Container { url, authorization } => container(url, authorization).await?,
            Self::Instance { endpoint } => instance(endpoint).await?,
        };
        credentials.protect();
        Ok(credentials)
    }
}

fn sts(region: &str) -> String {
    let domain = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("https://sts.{region}.{domain}/")
}

fn container_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| match url.host_str() {
        None => false,
        Some(host) => {
            url.scheme() == "https"
                || url.scheme() == "http" && (is_loopback(host) || CONTAINER_HOSTS.contains(&host))
        }
    });
    url.ok_or_else(|| {
        "the URL of the container's credentials must have https, or an address of Amazon ECS, Amazon EKS or this machine"
            .to_owned()
    })
}

async fn web_identity(
    token_file: &Path,
    role_arn: &str,
    session_name: &str,
    endpoint: &Url,
) -> Result<Credentials, TokenError> {
    let token = token(token_file)?;
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={}",
        percent_encode(role_arn),
        percent_encode(session_name),
        percent_encode(token.reveal()),
    );
    let http = Http::remote("AWS STS")?;
    let text = http.post_form(endpoint, &Secret::new(body)).await?;
    response::of_sts(&text)
}

async fn container(
    url: &Url,
    authorization: &Option<Authorization>,
) -> Result<Credentials, TokenError> {
    let value = match authorization {
        None => None,
        Some(Authorization::Value(value)) => Some(value.clone()),
        Some(Authorization::File(file)) => Some(token(file)?),
    };
    let header = value.as_ref().map(|value| ("authorization", value));
    let http = Http::local("the container's endpoint")?;
    let text = http.request(Method::GET, url, header).await?;
    response::of_metadata(&text)
}

/// IMDSv2: a session token, the name of the role, its credentials ("Retrieve security credentials from instance metadata").
async fn instance(endpoint: &Url) -> Result<Credentials, TokenError> {
    let http = Http::local("the metadata service")?;
    let at = |path: &str| {
        let joined = endpoint.join(path);
        joined.map_err(|error| TokenError::Refused(error.to_string()))
    };
    let lifetime = Secret::new("300");
    let header = ("x-aws-ec2-metadata-token-ttl-seconds", &lifetime);
    let url = at("latest/api/token")?;
    let token = http.request(Method::PUT, &url, Some(header)).await?;
    let token = Secret::new(token.trim());
    let header = Some(("x-aws-ec2-metadata-token", &token));
    let roles = "latest/meta-data/iam/security-credentials/";
    let names = http.request(Method::GET, &at(roles)?, header).await?;
    let role = names.lines().next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if role.is_empty() || role.starts_with('.') || !role.chars().all(is_name) {
        let reason = "the metadata service names no role: attach one to the instance";
        return Err(TokenError::Refused(reason.to_owned()));
    }
    let url = at(&format!("{roles}{role}"))?;
    let text = http.request(Method::GET, &url, header).await?;
    response::of_metadata(&text)
}

/// The token in a file. A file that is just being replaced can be read later.
fn token(file: &Path) -> Result<Secret, TokenError> {
    let text = files::read_text(file, MAX_TOKEN);
    let text = text.map_err(|reason| {
        TokenError::Unavailable(format!("reading {}: {reason}", file.display()))
    })?;
    let token = Secret::new(text.trim());
    runtime::redact::protect(&file.display().to_string(), [token.clone()]);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(variables: &[(&str, &str)]) -> Result<CredentialSource, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        CredentialSource::from_environment(&variable, "cn-north-1")
    }

    #[test]
    fn the_environment_selects_the_source_in_the_order_of_the_sdks() {
        let key = [
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let identity = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/a"),
        ];
        let task = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")];
        let all: Vec<_> = [&key[..], &identity[..], &task[..]].concat();
        let found = source(&all).unwrap();
        assert!(matches!(found, CredentialSource::Environment(_)));
        assert!(!format!("{found:?}").contains("hunter2"));
        match source(&all[2..]).unwrap() {
            CredentialSource::WebIdentity { endpoint, .. } => {
                assert_eq!(
                    endpoint.as_str(),
                    "https://sts.cn-north-1.amazonaws.com.cn/"
                );
            }
            other => panic!("{other:?}"),
        }
        match source(&task).unwrap() {
            CredentialSource::Container { url, authorization } => {
                assert_eq!(url.as_str(), "http://169.254.170.2/v2/credentials");
                assert_eq!(authorization, None);
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            source(&[]).unwrap(),
            CredentialSource::Instance { .. }
        ));
        for (variables, part) in [
            (&key[..1], "go together"),
            (&identity[..1], "AWS_ROLE_ARN"),
            (&[("AWS_EC2_METADATA_DISABLED", "true")][..], "no AWS"),
            (&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "x")][..], "URL"),
        ] {
            let error = source(variables).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn credentials_of_a_container_are_not_requested_without_tls_from_elsewhere() {
        for (url, is_accepted) in [
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://localhost:51679/get", true),
            ("https://credentials.example/", true),
            ("http://credentials.example/", false),
            ("http://169.254.170.2.example/", false),
            ("http://169.254.170.2@other.example/", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(container_url(url).is_ok(), is_accepted, "{url}");
        }
    }
}
