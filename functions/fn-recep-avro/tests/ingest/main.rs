//! The function as its hosts and callers meet it: the real binary, real sockets, an embedded broker.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bodies;
mod broker;
mod config;
mod contract;
mod header_limits;
mod hosts;
mod lambda;
mod lambda_text;
mod plain;
mod sample;
mod traps;
mod vectors;
mod world;
