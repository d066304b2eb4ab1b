//! How the requests of a route are authorized.

use std::sync::Arc;

use delivery::request::{FixedHeader, NoAuthorization, RequestAuthorization};
use delivery::transport::TlsFiles;
use http::HeaderName;
use oauth2::{AuthMethod, ClientCredentials, TokenSource};
use oci::RequestSigner;
use runtime::secret::Secret;
use settings::Settings;

use super::reserved::is_reserved;
use super::sources::Sources;
use super::text::{AuthText, BasicText, HeaderText, OAuth2Text};
use crate::authorization::{AccessToken, OciSignature};

/// How requests are authorized.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// With a fixed bearer token (RFC 6750).
    Bearer(Secret),
    /// With user name and password (RFC 7617).
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// With a header, such as an API key.
    Header {
        /// Its name.
        name: HeaderName,
        /// Its value.
        value: Secret,
    },
    /// With a token of an authorization server (RFC 6749, section 4.4). Routes with equal credentials share the source.
    OAuth2 {
        /// The credentials of the client.
        credentials: ClientCredentials,
        /// The TLS configuration of the token endpoint; `None`: that of the system.
        tls: Option<Arc<TlsFiles>>,
        /// Its tokens.
        source: TokenSource,
    },
    /// With a signature of the job's Oracle Cloud principal, which all routes share.
    Oci(Arc<RequestSigner>),
}

/// What a secret is while it is not known. It is valid in every member, except as a secret of a signature and in `tls`.
const STAND_IN: &str = "(unknown)";

/// Reads the secrets of one route.
pub(super) struct Secrets<'s> {
    settings: &'s Settings,
    /// Whether a secret is in the file itself.
    pub(super) has_inline: bool,
    /// The references whose values are not known, because the settings were read offline.
    pub(super) unknown: Vec<String>,
}

impl<'s> Secrets<'s> {
    pub(super) fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            has_inline: false,
            unknown: Vec::new(),
        }
    }

    /// The secret that a member's text is, or refers to; a stand-in if it is not known.
    ///
    /// # Errors
    /// A reference is malformed or has no value.
    pub(super) fn read(&mut self, text: &str) -> Result<Secret, String> {
        if self.is_unknown(text) {
            return Ok(Secret::new(STAND_IN));
        }
        let expanded = self.settings.expand(text)?;
        self.has_inline |= !expanded.has_reference;
        Ok(expanded.text)
    }

    /// As [`Secrets::read`], for a text that need not be secret.
    pub(super) fn read_plain(&mut self, text: &str) -> Result<Secret, String> {
        if self.is_unknown(text) {
            return Ok(Secret::new(STAND_IN));
        }
        Ok(self.settings.expand(text)?.text)
    }

    /// Whether a text contains references whose values are not known. They are added to [`Secrets::unknown`].
    pub(super) fn is_unknown(&mut self, text: &str) -> bool {
        let unknown = self.settings.unknown(text);
        let is_unknown = !unknown.is_empty();
        for reference in unknown {
            if !self.unknown.contains(&reference) {
                self.unknown.push(reference);
            }
        }
        is_unknown
    }

    /// The text of a member that logs and errors may show.
    fn read_public(&self, member: &str, text: &str) -> Result<String, String> {
        let expanded = self.settings.expand(text)?;
        match expanded.has_secret {
            true => Err(format!("{member} contains a secret, which logs would show")),
            false => Ok(expanded.text.reveal().to_owned()),
        }
    }
}

impl Auth {
    pub(super) fn resolve(
        text: Option<AuthText>,
        secrets: &mut Secrets<'_>,
        sources: &mut Sources,
    ) -> Result<Self, String> {
        let Some(text) = text else {
            return Ok(Self::None);
        };
        let expected = "auth must have exactly one of bearer, basic, header, oauth2 and oci";
        match text.members() {
            1 => {}
            _ => return Err(expected.to_owned()),
        }
        if let Some(text) = text.bearer {
            return bearer_token(&text, secrets);
        }
        if let Some(text) = text.basic {
            return basic(&text, secrets);
        }
        if let Some(text) = text.header {
            return header(&text, secrets);
        }
        if let Some(text) = text.oauth2 {
            let credentials = client_credentials(&text, secrets)?;
            if text.tls.is_some() && credentials.token_url.scheme() != "https" {
                return Err(
                    "oauth2 has tls, and its token_url does not begin with https://".to_owned(),
                );
            }
            let tls = text.tls.map(|tls| tls.resolve(secrets)).transpose();
            let tls = tls.map_err(|error| format!("oauth2: {error}"))?.flatten();
            let source = sources.tokens(&credentials, tls.as_ref())?;
            return Ok(Self::OAuth2 {
                credentials,
                tls,
                source,
            });
        }
        Ok(Self::Oci(sources.signer(secrets.settings)?))
    }

