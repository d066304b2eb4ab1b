//! The memory of this process, where the system tells it.

use telemetry::metrics::ProcessMemory;

use super::definitions::{Metric, PEAK_MEMORY, RESIDENT_MEMORY, Sample};

/// The value of one of the two metrics of the memory at the moment.
pub(super) fn samples(metric: &'static Metric) -> Option<Sample> {
    let is_resident = std::ptr::eq(metric, &RESIDENT_MEMORY);
    if !is_resident && !std::ptr::eq(metric, &PEAK_MEMORY) {
        return None;
    }
    let memory = ProcessMemory::read()?;
    let bytes = if is_resident {
        memory.resident
    } else {
        memory.peak
    };
    Some(metric.sample([], bytes as f64))
}
