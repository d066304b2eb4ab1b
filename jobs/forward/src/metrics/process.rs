//! The memory of this process, where the system has `/proc`.

use std::path::Path;

use super::definitions::{Metric, PEAK_MEMORY, RESIDENT_MEMORY, Sample};

/// More than the file has.
const LIMIT: usize = 16 << 10;

/// The value of one of the two metrics of the memory at the moment.
pub(super) fn samples(metric: &'static Metric) -> Option<Sample> {
    let lines = [(&RESIDENT_MEMORY, "VmRSS:"), (&PEAK_MEMORY, "VmHWM:")];
    let (_, line) = lines
        .iter()
        .find(|(known, _)| std::ptr::eq(*known, metric))?;
    let status = runtime::files::read_text(Path::new("/proc/self/status"), LIMIT).ok()?;
    Some(metric.sample([], bytes(&status, line)?))
}

/// The value of a line such as `VmRSS:     1234 kB` (proc_pid_status(5)).
fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes as f64 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lines_of_the_file() {
        let status = "Name:\tforward\nVmHWM:\t   20480 kB\nVmRSS:\t     10 kB\n";
        assert_eq!(bytes(status, "VmHWM:"), Some(20_971_520.0));
        assert_eq!(bytes(status, "VmRSS:"), Some(10_240.0));
        for status in ["", "VmRSS:", "VmRSS: kB", "VmRSS: -1 kB", "VmRSS: 1"] {
            assert_eq!(bytes(status, "VmRSS:"), None, "{status}");
        }
    }
}
