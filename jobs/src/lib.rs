//! The batch job: one bounded window of the stream, filtered, routed, delivered, committed, reported.

pub mod check;
pub mod cli;
pub mod commit;
pub mod config;
pub mod dead_letter;
pub mod delivery;
pub mod donemap;
pub mod exit;
pub mod fence;
mod findings;
pub mod message;
pub mod progress;
pub mod report;
pub mod route;
pub mod run;
pub mod scan;
pub mod schedule;
pub mod stream;
pub mod tally;
pub mod window;