    /// Whether an endpoint sees the same credentials.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) | (Self::Oci(_), Self::Oci(_)) => true,
            (Self::Bearer(one), Self::Bearer(two)) => one == two,
            (
                Self::Basic { username, password },
                Self::Basic {
                    username: name,
                    password: word,
                },
            ) => username == name && password == word,
            (
                Self::Header { name, value },
                Self::Header {
                    name: other_name,
                    value: other_value,
                },
            ) => name == other_name && value == other_value,
            (
                Self::OAuth2 {
                    credentials: one, ..
                },
                Self::OAuth2 {
                    credentials: two, ..
                },
            ) => one == two,
            _ => false,
        }
    }

    /// Whether requests carry credentials that another machine could use. A signature is valid for one request.
    pub fn has_credentials(&self) -> bool {
        !matches!(self, Self::None | Self::Oci(_))
    }

    /// The secrets that requests contain. The source of tokens registers its own.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None | Self::OAuth2 { .. } | Self::Oci(_) => Vec::new(),
            Self::Bearer(secret)
            | Self::Basic {
                password: secret, ..
            }
            | Self::Header { value: secret, .. } => {
                let is_known = secret.reveal() != STAND_IN;
                is_known.then(|| secret.clone()).into_iter().collect()
            }
        }
    }

    /// The authorization of requests.
    ///
    /// # Errors
    /// A value has characters that are not allowed in a header.
    pub(super) fn authorization(&self) -> Result<Arc<dyn RequestAuthorization>, String> {
        let fixed = match self {
            Self::None => return Ok(Arc::new(NoAuthorization)),
            Self::OAuth2 { source, .. } => return Ok(Arc::new(AccessToken(source.clone()))),
            Self::Oci(signer) => return Ok(Arc::new(OciSignature(Arc::clone(signer)))),
            Self::Bearer(token) => FixedHeader::bearer(token),
            Self::Basic { username, password } => FixedHeader::basic(username, password),
            Self::Header { name, value } => FixedHeader::new(name.clone(), value),
        };
        Ok(Arc::new(fixed.map_err(|error| error.to_string())?))
    }
}

fn bearer_token(text: &str, secrets: &mut Secrets<'_>) -> Result<Auth, String> {
    let token = secrets.read(text)?;
    let is_visible = |c: char| c.is_ascii_graphic();
    if token.reveal().is_empty() || !token.reveal().chars().all(is_visible) {
        return Err("the bearer token must be visible ASCII characters without spaces".to_owned());
    }
    Ok(Auth::Bearer(token))
}

fn basic(text: &BasicText, secrets: &mut Secrets<'_>) -> Result<Auth, String> {
    let username = secrets.read_plain(&text.username)?;
    let username = username.reveal();
    if username.is_empty() || username.contains(':') || username.chars().any(char::is_control) {
        return Err("the username of basic must have printable characters and no colon".to_owned());
    }
    Ok(Auth::Basic {
        username: username.to_owned(),
        password: secrets.read(&text.password)?,
    })
}

fn header(text: &HeaderText, secrets: &mut Secrets<'_>) -> Result<Auth, String> {
    let name = HeaderName::try_from(text.name.as_str())
        .map_err(|_| "the name of header is not the name of an HTTP header".to_owned())?;
    if is_reserved(name.as_str()) || name.as_str().starts_with("content-") {
        return Err(format!("the header {name} is set by the job or by HTTP"));
    }
    let value = secrets.read(&text.value)?;
    let is_printable = |c: char| c == ' ' || c.is_ascii_graphic();
    if value.reveal().is_empty() || !value.reveal().chars().all(is_printable) {
        return Err("the value of header must be printable ASCII characters".to_owned());
    }
    Ok(Auth::Header { name, value })
}

fn client_credentials(
    text: &OAuth2Text,
    secrets: &mut Secrets<'_>,
) -> Result<ClientCredentials, String> {
    let url = secrets.read_public("token_url", &text.token_url)?;
    let optional = |member: &str, text: &Option<String>, secrets: &Secrets<'_>| match text {
        Some(text) => secrets.read_public(member, text).map(Some),
        None => Ok(None),
    };
    let credentials = ClientCredentials {
        token_url: oauth2::parse_url(&url).ok_or(
            "the token_url of oauth2 is not a URL: expected https://host:port/path without credentials and query",
        )?,
        client_id: secrets.read_plain(&text.client_id)?.reveal().to_owned(),
        scope: optional("scope", &text.scope, secrets)?,
        audience: optional("audience", &text.audience, secrets)?,
        client_secret: secrets.read(&text.client_secret)?,
        auth_method: match text.token_endpoint_auth_method.as_deref() {
            None | Some("client_secret_basic") => AuthMethod::Basic,
            Some("client_secret_post") => AuthMethod::Post,
            Some(_) => {
                return Err(
                    "token_endpoint_auth_method of oauth2 is not client_secret_basic or client_secret_post"
                        .to_owned(),
                );
            }
        },
    };
    if credentials.client_id.is_empty() || credentials.client_secret.reveal().is_empty() {
        return Err("client_id or client_secret of oauth2 is empty".to_owned());
    }
    Ok(credentials)
}
