//! The memory of the process.

use std::fs;

use opentelemetry::metrics::Meter;

/// Adds a gauge of the resident memory: in Prometheus' form `process_resident_memory_bytes`, as Prometheus' own clients have
/// it. It has a value on Linux only.
pub fn observe_resident_memory(meter: &Meter) {
    meter
        .u64_observable_gauge("process.resident_memory")
        .with_unit("By")
        .with_description("Resident memory of the process.")
        .with_callback(|gauge| {
            if let Some(bytes) = resident_memory() {
                gauge.observe(bytes, &[]);
            }
        })
        .build();
}

/// `VmRSS` of `/proc/self/status`, in bytes.
fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn includes_memory_that_is_in_use() {
        let before = resident_memory().unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = resident_memory().unwrap();
        assert!(after >= before + (32 << 20), "{before} {after}");
        assert_eq!(block.last(), Some(&1));
    }
}
