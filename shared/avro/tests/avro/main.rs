//! Tests of the public API.

#![cfg(test)]

mod container;
mod evolution;
mod fingerprint;
mod hostile_data;
mod hostile_files;
mod json;
mod json_mapping;
mod memory;
mod oracle;
mod parser_oracle;
mod random;
mod resolution;
mod resolution_api;
mod schemas;
mod type_names;
mod validate;
mod writers;
