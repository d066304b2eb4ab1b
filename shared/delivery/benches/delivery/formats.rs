//! The formats of a request body, compared with Avro.

use std::sync::Arc;

use avro::Schema;
use delivery::EndpointConfig;
use delivery::request::{
    CloudEvents, EventMode, Json, JsonArray, JsonMapping, NdJson, PayloadFormat, SchemaJson,
};

use crate::measure::{CONNECTIONS, SCHEMA};
use crate::server::{converse_hyper, serve};
use crate::{best_of, print};

/// Prints the figures of one record in a request, and of 500.
pub(crate) fn compare(rounds: usize) {
    let port = serve(converse_hyper);
    let avro = EndpointConfig::new("A", format!("http://127.0.0.1:{port}/"));
    let schema = Schema::parse(SCHEMA).expect("a schema");
    let mapping: Arc<dyn JsonMapping> = Arc::new(SchemaJson::new(schema));
    let json = || Arc::clone(&mapping);
    let events = |mode| CloudEvents::new(mode, "User", None, json());
    let single = |format: Arc<dyn PayloadFormat>| EndpointConfig {
        format,
        ..avro.clone()
    };
    let batched = |format: Arc<dyn PayloadFormat>| EndpointConfig {
        batch_records: 500,
        ..single(format)
    };
    println!("formats, 1 record a request, {CONNECTIONS} connections, best of {rounds}");
    print(&best_of(
        rounds,
        &[
            ("Avro", avro.clone()),
            ("JSON", single(Arc::new(Json::new(json())))),
            (
                "CloudEvents, binary",
                single(Arc::new(events(EventMode::Binary))),
            ),
            (
                "CloudEvents, structured",
                single(Arc::new(events(EventMode::Structured))),
            ),
        ],
        100_000,
    ));
    println!("formats, 500 records a request, {CONNECTIONS} connections, best of {rounds}");
    print(&best_of(
        rounds,
        &[
            ("Avro", avro.clone().with_container_files(500, SCHEMA)),
            ("JSON", batched(Arc::new(JsonArray::new(json())))),
            ("JSON lines", batched(Arc::new(NdJson::new(json())))),
            (
                "CloudEvents, batched",
                batched(Arc::new(events(EventMode::Batched))),
            ),
        ],
        500_000,
    ));
}
