//! How the requests of a route are authorized.

use runtime::secret::Secret;
use settings::Settings;

use super::text::AuthText;

/// How requests are authorized.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// With a fixed bearer token (RFC 6750).
    Bearer(Secret),
}

/// Reads the secrets of one route.
pub(super) struct Secrets<'s> {
    settings: &'s Settings,
    /// Whether a secret is in the file itself.
    pub(super) has_inline: bool,
}

impl<'s> Secrets<'s> {
    pub(super) fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            has_inline: false,
        }
    }

    /// The secret that a member's text is, or refers to.
    ///
    /// # Errors
    /// A reference is malformed or has no value.
    pub(super) fn read(&mut self, text: &str) -> Result<Secret, String> {
        let expanded = self.settings.expand(text)?;
        self.has_inline |= !expanded.has_reference;
        Ok(expanded.text)
    }
}

impl Auth {
    pub(super) fn resolve(
        text: Option<AuthText>,
        secrets: &mut Secrets<'_>,
    ) -> Result<Self, String> {
        let Some(AuthText { bearer }) = text else {
            return Ok(Self::None);
        };
        let token = secrets.read(&bearer.ok_or("auth has no member: expected bearer")?)?;
        let is_visible = |c: char| c.is_ascii_graphic();
        if token.reveal().is_empty() || !token.reveal().chars().all(is_visible) {
            return Err(
                "the bearer token must be visible ASCII characters without spaces".to_owned(),
            );
        }
        Ok(Self::Bearer(token))
    }

    /// Whether requests carry credentials.
    pub fn has_credentials(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The secrets that requests contain.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(token) => vec![token.clone()],
        }
    }
}
