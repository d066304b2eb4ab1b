//! Divides the partitions of a plan into shares of similar size. Pure.

use std::cmp::Reverse;
use std::fmt;

use super::document::PlannedPartition;

/// The most shares of a plan.
pub(super) const MAX_SHARES: u32 = 1_000;

/// A share of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its number, from 1.
    pub number: u32,
    /// The number of shares.
    pub shares: u32,
}

impl Share {
    /// Parses `2/4`.
    ///
    /// # Errors
    /// The text has another form, or there is no such share.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, shares)| {
            let (number, shares) = (number.parse().ok()?, shares.parse().ok()?);
            let is_share = (1..=shares).contains(&number) && shares <= MAX_SHARES;
            is_share.then_some(Self { number, shares })
        });
        parsed.ok_or_else(|| {
            format!("expected NUMBER/SHARES, such as 2/4, with at most {MAX_SHARES} shares")
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.shares)
    }
}

/// Sets the share of each partition: each partition, the largest first, goes to the share with the fewest offsets. The result
/// depends on the partitions only.
pub(super) fn divide(partitions: &mut [PlannedPartition], shares: u32) {
    let mut sizes: Vec<(i64, u32)> = (1..=shares).map(|number| (0, number)).collect();
    let mut largest: Vec<&mut PlannedPartition> = partitions.iter_mut().collect();
    largest.sort_by_key(|one| (Reverse(one.offsets()), one.partition));
    for partition in largest {
        if let Some(smallest) = sizes.iter_mut().min() {
            // The sizes of a plan in a file are not bounded.
            smallest.0 = smallest.0.saturating_add(partition.offsets());
            partition.share = Some(smallest.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::partition;
    use super::*;

    #[test]
    fn a_share_is_one_of_a_number() {
        let parse = |text| Share::parse(text).map(|share| (share.number, share.shares));
        assert_eq!(parse("2/4"), Ok((2, 4)));
        assert_eq!(parse("1/1"), Ok((1, 1)));
        for text in [
            "", "2", "0/4", "5/4", "1/0", "-1/4", "1/1001", "2of4", "1/2/3",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_have_similar_sizes_and_each_partition_is_in_one() {
        let mut partitions: Vec<_> = [50, 10, 0, 30, 20, 10]
            .iter()
            .zip(0..)
            .map(|(length, number)| partition(number, 100, 100 + length))
            .collect();
        divide(&mut partitions, 2);
        let of = |share| {
            let of_share = partitions.iter().filter(|one| one.share == Some(share));
            of_share.map(PlannedPartition::offsets).sum::<i64>()
        };
        assert_eq!((of(1), of(2)), (60, 60));
        divide(&mut partitions, 9);
        assert!(partitions.iter().all(|one| one.share.is_some()));
    }

    #[test]
    fn the_size_of_a_share_does_not_overflow() {
        let mut partitions = [0, 1].map(|number| partition(number, 0, i64::MAX));
        divide(&mut partitions, 1);
        assert_eq!(partitions[1].share, Some(1));
    }
}
