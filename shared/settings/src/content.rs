//! The seam for stores of documents and secrets.

use std::path::{Path, PathBuf};

use runtime::files;
use runtime::secret::Secret;

/// The maximum size of the settings file and of a document, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 1 << 20;

/// A store of documents, secrets or lists of documents at locations of type `L`: files, Object Storage, Vault.
///
/// Another store needs a variant of [`Location`](crate::Location) or a kind of line in `config.properties`, and an
/// implementation of this trait.
pub(crate) trait ContentSource<L, C = Content> {
    /// Reads the content at `location`. `last` is the content of an earlier read: a store with entity tags returns it
    /// unless the content has changed.
    fn read(
        &self,
        location: &L,
        last: Option<C>,
    ) -> impl Future<Output = Result<C, ContentError>> + Send;
}

/// The text of a document or secret.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) text: Secret,
    /// Its size or version, for people; never a part of the content.
    pub(crate) note: String,
    pub(crate) etag: Option<String>,
}

/// Why a content could not be read, and what to do about it. Contains no part of the content.
#[derive(Clone, Debug)]
pub(crate) struct ContentError {
    pub(crate) reason: String,
    pub(crate) advice: Option<&'static str>,
}

impl ContentError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            advice: None,
        }
    }
}

/// Files of this machine.
pub(crate) struct LocalFiles;

impl LocalFiles {
    /// Reads a file without an async runtime.
    pub(crate) fn read_now(path: &Path) -> Result<Content, ContentError> {
        let text = files::read_text(path, MAX_DOCUMENT).map_err(ContentError::new)?;
        Ok(Content {
            note: format!("{} bytes", text.len()),
            text: Secret::new(text),
            etag: None,
        })
    }
}

impl ContentSource<PathBuf> for LocalFiles {
    async fn read(&self, path: &PathBuf, _: Option<Content>) -> Result<Content, ContentError> {
        Self::read_now(path)
    }
}
