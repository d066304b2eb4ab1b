//! The function as its hosts and clients use it: the real binary, real sockets, an embedded broker.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod avro_bytes;
mod bodies;
mod broker;
mod callers;
mod config;
mod envelope;
mod fixture;
mod fn_contract;
mod header_limits;
mod hosts;
mod json;
mod kafka_secrets;
mod lambda;
mod lambda_environment;
mod lambda_text;
mod memory;
mod metrics;
mod plain;
mod platform;
mod probes;
mod registry;
mod telemetry;
mod tls;
mod vectors;
