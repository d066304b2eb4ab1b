//! Object Storage (API 20160918): the namespace, reading and writing objects.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, HeaderValue, Method, StatusCode, header};
use openssl::hash::{MessageDigest, hash};
use runtime::text::percent_encode;

use crate::client::Oci;
use crate::error::OciError;
use crate::sign::Upload;

const MAX_NAMESPACE: usize = 4 << 10;

/// The location of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectLocation {
    /// The Object Storage namespace; `None` means the tenancy's own, which is requested each time.
    pub namespace: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The object's name; it may contain slashes.
    pub object: String,
}

/// The content of an object. Prints the number of bytes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The entity tag, opaque; the same tag means the same content.
    pub etag: Option<String>,
}

impl Oci {
    /// GetNamespace: the tenancy's own namespace.
    ///
    /// # Errors
    /// No response, an error status, or a malformed response.
    pub async fn namespace(&self) -> Result<String, OciError> {
        let operation = "reading the Object Storage namespace";
        let host = self.principal().region().object_storage();
        let request = self.request(Method::GET, host, "/n")?;
        let response = self
            .send(operation, &request, &Extensions::new(), MAX_NAMESPACE)
            .await?;
        serde_json::from_slice::<String>(&response.body)
            .ok()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| response.unusable(operation, "the response is not a JSON string"))
    }

    /// GetObject: the whole object, at most `limit` bytes. `None` if the object still has the entity tag `known` (304).
    /// If the service sends an MD5, it is verified.
    ///
    /// # Errors
    /// No response, an error status, a damaged or too large object.
    pub async fn object(
        &self,
        location: &ObjectLocation,
        known: Option<&str>,
        limit: usize,
    ) -> Result<Option<Object>, OciError> {
        let operation = format!("reading {location}");
        let mut request = self.object_request(Method::GET, location).await?;
        if let Some(tag) = known.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            request.headers_mut().insert(header::IF_NONE_MATCH, tag);
        }
        let response = self
            .send(&operation, &request, &Extensions::new(), limit)
            .await?;
        if response.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if let Some(stated) = response.text("content-md5")
            && md5(&response.body).is_some_and(|own| own != stated)
        {
            return Err(response.unusable(
                &operation,
                "the content does not match the MD5 of the service",
            ));
        }
        let etag = response.text("etag").map(str::to_owned);
        Ok(Some(Object {
            bytes: response.body,
            etag,
        }))
    }

    /// PutObject: replaces the object and returns its entity tag.
    ///
    /// # Errors
    /// No response, or an error status.
    pub async fn put_object(
        &self,
        location: &ObjectLocation,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Option<String>, OciError> {
        let operation = format!("writing {location}");
        let mut request = self.object_request(Method::PUT, location).await?;
        for (name, text) in [
            ("content-type", Some(content_type)),
            ("content-md5", md5(&bytes).as_deref()),
        ] {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                request.headers_mut().insert(name, value);
            }
        }
        *request.body_mut() = Some(bytes.into());
        let mut extensions = Extensions::new();
        extensions.insert(Upload);
        let response = self
            .send(&operation, &request, &extensions, MAX_NAMESPACE)
            .await?;
        Ok(response.text("etag").map(str::to_owned))
    }

    /// This namespace, or the tenancy's own.
    pub(crate) async fn namespace_or_own(&self, stated: Option<&str>) -> Result<String, OciError> {
        match stated {
            Some(namespace) => Ok(namespace.to_owned()),
            None => self.namespace().await,
        }
    }

    async fn object_request(
        &self,
        method: Method,
        location: &ObjectLocation,
    ) -> Result<reqwest::Request, OciError> {
        let namespace = self.namespace_or_own(location.namespace.as_deref()).await?;
        let path = format!(
            "/n/{}/b/{}/o/{}",
            percent_encode(&namespace),
            percent_encode(&location.bucket),
            percent_encode(&location.object)
        );
        self.request(method, self.principal().region().object_storage(), &path)
    }
}

fn md5(bytes: &[u8]) -> Option<String> {
    let digest = hash(MessageDigest::md5(), bytes).ok()?;
    Some(STANDARD.encode(digest))
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, etag {:?}", self.bytes.len(), self.etag)
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "oci://{}@{namespace}/{}", self.bucket, self.object),
            None => write!(f, "oci://{}/{}", self.bucket, self.object),
        }
    }
}
