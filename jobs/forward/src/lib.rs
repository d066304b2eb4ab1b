//! The batch job: one bounded window of the stream, filtered, routed, delivered, committed, reported.

pub mod check;
pub mod cli;
pub mod config;
pub mod dead_letter;
pub mod error;
pub mod exit;
pub mod pipeline;
pub mod plan;
pub mod report;
mod report_builder;
pub mod route_config;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod single_run;
pub mod unknown_schema;
