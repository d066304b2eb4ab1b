//! Encodes an offset map as a commit's metadata.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::leb128;
use super::map::OffsetMap;
use super::scope::{MAGIC, Scope};
use crate::class::Gap;

/// Encodes a map as metadata of at most `limit` bytes, for a commit at `commit`.
///
/// The encoding of a map that does not fit is lossy: in the class with the most gaps, the gaps with the least distance are
/// merged, so that the next run delivers the records between them again. Only if one gap for each class does not fit, the
/// highest offsets are omitted. A completed record may be lost from the map; an incomplete record never becomes completed.
pub fn encode(map: &OffsetMap, commit: i64, scope: &Scope, limit: usize) -> String {
    let mut map = map.clone();
    loop {
        let text = encode_below(&map, map.scanned, commit, scope);
        if text.len() <= limit {
            return text;
        }
        match map.gaps.iter_mut().max_by_key(|gaps| gaps.len()) {
            Some(gaps) if gaps.len() > 1 => *gaps = merge_nearest(gaps),
            _ => return encode_lowest(&map, commit, scope, limit),
        }
    }
}

/// Halves the number of gaps: merges those with the least distance, and of equal distances the highest.
fn merge_nearest(gaps: &[Gap]) -> Vec<Gap> {
    let distance = |pair: &[Gap]| pair[1].0 - pair[0].1;
    let mut distances: Vec<i64> = gaps.windows(2).map(distance).collect();
    let middle = distances.len() / 2;
    let (nearer, threshold, _) = distances.select_nth_unstable(middle);
    let threshold = *threshold;
    let mut equal = middle + 1
        - nearer
            .iter()
            .filter(|distance| **distance < threshold)
            .count();
    let mut merged: Vec<Gap> = Vec::new();
    for gap in gaps.iter().rev() {
        match merged.last_mut() {
            Some(above) if above.0 - gap.1 < threshold => above.0 = gap.0,
            Some(above) if above.0 - gap.1 == threshold && equal > 0 => {
                equal -= 1;
                above.0 = gap.0;
            }
            _ => merged.push(*gap),
        }
    }
    merged.reverse();
    merged
}

/// Encodes the lowest offsets of the map that fit into `limit` bytes.
fn encode_lowest(map: &OffsetMap, commit: i64, scope: &Scope, limit: usize) -> String {
    let mut scanned = map.scanned;
    loop {
        let text = encode_below(map, scanned, commit, scope);
        if text.len() <= limit || scanned <= commit {
            return text;
        }
        let mut starts: Vec<i64> = map
            .gaps
            .iter()
            .flatten()
            .map(|gap| gap.0)
            .filter(|start| *start > commit && *start < scanned)
            .collect();
        starts.sort_unstable();
        scanned = starts.get(starts.len() / 2).copied().unwrap_or(commit);
    }
}

/// Encodes the offsets of the map below `scanned`.
fn encode_below(map: &OffsetMap, scanned: i64, commit: i64, scope: &Scope) -> String {
    let mut bytes = scope.routes.to_le_bytes().to_vec();
    leb128::put(&mut bytes, scanned - commit);
    leb128::put(&mut bytes, map.gaps.len() as i64);
    for gaps in &map.gaps {
        let below: Vec<Gap> = gaps
            .iter()
            .filter(|gap| gap.0 < scanned)
            .map(|gap| (gap.0, gap.1.min(scanned)))
            .collect();
        leb128::put(&mut bytes, below.len() as i64);
        let mut from = commit;
        for gap in below {
            leb128::put(&mut bytes, gap.0 - from);
            leb128::put(&mut bytes, gap.1 - gap.0);
            from = gap.1;
        }
    }
    format!("{MAGIC}{}.{}", scope.topic, URL_SAFE_NO_PAD.encode(bytes))
}
