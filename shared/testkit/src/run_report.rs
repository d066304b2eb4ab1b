//! The report of a run, as JSON.

use serde_json::Value;

/// Checks for every partition that planned = end − start = delivered + skipped + dead-lettered + already completed +
/// deferred + empty offsets; that the totals are the sums of the partitions; that each attempt of a route has one result; and that `balanced` is
/// true.
///
/// # Errors
/// The count that is missing or wrong.
pub fn check_balance(report: &Value) -> Result<(), String> {
    const PARTS: [&str; 6] = [
        "delivered",
        "skipped",
        "dead_lettered",
        "already_completed",
        "deferred",
        "empty_offsets",
    ];
    let number = |of: &Value, name: &str| of[name].as_i64().ok_or(format!("no number {name:?}"));
    let sum = |of: &Value| {
        PARTS
            .iter()
            .map(|part| number(of, part))
            .sum::<Result<i64, _>>()
    };
    let partitions = report["partitions"].as_array().ok_or("no partitions")?;
    for one in partitions {
        let planned = number(one, "planned")?;
        if planned != number(one, "end")? - number(one, "start")? || planned != sum(one)? {
            return Err(format!("partition {} does not balance", one["partition"]));
        }
    }
    for name in PARTS.iter().chain(&["planned"]) {
        let parts = partitions
            .iter()
            .map(|one| number(one, name))
            .sum::<Result<i64, _>>()?;
        if parts != number(&report["totals"], name)? {
            return Err(format!(
                "the total of {name} is not the sum of the partitions"
            ));
        }
    }
    for route in report["routes"].as_array().ok_or("no routes")? {
        let statuses = route["statuses"].as_object().ok_or("no statuses")?;
        let answered: i64 = statuses.values().filter_map(Value::as_i64).sum();
        let failed = number(route, "timeouts")? + number(route, "connection_errors")?;
        if answered + failed != number(route, "attempts")? {
            return Err(format!(
                "route {} does not have one result per attempt",
                route["route"]
            ));
        }
    }
    for route in report["routes"].as_array().ok_or("no routes")? {
        let success = route["answers"]["success"].as_i64();
        if success.is_some_and(|count| Some(count) != route["delivered"].as_i64()) {
            return Err(format!(
                "route {} does not have one answer for each delivered record",
                route["route"]
            ));
        }
    }
    match report["balanced"].as_bool() {
        Some(true) => Ok(()),
        _ => Err("`balanced` is not true".to_owned()),
    }
}
