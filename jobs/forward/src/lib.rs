//! The batch job: reads one bounded window of a Kafka topic, delivers each record to the endpoint of its route, commits what
//! is delivered, reports, and ends.
//!
//! A record is validated against the Avro schema before it is routed. A record that cannot be delivered goes to the
//! dead-letter topic or stays for the next run; the report counts each record once. The job does not wait for records
//! that come after the window was planned; [`schedule`] runs one window after another.
//!
//! - [`config`], [`route_config`], [`cli`]: the settings, the routes, the command line
//! - [`job`]: all of these, loaded
//! - [`schema_sources`], [`schema_fetcher`]: the schemas of the records
//! - [`run`]: one run from the offsets to the report
//! - [`plan`]: which offsets the run reads
//! - [`recreation`]: whether the topic was deleted and created again
//! - [`single_run`]: joins the consumer group, so that no two runs read the same partition
//! - [`pipeline`]: reads, delivers, commits
//! - [`dead_letter`], [`answer`]: the formats of dead letters and of kept answers
//! - [`dead_letters`]: lists and shows dead letters
//! - [`producer`], [`writer`]: write to Kafka, and return the acknowledgements
//! - [`report`], [`exit`]: the report and the exit codes
//! - [`workers`]: shares the window among workers on other machines
//! - [`metrics`]: the metrics of the runs
//! - [`init`]: writes settings and routes for a schema
//! - [`program`]: runs the command of a command line
//! - [`completions`], [`man_pages`]: for the shell and for `man`
//! - [`check`]: checks the settings, the broker and the endpoints without a run
//! - [`explain`]: what happened to a record, and what a run does with it
//! - [`request_preview`]: requests for people
//! - [`run_report`]: renders a report
//! - [`status`]: lag, oldest records, paused routes and dead letters
//! - [`status_page`]: a page about the windows of a long-lived process
//! - [`reset`]: moves the commits of the group
//! - [`window_plan`]: a window that is fixed in a document, and executed later
//! - [`route_test`]: routes sample records and prints their requests
//!
//! ```
//! use forward::route_config::RouteConfig;
//!
//! let routes = r#"
//! version: 1
//! routes:
//!   - {name: A, when: id == 1010, url: https://api.example/a, batch: 100}
//! "#;
//! let routes = RouteConfig::parse(routes, &settings::Settings::default())?;
//! assert_eq!((routes[0].name.as_str(), routes[0].batch), ("A", 100));
//! # Ok::<(), String>(())
//! ```

pub mod answer;
mod answer_topics;
pub mod authorization;
pub mod check;
pub mod cli;
pub mod completions;
pub mod config;
pub mod dead_letter;
pub mod dead_letters;
pub mod error;
pub mod exit;
pub mod explain;
pub mod init;
pub mod job;
mod lookup;
pub mod man_pages;
pub mod metrics;
mod pauses;
pub mod pipeline;
pub mod plan;
pub mod producer;
pub mod program;
pub mod recreation;
pub mod report;
mod report_builder;
pub mod request_preview;
pub mod reset;
pub mod route_config;
pub mod route_test;
pub mod run;
pub mod run_report;
pub mod schedule;
pub mod schema_fetcher;
pub mod schema_sources;
mod scope;
pub mod settings;
pub mod single_run;
pub mod status;
pub mod status_page;
pub mod time_bound;
pub mod traces;
pub mod versioned;
pub mod window_plan;
pub mod workers;
pub mod writer;
