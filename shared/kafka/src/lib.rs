//! The broker's side of the job.
//!
//! Two clients, each for one purpose. The *reader* is given its partitions and reads records; it is in no group, so
//! back-pressure never costs a membership. The *member* is in the group and reads nothing; it fences: partitions are
//! ours only while it says so, and only it commits.

pub mod batch;
mod closing;
pub mod commit;
pub mod config;
mod contact;
pub mod describe;
pub mod log;
pub mod member;
pub mod reader;
pub mod settings;
