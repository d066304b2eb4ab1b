//! Values that the interpreter has calculated, as JSON.

use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull,
    CelString, CelTimestamp, CelUInt,
};
use cel::common::value::Val;
use chrono::SecondsFormat;
use serde_json::{Map, Number, Value as Json};

use crate::decimal::Decimal;

/// The value as JSON, of the same form as a field of its type. The keys of maps are sorted, because their order differs
/// from one evaluation to the next. `seconds`: the digits of timestamps.
///
/// # Errors
/// JSON has no such value.
pub(super) fn json(value: &dyn Val, seconds: SecondsFormat) -> Result<Json, String> {
    if value.downcast_ref::<CelNull>().is_some() {
        return Ok(Json::Null);
    }
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Ok((*value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<CelInt>() {
        return Ok((*value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<CelUInt>() {
        return Ok((*value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<CelDouble>() {
        return Ok(double(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelString<'_>>() {
        return Ok(value.inner().into());
    }
    if let Some(value) = value.downcast_ref::<CelBytes<'_>>() {
        let bytes = value.inner().iter();
        return Ok(Json::String(bytes.map(|byte| char::from(*byte)).collect()));
    }
    if let Some(value) = value.downcast_ref::<CelTimestamp>() {
        let time = value.inner().to_utc();
        return Ok(time.to_rfc3339_opts(seconds, true).into());
    }
    if let Some(value) = value.downcast_ref::<CelDuration>() {
        return Ok(duration(value.inner()).into());
    }
    if let Some(value) = value.downcast_ref::<Decimal>() {
        return Ok(value.to_string().into());
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        let items = list.inner().iter();
        let items: Result<Vec<Json>, String> = items.map(|item| json(&**item, seconds)).collect();
        return Ok(Json::Array(items?));
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let mut entries: Vec<(&str, Json)> = Vec::with_capacity(map.inner().len());
        for (key, value) in map.inner() {
            let CelMapKey::String(key) = key else {
                return Err("a key of an object is not a string".to_owned());
            };
            entries.push((key.inner(), json(&**value, seconds)?));
        }
        entries.sort_unstable_by_key(|(key, _)| *key);
        let entries = entries.into_iter();
        let object: Map<String, Json> = entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        return Ok(Json::Object(object));
    }
    Err(format!("a {} has no JSON form", value.get_type().name()))
}

/// As `docs/FORMATS.md` maps doubles.
fn double(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// `5400s`, as CEL's `string(duration)`.
fn duration(value: &chrono::TimeDelta) -> String {
    let nanos = i128::from(value.num_seconds()) * 1_000_000_000 + i128::from(value.subsec_nanos());
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let text = format!("{sign}{seconds}.{fraction:09}");
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_with_a_fraction() {
        for (nanos, text) in [
            (0, "0s"),
            (5_400_000_000_000, "5400s"),
            (-1_500_000_000, "-1.5s"),
            (1, "0.000000001s"),
        ] {
            assert_eq!(duration(&chrono::TimeDelta::nanoseconds(nanos)), text);
        }
    }
}
