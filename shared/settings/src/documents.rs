//! Reads the documents that a setting names: one, or those of a list of files, directories, objects and prefixes.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::Either;
use futures_util::{StreamExt, future, stream};
use oci::{ObjectLocation, ObjectPrefix};

use crate::content::{ContentError, ContentSource, LocalFiles};
use crate::location::ListedLocation;
use crate::oracle_cloud::OracleCloud;
use crate::part::{Read, malformed, read, unfetched, unreadable};
use crate::{Location, Setting, SettingError};

/// The end of the names that a directory or prefix stands for.
const SUFFIX: &str = ".avsc";

/// The maximum number of documents of a setting.
const MAX_DOCUMENTS: usize = 1000;

/// The maximum size of all documents of a setting, in bytes.
const MAX_TOTAL: usize = 16 << 20;

/// The maximum number of concurrent requests for one setting.
const CONCURRENT: usize = 16;

/// Reads what the value of a setting of the kind `#[document]` or `#[documents]` names, in the order of
/// [`Settings::documents`](crate::Settings::documents). The result is never empty: what cannot be read is an error.
pub(crate) async fn read_all(
    cloud: &OracleCloud,
    setting: &'static Setting,
    value: &str,
) -> Vec<Read> {
    if !setting.documents {
        return vec![one(cloud, setting, value).await];
    }
    let found = expand_all(cloud, setting, value).await;
    if found.len() > MAX_DOCUMENTS {
        let error = ContentError::new(format!("it has more than {MAX_DOCUMENTS} documents"));
        let error = unreadable(setting, value, error);
        return vec![failed(setting, value, error, None)];
    }
    let reads: Vec<_> = found
        .into_iter()
        .map(|place| match place {
            Ok(place) => Either::Left(place.read(cloud, setting)),
            Err(read) => Either::Right(future::ready(read)),
        })
        .collect();
    let mut reads = stream::iter(reads).buffered(CONCURRENT);
    let mut done: Vec<Read> = Vec::new();
    let mut total = 0;
    while let Some((part, text)) = reads.next().await {
        total += text.as_ref().map_or(0, |text| text.reveal().len());
        if total > MAX_TOTAL {
            let error = format!("all documents together are larger than {MAX_TOTAL} bytes");
            let error = unreadable(setting, &part.location, ContentError::new(error));
            done.push(failed(setting, &part.location, error, None));
            break;
        }
        done.push((part, text));
    }
    done
}

async fn one(cloud: &OracleCloud, setting: &'static Setting, text: &str) -> Read {
    match text.parse() {
        Ok(Location::File(path)) => Place::File(path).read(cloud, setting).await,
        Ok(Location::Object(object)) => Place::Object(object, None).read(cloud, setting).await,
        Err(()) => failed(setting, text, malformed(setting, text), None),
    }
}

/// The places of all documents, in order, or why a location has none. Stops when there are too many.
async fn expand_all(
    cloud: &OracleCloud,
    setting: &'static Setting,
    value: &str,
) -> Vec<Result<Place, Read>> {
    let locations = setting.parts(value).take(MAX_DOCUMENTS + 1);
    let expansions: Vec<_> = locations.map(|text| expand(cloud, setting, text)).collect();
    let mut expansions = stream::iter(expansions).buffered(CONCURRENT);
    let mut found = Vec::new();
    while let Some(places) = expansions.next().await {
        match places {
            Ok(places) => found.extend(places.into_iter().map(Ok)),
            Err(read) => found.push(Err(read)),
        }
        if found.len() > MAX_DOCUMENTS {
            break;
        }
    }
    found
}

/// The places of the documents of one location.
async fn expand(
    cloud: &OracleCloud,
    setting: &'static Setting,
    text: &str,
) -> Result<Vec<Place>, Read> {
    let failure =
        |error: ContentError| failed(setting, text, unreadable(setting, text, error), None);
    let (places, kind) = match text.parse() {
        Ok(ListedLocation::One(Location::File(path))) if path.is_dir() => {
            let places = in_directory(&path).map_err(|error| failure(ContentError::new(error)))?;
            (places, "directory")
        }
        Ok(ListedLocation::One(Location::File(path))) => return Ok(vec![Place::File(path)]),
        Ok(ListedLocation::One(Location::Object(object))) => {
            return Ok(vec![Place::Object(object, None)]);
        }
        Ok(ListedLocation::Prefix(prefix)) => {
            let listed = below(cloud, &prefix).await;
            let places = listed
                .map_err(|error| failed(setting, text, unfetched(setting, &error), error.advice))?;
            (places, "prefix")
        }
        Err(()) => return Err(failed(setting, text, malformed(setting, text), None)),
    };
    match places.is_empty() {
        true => Err(failure(ContentError::new(format!(
            "no *{SUFFIX} in this {kind}"
        )))),
        false => Ok(places),
    }
}

/// The documents of a directory, by name. Symbolic links are followed; sub-directories and hidden files are not read.
fn in_directory(directory: &Path) -> Result<Vec<Place>, String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| error.to_string())? {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        if !is_document(name.as_encoded_bytes()) {
            continue;
        }
        let path = directory.join(name);
        match fs::metadata(&path) {
            Ok(file) if file.is_dir() => continue,
            // Opening a named pipe waits for a writer.
            Ok(file) if !file.is_file() => {
                return Err(format!("{} is not a regular file", path.display()));
            }
            // An error is reported when the file is read.
            Ok(_) | Err(_) => paths.push(path),
        }
        if paths.len() > MAX_DOCUMENTS {
            break;
        }
    }
    paths.sort_unstable();
    Ok(paths.into_iter().map(Place::File).collect())
}

/// The documents below a prefix, by name.
async fn below(cloud: &OracleCloud, prefix: &ObjectPrefix) -> Result<Vec<Place>, ContentError> {
    let listed = cloud.list(prefix).await?;
    let mut listed: Vec<_> = listed
        .iter()
        .filter(|object| is_document(object.name.as_bytes()))
        .collect();
    listed.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    let place = |object: &oci::ListedObject| {
        let location = ObjectLocation {
            object: object.name.clone(),
            ..prefix.0.clone()
        };
        Place::Object(location, object.etag.clone())
    };
    Ok(listed.into_iter().map(place).collect())
}

/// Whether a directory or prefix stands for this name, as the pattern `*.avsc` of a shell does.
fn is_document(name: &[u8]) -> bool {
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    name.ends_with(SUFFIX.as_bytes()) && !name.starts_with(b".")
}

/// The place of one document.
enum Place {
    File(PathBuf),
    /// An object, and its entity tag if it was listed.
    Object(ObjectLocation, Option<String>),
}

impl Place {
    async fn read(self, cloud: &OracleCloud, setting: &'static Setting) -> Read {
        let location = self.to_string();
        let (result, advice) = match &self {
            Self::File(path) => {
                let result = LocalFiles.read(path, None).await;
                let result = result.map_err(|error| unreadable(setting, &location, error));
                (result, None)
            }
            Self::Object(object, etag) => {
                let result = cloud.listed_object(object, etag.as_deref()).await;
                let advice = result.as_ref().err().and_then(|error| error.advice);
                (result.map_err(|error| unfetched(setting, &error)), advice)
            }
        };
        read(setting, location, result, advice)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(object, _) => object.fmt(f),
        }
    }
}

fn failed(
    setting: &'static Setting,
    location: &str,
    error: SettingError,
    advice: Option<&'static str>,
) -> Read {
    read(setting, location.to_owned(), Err(error), advice)
}

#[cfg(test)]
mod tests;
