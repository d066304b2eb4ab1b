//! The status page of a job that runs one window after another (`forward run --every` with `STATUS_LISTEN`).
//!
//! A thread of its own answers HTTP from a [`Board`]: the pipeline writes to it a few times a second and waits for no client.
//! Nothing that the page does changes a run.
//!
//! - [`StatusConfig`]: the settings
//! - [`Board`]: what the schedule and the pipeline publish; [`Snapshot`], `History`: its content
//! - [`StatusServer`]: listener and thread
//! - `respond`: the response to a request; `liveness`: what `/health` says
//! - `html`: the page

mod access;
mod board;
mod config;
mod history;
mod html;
mod liveness;
mod respond;
mod server;
mod snapshot;

pub use board::Board;
pub use config::StatusConfig;
pub use server::StatusServer;
pub use snapshot::Snapshot;
