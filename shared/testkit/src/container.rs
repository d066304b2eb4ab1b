//! Reads batch requests without the code under test: Avro object container files with the null codec, and the
//! idempotency keys in their metadata.

use std::collections::BTreeMap;

/// One batch as an endpoint received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The file's metadata.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// The record count and the data of each block.
    pub blocks: Vec<(i64, Vec<u8>)>,
}

impl Batch {
    /// Reads a container file; `None` if it is malformed or has trailing bytes.
    pub fn read(file: &[u8]) -> Option<Self> {
        let mut rest = file.strip_prefix(b"Obj\x01")?;
        let mut batch = Self::default();
        loop {
            let count = long(&mut rest)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                long(&mut rest)?; // a negative count is followed by the block's size in bytes
            }
            for _ in 0..count.abs() {
                let name = String::from_utf8(bytes(&mut rest)?.to_vec()).ok()?;
                batch.metadata.insert(name, bytes(&mut rest)?.to_vec());
            }
        }
        let sync = take(&mut rest, 16)?;
        while !rest.is_empty() {
            let count = long(&mut rest)?;
            batch.blocks.push((count, bytes(&mut rest)?.to_vec()));
            if take(&mut rest, 16)? != sync {
                return None;
            }
        }
        Some(batch)
    }

    /// The records' idempotency keys, in order.
    pub fn keys(&self) -> Vec<String> {
        let joined = self.metadata.get("frontdoor.idempotency-keys");
        let joined = joined.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        joined.map_or_else(Vec::new, |joined| {
            joined.split('\n').map(str::to_owned).collect()
        })
    }

    /// The records. `length_of` returns the length of the datum at the start of the bytes. `None` if a block does not
    /// contain exactly the records that its count states.
    pub fn data(&self, length_of: impl Fn(&[u8]) -> Option<usize>) -> Option<Vec<Vec<u8>>> {
        let mut data = Vec::new();
        for (count, block) in &self.blocks {
            let mut rest = block.as_slice();
            for _ in 0..*count {
                let (datum, tail) = rest.split_at_checked(length_of(rest)?)?;
                data.push(datum.to_vec());
                rest = tail;
            }
            if !rest.is_empty() {
                return None;
            }
        }
        Some(data)
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(long(rest)?).ok()?;
    take(rest, length)
}

/// Removes an Avro `long` from the front of the bytes.
pub(crate) fn long(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::User;

    fn file(count: i64, tail: &[u8]) -> Vec<u8> {
        let mut file = b"Obj\x01\x02".to_vec();
        for text in ["frontdoor.idempotency-keys", "k1\nk2"] {
            file.push(text.len() as u8 * 2);
            file.extend_from_slice(text.as_bytes());
        }
        file.push(0);
        file.extend_from_slice(&[7; 16]);
        let data = [User::new(1, "a").encode(), User::new(2, "b").encode()].concat();
        file.push(count as u8 * 2);
        file.push(data.len() as u8 * 2);
        file.extend_from_slice(&data);
        file.extend_from_slice(tail);
        file
    }

    #[test]
    fn reads_records_and_keys() {
        let batch = Batch::read(&file(2, &[7; 16])).unwrap();
        assert_eq!(batch.keys(), ["k1", "k2"]);
        let data = batch.data(User::length).unwrap();
        assert_eq!(User::decode(&data[1]), Some(User::new(2, "b")));
    }

    #[test]
    fn rejects_a_wrong_count_a_wrong_marker_and_a_truncated_file() {
        assert_eq!(
            Batch::read(&file(1, &[7; 16])).unwrap().data(User::length),
            None
        );
        assert_eq!(Batch::read(&file(2, &[8; 16])), None);
        assert_eq!(Batch::read(&file(2, &[7; 15])), None);
    }
}
