//! End-to-end tests of `forward` with Apache Kafka and HTTP endpoints. They start brokers, so `cargo test` ignores them;
//! `make e2e` runs them.

// Tests and their helpers fail by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "e2e/endpoints.rs"]
mod endpoints;
#[path = "e2e/nginx.rs"]
mod nginx;
#[path = "e2e/run.rs"]
mod run;
#[path = "e2e/stage.rs"]
mod stage;

#[path = "e2e/advertised_addresses.rs"]
mod advertised_addresses;
#[path = "e2e/answers.rs"]
mod answers;
#[path = "e2e/command_permissions.rs"]
mod command_permissions;
#[path = "e2e/concurrent_runs.rs"]
mod concurrent_runs;
#[path = "e2e/connections.rs"]
mod connections;
#[path = "e2e/dead_letters.rs"]
mod dead_letters;
#[path = "e2e/delivery.rs"]
mod delivery;
#[path = "e2e/explain.rs"]
mod explain;
#[path = "e2e/foreign_letters.rs"]
mod foreign_letters;
#[path = "e2e/kafka_msk.rs"]
mod kafka_msk;
#[path = "e2e/kafka_oauth.rs"]
mod kafka_oauth;
#[path = "e2e/kafka_tls.rs"]
mod kafka_tls;
#[path = "e2e/letters.rs"]
mod letters;
#[path = "e2e/loss_matrix.rs"]
mod loss_matrix;
#[path = "e2e/memory.rs"]
mod memory;
#[path = "e2e/mutual_tls.rs"]
mod mutual_tls;
#[path = "e2e/oauth2.rs"]
mod oauth2;
#[path = "e2e/operations.rs"]
mod operations;
#[path = "e2e/permissions.rs"]
mod permissions;
#[path = "e2e/plan.rs"]
mod plan;
#[path = "e2e/plan_refusals.rs"]
mod plan_refusals;
#[path = "e2e/plan_shards.rs"]
mod plan_shards;
#[path = "e2e/proxies.rs"]
mod proxies;
#[path = "e2e/pushgateway.rs"]
mod pushgateway;
#[path = "e2e/rate_limits.rs"]
mod rate_limits;
#[path = "e2e/recreated.rs"]
mod recreated;
#[path = "e2e/reports.rs"]
mod reports;
#[path = "e2e/reset.rs"]
mod reset;
#[path = "e2e/schemas.rs"]
mod schemas;
#[path = "e2e/spark.rs"]
mod spark;
#[path = "e2e/status.rs"]
mod status;
#[path = "e2e/week.rs"]
mod week;
#[path = "e2e/week_checks.rs"]
mod week_checks;
#[path = "e2e/week_records.rs"]
mod week_records;
#[path = "e2e/window.rs"]
mod window;
#[path = "e2e/workers.rs"]
mod workers;
