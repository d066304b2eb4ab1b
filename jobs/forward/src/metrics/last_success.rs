//! The time of the last successful run, from the file that an earlier process wrote.

use std::path::Path;

use super::definitions::SUCCESS;

/// More than the metrics of the largest topic.
const LIMIT: usize = 16 << 20;

/// The time of the last run with exit code 0 of this group on this topic, in seconds since 1970, by the metrics in a file;
/// `None` if there is no such file, or it has no such time.
pub(super) fn read(path: &Path, topic: &str, group: &str) -> Option<f64> {
    // A pipe would block.
    if !path.is_file() {
        return None;
    }
    parse(&runtime::files::read_text(path, LIMIT).ok()?, topic, group)
}

fn parse(text: &str, topic: &str, group: &str) -> Option<f64> {
    let name = SUCCESS.prometheus_name();
    let (topic, group) = (escape(topic), escape(group));
    // As this program writes it.
    let series = format!("{name}{{group=\"{group}\",topic=\"{topic}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series))?;
    value
        .parse()
        .ok()
        .filter(|time: &f64| time.is_finite() && *time > 0.0)
}

/// A label's value in the text format.
fn escape(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_of_the_same_topic_and_group_is_read() {
        let text = "# TYPE frontdoor_job_last_success_timestamp_seconds gauge\n\
                    frontdoor_job_last_success_timestamp_seconds{group=\"g\",topic=\"other\"} 1\n\
                    frontdoor_job_last_success_timestamp_seconds{group=\"g\\\\\\\"\\n\",topic=\"t\"} 2.5\n";
        assert_eq!(parse(text, "other", "g"), Some(1.0));
        assert_eq!(parse(text, "t", "g\\\"\n"), Some(2.5));
        assert_eq!(parse(text, "t", "g"), None);
    }

    #[test]
    fn other_files_have_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.prom");
        assert_eq!(read(&path, "t", "g"), None);
        assert_eq!(read(folder.path(), "t", "g"), None);
        for value in ["", "NaN", "+Inf", "-1", "0", "1 2", "x"] {
            let line = format!(
                "frontdoor_job_last_success_timestamp_seconds{{group=\"g\",topic=\"t\"}} {value}\n"
            );
            std::fs::write(&path, line).unwrap();
            assert_eq!(read(&path, "t", "g"), None, "{value}");
        }
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert_eq!(read(&path, "t", "g"), None);
    }
}
