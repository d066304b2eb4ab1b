//! Avro, as those outside the module see it.

#![cfg(test)]

mod json;
mod schemas;
mod walk;
