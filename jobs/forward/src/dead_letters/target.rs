//! Where the records of a replay go: its consumer group and its routes. Pure.

use routes::Routes;
use settings::Settings;

use super::error::LettersError;
use super::selection::Selection;
use crate::pipeline::LetterTarget;
use crate::route_config::RouteConfig;
use crate::schema_sources::SchemaSources;

/// The consumer group with the progress of a replay.
pub(super) fn group(group: &str, selection: &Selection, target: LetterTarget) -> String {
    let purpose = match target {
        LetterTarget::Routes => "route",
        LetterTarget::Topic => "source",
    };
    format!("{group}.replay.{}", selection.fingerprint(purpose))
}

/// A route that counts the records for a topic, and has no endpoint.
pub(super) fn topic_route(
    sources: &SchemaSources,
) -> Result<(Vec<RouteConfig>, Routes), LettersError> {
    const ROUTES: &str = r#"{"version": 1, "routes": [{"name": "source", "when": "true", "url": "http://unused/"}]}"#;
    let configs = RouteConfig::parse(ROUTES, &Settings::default());
    let mut configs = configs.map_err(LettersError::Routes)?;
    for route in &mut configs {
        route.url.clear();
    }
    let definitions = configs.iter().map(RouteConfig::definition).collect();
    let routes = Routes::compile(definitions, sources.schemas.reader())
        .map_err(|error| LettersError::Routes(error.to_string()))?;
    Ok((configs, routes))
}
