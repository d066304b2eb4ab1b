//! The scope of the offset maps of a job. Pure.

use kafka::list_offsets::TopicOffsets;
use offsets::offset_map::Scope;
use routes::Routes;
use writer_schemas::WriterSchemas;

use crate::route_config::{self, RouteConfig};

/// The scope for which the offset maps of these routes and schemas are valid.
pub(crate) fn scope(
    routes: &Routes,
    schemas: &WriterSchemas,
    route_configs: &[RouteConfig],
    topic: &TopicOffsets,
) -> Scope {
    Scope {
        topic: topic.topic_id.clone().unwrap_or_default(),
        // Otherwise a record that was decoded once could later count as completed because its schema is unknown, and a
        // tombstone because another route takes it.
        routes: routes.fingerprint()
            ^ schemas.scope()
            ^ route_config::tombstone_scope(RouteConfig::tombstone_route(route_configs)),
    }
}
