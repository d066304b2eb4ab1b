//! Parses a routes file. Pure.

use serde::Deserialize;
use serde_saphyr::{Options, Spanned};

use super::problem::RouteProblem;
use super::recovery;
use super::text::RouteText;

/// The version of the file's form.
const VERSION: u32 = 1;

const MAX_ROUTES: usize = 1_000;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutesText {
    version: u32,
    routes: Vec<Spanned<RouteText>>,
}

/// The well-formed routes of a file, each with its line, and what is wrong with the rest: with line and column. No problem
/// repeats a value.
pub(super) fn parse(text: &str) -> (Vec<(u64, RouteText)>, Vec<RouteProblem>) {
    let mut options = Options::default();
    // A snippet can contain a secret.
    options.with_snippet = false;
    let file: RoutesText = match serde_saphyr::from_str_with_options(text, options.clone()) {
        Ok(file) => file,
        Err(error) => return recovery::parse(text, &options, &error),
    };
    let of_file = |reason| (Vec::new(), vec![RouteProblem::of_file(reason)]);
    if file.version != VERSION {
        let version = file.version;
        return of_file(format!("its version is {version}, expected {VERSION}"));
    }
    let count = file.routes.len();
    if !(1..=MAX_ROUTES).contains(&count) {
        return of_file(format!("it has {count} routes, expected 1 to {MAX_ROUTES}"));
    }
    let routes = file.routes.into_iter();
    let routes = routes.map(|route| (route.defined.line(), route.value));
    (routes.collect(), Vec::new())
}
