//! The configuration of a job, checked before the first connection to the broker.

use anyhow::Result;
use routes::Routes;
use settings::Settings;

use crate::config::Config;
use crate::route_config::RouteConfig;
use crate::schema_sources::SchemaSources;

/// The configuration of a job.
pub struct Job {
    /// The settings.
    pub config: Config,
    /// The schemas.
    pub sources: SchemaSources,
    /// The routes, compiled.
    pub routes: Routes,
    /// The same routes with their endpoints, in the same order.
    pub route_configs: Vec<RouteConfig>,
}

impl Job {
    /// Parses the settings, compiles the routes, and reads the versions of the schema from the registry, if there is one. Logs
    /// warnings.
    ///
    /// # Errors
    /// The settings, the schema or the routes are invalid.
    pub fn load(settings: &Settings) -> Result<Self> {
        let config = Config::from_settings(settings)?;
        let mut sources = SchemaSources::from_settings(settings)?;
        let route_configs = RouteConfig::all_from(settings)?;
        config.check_routes(&route_configs)?;
        RouteConfig::check_start(&route_configs).map_err(anyhow::Error::msg)?;
        let definitions = route_configs.iter().map(RouteConfig::definition).collect();
        let routes = Routes::compile(definitions, sources.schemas.reader())?;
        let request_warnings =
            RouteConfig::request_warnings(&route_configs, sources.schemas.reader())
                .map_err(anyhow::Error::msg)?;
        match sources.read_versions() {
            Ok(versions) => {
                for problem in routes.check_versions(&versions) {
                    tracing::warn!("{problem}");
                }
            }
            Err(error) => {
                tracing::warn!("the schemas are requested when records need them: {error}");
            }
        }
        for warning in route_configs.iter().filter_map(RouteConfig::warning) {
            tracing::warn!("{warning}");
        }
        for warning in routes.warnings().iter().chain(&request_warnings) {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            config,
            sources,
            routes,
            route_configs,
        })
    }
}
