//! Metrics and traces of the programs, with OpenTelemetry's SDK.
