//! Avro, as those outside the module see it.

#![cfg(test)]

mod container;
mod fingerprint;
mod hostile;
mod hostile_files;
mod json;
mod memory;
mod oracle;
mod resolution;
mod schemas;
mod walk;
mod writers;
