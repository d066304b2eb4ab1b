//! The configuration of delivery, with the limits of each route.

use std::time::Duration;

use avro::Schema;
use delivery::{DeliveryConfig, EndpointConfig, Limits};
use record::StreamId;
use settings::SettingError;

use super::Config;
use crate::route_config::{RouteConfig, RouteLimits};

impl Config {
    /// The limits of a route.
    pub fn limits_of(&self, route: &RouteConfig) -> Limits {
        route.limits.over(&self.limits)
    }

    /// The most dead letters of records without a route that are sent and not committed.
    pub fn max_uncommitted_dead_letters(&self) -> Option<usize> {
        RouteLimits::default().over(&self.limits).max_uncommitted
    }

    /// How long requests in flight may take before their partition is handed to another run: as long as the slowest of the
    /// routes permits. The margin covers thread scheduling.
    pub fn handover(&self, routes: &[RouteConfig]) -> Duration {
        let timeouts = routes
            .iter()
            .map(|route| self.limits_of(route).request_timeout);
        let longest = timeouts.max().unwrap_or(self.limits.request_timeout);
        self.shutdown_timeout.max(longest + Duration::from_secs(1))
    }

    /// How long revoking a partition may take, the last commit included.
    pub fn settling(&self, routes: &[RouteConfig]) -> Duration {
        self.handover(routes) + Duration::from_secs(20)
    }

    /// The configuration of delivery: an endpoint for each route, and the limits.
    ///
    /// # Errors
    /// An expression in the requests of a route does not fit the schema.
    pub fn delivery(
        &self,
        routes: &[RouteConfig],
        stream: StreamId,
        schema: &Schema,
        seed: u64,
    ) -> Result<DeliveryConfig, SettingError> {
        let mut endpoints = Vec::new();
        for route in routes {
            let request = route.compile(schema).map_err(SettingError::Contradiction)?;
            endpoints.push(EndpointConfig {
                limits: self.limits_of(route),
                order: route.order.unwrap_or(self.order),
                group: routes.iter().position(|other| other.has_access_of(route)),
                format: route.format.payload(schema, route.batch, request.body()),
                batch_records: route.batch,
                ..route.endpoint(Some(&request))
            });
        }
        Ok(DeliveryConfig {
            endpoints,
            queue_bytes: DeliveryConfig::QUEUE_BYTES,
            observer: None,
            stream,
            seed,
        })
    }
}
