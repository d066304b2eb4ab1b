//! Divides the partitions of a plan into shards of similar size. Pure.

use std::cmp::Reverse;
use std::fmt;

use super::document::PlannedPartition;

/// The most shards of a plan.
pub(super) const MAX_SHARDS: u32 = 1_000;

/// A shard of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 1.
    pub number: u32,
    /// The number of shards.
    pub shards: u32,
}

impl Shard {
    /// Parses `2/4`.
    ///
    /// # Errors
    /// The text has another form, or there is no such shard.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, shards)| {
            let (number, shards) = (number.parse().ok()?, shards.parse().ok()?);
            let is_shard = (1..=shards).contains(&number) && shards <= MAX_SHARDS;
            is_shard.then_some(Self { number, shards })
        });
        parsed.ok_or_else(|| {
            format!("expected NUMBER/SHARDS, such as 2/4, with at most {MAX_SHARDS} shards")
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.shards)
    }
}

/// Sets the shard of each partition: each partition, the largest first, goes to the shard with the fewest offsets. The result
/// depends on the partitions only.
pub(super) fn divide(partitions: &mut [PlannedPartition], shards: u32) {
    let mut sizes: Vec<(i64, u32)> = (1..=shards).map(|number| (0, number)).collect();
    let mut largest: Vec<&mut PlannedPartition> = partitions.iter_mut().collect();
    largest.sort_by_key(|one| (Reverse(one.offsets()), one.partition));
    for partition in largest {
        if let Some(smallest) = sizes.iter_mut().min() {
            // The sizes of a plan in a file are not bounded.
            smallest.0 = smallest.0.saturating_add(partition.offsets());
            partition.shard = Some(smallest.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::partition;
    use super::*;

    #[test]
    fn a_shard_is_one_of_a_number() {
        let parse = |text| Shard::parse(text).map(|shard| (shard.number, shard.shards));
        assert_eq!(parse("2/4"), Ok((2, 4)));
        assert_eq!(parse("1/1"), Ok((1, 1)));
        for text in [
            "", "2", "0/4", "5/4", "1/0", "-1/4", "1/1001", "2of4", "1/2/3",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shards_have_similar_sizes_and_each_partition_is_in_one() {
        let mut partitions: Vec<_> = [50, 10, 0, 30, 20, 10]
            .iter()
            .zip(0..)
            .map(|(length, number)| partition(number, 100, 100 + length))
            .collect();
        divide(&mut partitions, 2);
        let of = |shard| {
            let of_shard = partitions.iter().filter(|one| one.shard == Some(shard));
            of_shard.map(PlannedPartition::offsets).sum::<i64>()
        };
        assert_eq!((of(1), of(2)), (60, 60));
        divide(&mut partitions, 9);
        assert!(partitions.iter().all(|one| one.shard.is_some()));
    }

    #[test]
    fn the_size_of_a_shard_does_not_overflow() {
        let mut partitions = [0, 1].map(|number| partition(number, 0, i64::MAX));
        divide(&mut partitions, 1);
        assert_eq!(partitions[1].shard, Some(1));
    }
}
