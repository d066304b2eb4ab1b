//! Tests samples against the routes.

use std::sync::Arc;

use record::{Coordinates, Message, StreamId};
use routes::{RouteError, Routes};
use settings::{Inspection, SettingError};
use writer_schemas::WriterSchemas;

use super::report::{Action, SampleReport, SampleResult};
use super::sample::Sample;
use crate::config::Config;
use crate::dead_letter::Cause;
use crate::pipeline::{Destination, RecordRouter};
use crate::request_preview::{PreviewError, RequestPreview};
use crate::route_config::RouteConfig;
use crate::schema_sources::{SchemaSourceError, SchemaSources};

/// The cluster's id in idempotency keys.
pub const STREAM_CLUSTER: &str = "CLUSTER";

/// The topic's id in idempotency keys.
pub const STREAM_TOPIC: &str = "TOPIC-ID";

/// The routes, ready for samples.
pub struct RouteTester {
    config: Config,
    routes: Routes,
    schemas: WriterSchemas,
    topic: Arc<str>,
    endpoints: Vec<RequestPreview>,
    /// The route that takes records without a value.
    tombstone_route: Option<usize>,
}

/// The settings, the schema or the routes are invalid.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// A setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A setting, with the remedy.
    #[error("{0}: {1}")]
    Unread(SettingError, &'static str),
    /// A schema.
    #[error(transparent)]
    Schema(#[from] SchemaSourceError),
    /// A condition.
    #[error("{0}; forward check --offline lists everything that is wrong")]
    Routes(RouteError),
    /// The requests of a route.
    #[error(transparent)]
    Preview(#[from] PreviewError),
}

impl RouteTester {
    /// Checks the settings, which were read [offline](Inspection::offline), and compiles the routes.
    ///
    /// # Errors
    /// They are invalid.
    pub fn new(inspection: Inspection) -> Result<Self, TestError> {
        for part in inspection.parts {
            match (part.outcome, part.advice) {
                (Ok(_), _) => {}
                (Err(error), Some(advice)) => return Err(TestError::Unread(error, advice)),
                (Err(error), None) => return Err(error.into()),
            }
        }
        let settings = &inspection.settings;
        let config = Config::offline(settings)?;
        let sources = SchemaSources::offline(settings)?;
        let schema = sources.schemas.reader();
        let route_configs = RouteConfig::all_from(settings)?;
        config.check_routes(&route_configs)?;
        let definitions = route_configs.iter().map(RouteConfig::definition).collect();
        let routes = Routes::compile(definitions, schema).map_err(TestError::Routes)?;
        let stream = StreamId {
            cluster: STREAM_CLUSTER.to_owned(),
            topic: STREAM_TOPIC.to_owned(),
        };
        let endpoints = RequestPreview::all(&config, &route_configs, &stream, schema)?;
        Ok(Self {
            topic: Arc::from(config.kafka.topic.as_str()),
            schemas: sources.schemas,
            config,
            routes,
            endpoints,
            tombstone_route: RouteConfig::tombstone_route(&route_configs),
        })
    }

    /// What decides about the samples of one test.
    pub fn router(&self) -> RecordRouter<'_> {
        let schemas = self.schemas.clone();
        RecordRouter::new(&self.config, &self.routes, self.tombstone_route, schemas)
    }

    /// Tests the sample in a line, which has this number, counted from 1. The record's offset is its number, counted from 0.
    pub fn test(&self, router: &mut RecordRouter<'_>, number: u64, line: &[u8]) -> SampleReport {
        let sample = match Sample::parse(line, self.schemas.reader()) {
            Ok(sample) => sample,
            Err(reason) => return SampleReport::invalid(number, reason),
        };
        let expect = sample.expect.clone();
        let message = self.message(sample, number);
        let mut report = self.decide(router, message, number);
        if let Some(expected) = &expect {
            let is_known = |name: &String| self.endpoints.iter().any(|known| known.route == *name);
            if report.result == SampleResult::Passed && report.route != *expected {
                report.result = SampleResult::Failed;
            }
            if expected.as_ref().is_some_and(|name| !is_known(name)) && report.reason.is_none() {
                report.reason = Some("the expected route does not exist".to_owned());
            }
        }
        report.expect = expect;
        report
    }

    fn message(&self, sample: Sample, number: u64) -> Message {
        Message {
            at: Coordinates {
                topic: Arc::clone(&self.topic),
                partition: 0,
                offset: i64::try_from(number.saturating_sub(1)).unwrap_or(i64::MAX),
            },
            key: sample.key,
            value: sample.datum,
            payload: None,
            origin: None,
            headers: sample.headers,
            timestamp: sample.timestamp,
            client_key: None,
        }
    }

    fn decide(&self, router: &mut RecordRouter<'_>, message: Message, line: u64) -> SampleReport {
        let mut report = SampleReport {
            line,
            result: SampleResult::Passed,
            action: Some(Action::Skip),
            route: None,
            expect: None,
            cause: None,
            reason: None,
            request: None,
        };
        match router.route(message) {
            Destination::Skipped => {}
            Destination::Stopped => report.action = Some(Action::Stop),
            Destination::DeadLetter(cause, reason) => {
                // The settings choose these two. With the others, the routes or the record are at fault.
                if !matches!(cause, Cause::Tombstone | Cause::Unmatched) {
                    report.result = SampleResult::Invalid;
                }
                report.set_dead_letter(cause, reason);
            }
            Destination::Route(route, message) => {
                let endpoint = &self.endpoints[route];
                report.route = Some(endpoint.route.clone());
                match endpoint.request(message) {
                    Ok(request) => {
                        report.action = Some(Action::Deliver);
                        report.request = Some(request);
                    }
                    Err(reason) => {
                        report.result = SampleResult::Invalid;
                        report.set_dead_letter(Cause::InvalidRequest, reason);
                    }
                }
            }
        }
        report
    }
}

impl SampleReport {
    fn set_dead_letter(&mut self, cause: Cause, reason: String) {
        self.action = Some(Action::DeadLetter);
        self.cause = Some(cause.name());
        self.reason = Some(reason);
    }
}
