//! ListObjects of Object Storage (API 20160918): names and entity tags of the objects below a prefix.

use std::fmt;

use http::{Extensions, Method};
use runtime::text::percent_encode;
use serde::Deserialize;

use crate::api::ApiResponse;
use crate::client::Oci;
use crate::error::OciError;
use crate::object_storage::ObjectLocation;

/// The number of objects that a page has at most, also the service's limit.
const PAGE: usize = 1000;

const MAX_PAGES: usize = 10;

/// The maximum size of a page in bytes. A name has up to 1024 bytes, which JSON may escape to three times as many.
const MAX_PAGE: usize = 4 << 20;

/// The maximum length of an object's name in bytes.
const MAX_NAME: usize = 1024;

/// All objects whose names begin with the `object` of this location. It may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectPrefix(pub ObjectLocation);

/// An object, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedObject {
    /// The object's name, with the prefix.
    pub name: String,
    /// The entity tag that [`Oci::object`] returns for the object.
    pub etag: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    objects: Vec<ListedObject>,
    /// The name of the first object of the next page.
    next_start_with: Option<String>,
}

impl Oci {
    /// ListObjects: all objects below a prefix, in the order of the service. Each page is an operation with its own
    /// attempts and timeout.
    ///
    /// # Errors
    /// No response, an error status, a malformed response, or more than 10,000 objects.
    pub async fn list(&self, prefix: &ObjectPrefix) -> Result<Vec<ListedObject>, OciError> {
        let operation = format!("listing {prefix}");
        let ObjectPrefix(location) = prefix;
        let namespace = self.namespace_or_own(location.namespace.as_deref()).await?;
        let first_page = format!(
            "/n/{}/b/{}/o?prefix={}&fields={}&limit={PAGE}",
            percent_encode(&namespace),
            percent_encode(&location.bucket),
            percent_encode(&location.object),
            percent_encode("name,etag"),
        );
        let mut objects = Vec::new();
        let mut target = first_page.clone();
        for number in 1.. {
            let host = self.principal().region().object_storage();
            let request = self.request(Method::GET, host, &target)?;
            let response = self
                .send(&operation, &request, &Extensions::new(), MAX_PAGE)
                .await?;
            let unusable = |reason| response.unusable(&operation, reason);
            let page = page(&response, &location.object).map_err(unusable)?;
            objects.extend(page.objects);
            let Some(start) = page.next_start_with else {
                break;
            };
            if number == MAX_PAGES {
                return Err(unusable("it has more than 10000 objects"));
            }
            target = format!("{first_page}&start={}", percent_encode(&start));
        }
        Ok(objects)
    }
}

/// The content of a page whose names begin with `prefix`.
fn page(response: &ApiResponse, prefix: &str) -> Result<Page, &'static str> {
    let page: Page = serde_json::from_slice(&response.body)
        .map_err(|_| "the response is not a list of objects")?;
    let is_name = |name: &str| {
        name.starts_with(prefix) && name.len() <= MAX_NAME && !name.contains(['\0', '\r', '\n'])
    };
    let mut names = page.objects.iter().map(|object| &object.name);
    match names.all(|name| is_name(name)) && page.objects.len() <= PAGE {
        true => Ok(page),
        false => Err("the response lists other objects than requested"),
    }
}

impl fmt::Display for ObjectPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
