//! Avro, as those outside the module see it.

#![cfg(test)]

mod container;
mod json;
mod schemas;
mod walk;
