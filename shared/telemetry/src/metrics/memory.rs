//! The memory of the process.

use std::path::Path;

use opentelemetry::metrics::Meter;

/// More than the file has.
const MAX_STATUS_BYTES: usize = 16 << 10;

/// The memory of this process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessMemory {
    /// The resident memory now.
    pub resident: u64,
    /// The maximum since the start.
    pub peak: u64,
}

impl ProcessMemory {
    /// Reads `/proc/self/status` (proc_pid_status(5)). `None`: the system has no such file.
    pub fn read() -> Option<Self> {
        let status = runtime::files::read_text(Path::new("/proc/self/status"), MAX_STATUS_BYTES);
        Self::parse(&status.ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        Some(Self {
            resident: bytes(status, "VmRSS:")?,
            peak: bytes(status, "VmHWM:")?,
        })
    }
}

/// The value of a line such as `VmRSS:     1234 kB`.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Adds a gauge of the resident memory: in Prometheus' form `process_resident_memory_bytes`, as Prometheus' own clients have
/// it. It has a value on Linux only.
pub fn observe_resident_memory(meter: &Meter) {
    meter
        .u64_observable_gauge("process.resident_memory")
        .with_unit("By")
        .with_description("Resident memory of the process.")
        .with_callback(|gauge| {
            if let Some(memory) = ProcessMemory::read() {
                gauge.observe(memory.resident, &[]);
            }
        })
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lines_of_the_file() {
        let status = "Name:\tforward\nVmHWM:\t   20480 kB\nVmRSS:\t     10 kB\n";
        let memory = ProcessMemory {
            resident: 10_240,
            peak: 20_971_520,
        };
        assert_eq!(ProcessMemory::parse(status), Some(memory));
        for line in ["", "VmRSS:", "VmRSS: kB", "VmRSS: -1 kB", "VmRSS: 1"] {
            assert_eq!(bytes(line, "VmRSS:"), None, "{line}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn includes_memory_that_is_in_use() {
        let before = ProcessMemory::read().unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = ProcessMemory::read().unwrap();
        assert!(
            after.resident >= before.resident + (32 << 20),
            "{before:?} {after:?}"
        );
        assert!(after.peak >= after.resident);
        assert_eq!(block.last(), Some(&1));
    }
}
