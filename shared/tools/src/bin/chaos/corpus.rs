//! The records that the storm writes: every kind that the product must tell apart, each with bytes of its own.

use testkit::topics::New;
use testkit::user::User;

use crate::dice::Dice;

/// Makes records, each different from all before it.
pub(crate) struct Corpus {
    dice: Dice,
    made: u64,
    partitions: i32,
}

impl Corpus {
    /// For a topic with that many partitions.
    pub(crate) fn new(seed: u64, partitions: i32) -> Self {
        Self {
            dice: Dice::new(seed),
            made: 0,
            partitions,
        }
    }

    /// How many it has made.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// The next `count` records.
    pub(crate) fn next(&mut self, count: usize) -> Vec<New> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> New {
        self.made += 1;
        let number = self.made;
        let name = format!("user-{number}");
        let value = match self.dice.below(100) {
            0..40 => Some(User::new(1010, &name).encode()),
            40..80 => Some(User::new(1020, &name).encode()),
            80..90 => Some(User::new(999, &name).encode()),
            90..92 => None,
            92..94 => Some(User::new(1010, &format!("refused-{number}")).encode()),
            kind => Some(self.poison(kind, &name)),
        };
        New {
            partition: Some(self.dice.below(self.partitions as u64) as i32),
            key: self
                .dice
                .percent(90)
                .then(|| format!("key-{}", number % 50).into_bytes()),
            value,
            ..New::default()
        }
    }

    /// Bytes that are no datum, and no bytes that were made before.
    fn poison(&mut self, kind: u64, name: &str) -> Vec<u8> {
        let mut datum = User::new(1010, name).encode();
        match kind {
            94 => datum.truncate(datum.len() - 1),
            95 => datum.push(0),
            96 => datum = [&[0xff; 11], name.as_bytes()].concat(),
            97 => datum = [b"\xe4\x0f\x01", name.as_bytes()].concat(),
            98 => datum = [b"Obj\x01", name.as_bytes()].concat(),
            _ => {
                // A byte that UTF-8 does not have, within the name.
                datum[4] = 0xff;
            }
        }
        datum
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_records_and_no_two_alike() {
        let records = Corpus::new(7, 6).next(5_000);
        assert_eq!(records, Corpus::new(7, 6).next(5_000));
        assert_ne!(records, Corpus::new(8, 6).next(5_000));
        let values: HashSet<_> = records
            .iter()
            .filter_map(|record| record.value.as_ref())
            .collect();
        let tombstones = records
            .iter()
            .filter(|record| record.value.is_none())
            .count();
        assert_eq!(values.len() + tombstones, 5_000);
    }

    #[test]
    fn poison_is_no_datum() {
        let mut corpus = Corpus::new(1, 6);
        for kind in 94..100 {
            let name = format!("user-{kind}");
            assert_eq!(User::decode(&corpus.poison(kind, &name)), None, "{kind}");
        }
    }
}
