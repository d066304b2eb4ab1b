//! The client with Apicurio Registry and other clients. The tests start servers, so `cargo test` ignores them; `make e2e` runs them.

// Tests and their helpers fail by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "e2e/apicurio.rs"]
mod apicurio;
#[path = "e2e/peers.rs"]
mod peers;
