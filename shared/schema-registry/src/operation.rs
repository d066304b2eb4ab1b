//! One request, for any URL of the registry. Pure.

use reqwest::Url;

/// One request, for any URL of the registry.
pub(crate) struct Operation<'a> {
    /// What is done to which object, for errors.
    pub(crate) name: &'a str,
    /// The segments of the path after the base URL.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: Option<&'static str>,
    /// The body of a POST request, as JSON. `None`: a GET request.
    pub(crate) body: Option<String>,
}

impl Operation<'_> {
    /// The request's URL at one of the registry's base URLs.
    pub(crate) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        // Every HTTP URL can have a path. Segments are percent-encoded: a subject may contain a slash.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(self.path);
        }
        url.set_query(self.query);
        url
    }
}

/// A URL in an error. It has no credentials: [`RegistryConfig::urls`](crate::RegistryConfig) permits none.
pub(crate) fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_appended_and_encoded() {
        let operation = |path| Operation {
            name: "",
            path,
            query: None,
            body: None,
        };
        for (base, path, expected) in [
            (
                "http://h",
                &["schemas", "ids", "1"][..],
                "http://h/schemas/ids/1",
            ),
            (
                "http://h/apis/ccompat/v7/",
                &["subjects", "a/b?c%d é"],
                "http://h/apis/ccompat/v7/subjects/a%2Fb%3Fc%25d%20%C3%A9",
            ),
            (
                "http://h/v7",
                &["subjects", ":.ctx:s"],
                "http://h/v7/subjects/:.ctx:s",
            ),
        ] {
            let url = operation(path).url(&Url::parse(base).unwrap());
            assert_eq!(url.as_str(), expected);
        }
    }
}
