//! Holds back the items of paused partitions. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The bounds on held items: as many as a batch may have, and as many bytes as the client reads ahead.
const MAX_ITEMS: usize = 2_000;
const MAX_BYTES: usize = 4 << 20;

/// The items of paused partitions, and those of resumed partitions that are not returned yet.
#[derive(Debug)]
pub(super) struct HeldItems<T> {
    partitions: BTreeMap<i32, HeldPartition<T>>,
    /// The resumed partitions, in the order of their turns.
    resumed: VecDeque<i32>,
    items: usize,
    bytes: usize,
}

#[derive(Debug)]
struct HeldPartition<T> {
    is_paused: bool,
    /// Each item with its size in bytes.
    items: VecDeque<(T, usize)>,
}

impl<T> HeldItems<T> {
    pub(super) fn new() -> Self {
        Self {
            partitions: BTreeMap::new(),
            resumed: VecDeque::new(),
            items: 0,
            bytes: 0,
        }
    }

    /// Holds the partition's items from now on.
    pub(super) fn pause(&mut self, partition: i32) {
        let held = self.partitions.entry(partition);
        let held = held.or_insert_with(|| HeldPartition {
            is_paused: true,
            items: VecDeque::new(),
        });
        held.is_paused = true;
    }

    /// Returns the items of a paused partition again, the held ones first.
    #[inline]
    pub(super) fn resume(&mut self, partition: i32) {
        if let Some(held) = self.partitions.get_mut(&partition)
            && held.is_paused
        {
            held.is_paused = false;
            self.resumed.push_back(partition);
        }
    }

    /// Drops the partition's items; the partition is not paused any more.
    pub(super) fn remove(&mut self, partition: i32) {
        if let Some(held) = self.partitions.remove(&partition) {
            self.items -= held.items.len();
            self.bytes -= held.items.iter().map(|(_, size)| size).sum::<usize>();
        }
    }

    pub(super) fn is_paused(&self, partition: i32) -> bool {
        let held = self.partitions.get(&partition);
        held.is_some_and(|held| held.is_paused)
    }

    /// True when [`HeldItems::next`] may return an item.
    #[inline]
    pub(super) fn has_resumed(&self) -> bool {
        !self.resumed.is_empty()
    }

    /// True when the bound is reached: the client must fetch no more of the paused partitions.
    pub(super) fn is_full(&self) -> bool {
        self.items >= MAX_ITEMS || self.bytes >= MAX_BYTES
    }

    /// True while there is room for the items of another batch, or all paused partitions are among those that are not
    /// fetched: then a batch adds none.
    pub(super) fn has_room(&self, not_fetched: &BTreeSet<i32>) -> bool {
        !self.is_full()
            || self
                .paused()
                .all(|partition| not_fetched.contains(&partition))
    }

    /// The paused partitions.
    pub(super) fn paused(&self) -> impl Iterator<Item = i32> {
        let paused = self.partitions.iter().filter(|(_, held)| held.is_paused);
        paused.map(|(partition, _)| *partition)
    }

    /// True when no item of the partition is held and it is not paused.
    pub(super) fn is_released(&self, partition: i32) -> bool {
        !self.partitions.contains_key(&partition)
    }

    /// Holds an item of `size` bytes if its partition is paused, or else returns it.
    #[inline]
    pub(super) fn hold(&mut self, partition: i32, item: T, size: usize) -> Option<T> {
        if self.partitions.is_empty() {
            return Some(item);
        }
        let Some(held) = self.partitions.get_mut(&partition) else {
            return Some(item);
        };
        self.items += 1;
        self.bytes += size;
        held.items.push_back((item, size));
        None
    }

    /// Holds an item of `size` bytes of a paused partition before the others.
    pub(super) fn hold_first(&mut self, partition: i32, item: T, size: usize) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            self.items += 1;
            self.bytes += size;
            held.items.push_front((item, size));
        }
    }

    /// The next held item of a resumed partition. The resumed partitions take turns.
    pub(super) fn next(&mut self) -> Option<T> {
        while let Some(partition) = self.resumed.pop_front() {
            let held = self.partitions.get_mut(&partition);
            if let Some(held) = held.filter(|held| !held.is_paused) {
                if let Some((item, size)) = held.items.pop_front() {
                    self.items -= 1;
                    self.bytes -= size;
                    self.resumed.push_back(partition);
                    return Some(item);
                }
                self.partitions.remove(&partition);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_paused_partition_is_held() {
        let mut held = HeldItems::new();
        assert_eq!(held.hold(0, "a", 1), Some("a"));
        held.pause(0);
        assert_eq!(held.hold(0, "b", 1), None);
        assert_eq!(held.hold(1, "c", 1), Some("c"));
        assert_eq!(held.next(), None);
    }

    #[test]
    fn a_resumed_partition_returns_its_items_in_order_before_new_ones() {
        let mut held = HeldItems::new();
        held.pause(0);
        for item in ["a", "b", "c"] {
            assert_eq!(held.hold(0, item, 1), None);
        }
        held.resume(0);
        assert!(held.has_resumed());
        assert_eq!(held.next(), Some("a"));
        held.pause(0);
        assert_eq!(held.next(), None);
        assert_eq!(held.hold(0, "d", 1), None);
        held.resume(0);
        let rest: Vec<_> = std::iter::from_fn(|| held.next()).collect();
        assert_eq!(rest, ["b", "c", "d"]);
        assert_eq!(held.hold(0, "e", 1), Some("e"));
    }

    #[test]
    fn an_item_can_be_returned_before_those_that_followed() {
        let mut held = HeldItems::new();
        for item in ["b", "c"] {
            held.pause(0);
            held.hold(0, item, 1);
        }
        held.hold_first(0, "a", 1);
        held.resume(0);
        let items: Vec<_> = std::iter::from_fn(|| held.next()).collect();
        assert_eq!(items, ["a", "b", "c"]);
    }

    #[test]
    fn items_and_bytes_are_bounded_until_they_are_returned_or_removed() {
        let mut held = HeldItems::new();
        held.pause(0);
        held.pause(1);
        held.hold(0, (), MAX_BYTES);
        assert!(held.is_full());
        held.resume(0);
        held.next();
        assert!(!held.is_full());
        for _ in 0..MAX_ITEMS {
            held.hold(1, (), 1);
        }
        assert!(held.is_full());
        held.remove(1);
        assert!(!held.is_full() && !held.is_paused(1));
    }

    #[test]
    fn at_the_bound_there_is_room_only_while_no_paused_partition_is_fetched() {
        let mut held = HeldItems::new();
        held.pause(0);
        held.hold(0, (), MAX_BYTES);
        assert!(!held.has_room(&BTreeSet::new()));
        assert!(held.has_room(&BTreeSet::from([0])));
        // Its items would be held without a bound.
        held.pause(1);
        assert!(!held.has_room(&BTreeSet::from([0])));
        assert!(held.has_room(&BTreeSet::from([0, 1])));
    }

    #[test]
    fn resumed_partitions_take_turns() {
        let mut held = HeldItems::new();
        for partition in [0, 1] {
            held.pause(partition);
            for item in 0..2 {
                held.hold(partition, (partition, item), 1);
            }
            held.resume(partition);
        }
        let items: Vec<_> = std::iter::from_fn(|| held.next()).collect();
        assert_eq!(items, [(0, 0), (1, 0), (0, 1), (1, 1)]);
        assert!(held.is_released(0) && held.is_released(1));
    }
}
