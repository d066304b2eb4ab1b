//! What a batch request holds, read apart from the code under test: the data of an Avro object container file with
//! the null codec, and the idempotency keys in its metadata.

use std::collections::BTreeMap;

/// One batch as an endpoint received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The file's metadata.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// How many records each block claims, and the bytes that hold them.
    pub blocks: Vec<(i64, Vec<u8>)>,
}

impl Batch {
    /// Reads a whole container file; `None` if it is not one from the first byte to the last.
    pub fn read(file: &[u8]) -> Option<Self> {
        let mut rest = file.strip_prefix(b"Obj\x01")?;
        let mut batch = Self::default();
        loop {
            let count = long(&mut rest)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                long(&mut rest)?; // the block's size, which a reader in no hurry can do without
            }
            for _ in 0..count.abs() {
                let name = String::from_utf8(bytes(&mut rest)?.to_vec()).ok()?;
                batch.metadata.insert(name, bytes(&mut rest)?.to_vec());
            }
        }
        let sync = cut(&mut rest, 16)?;
        while !rest.is_empty() {
            let count = long(&mut rest)?;
            batch.blocks.push((count, bytes(&mut rest)?.to_vec()));
            if cut(&mut rest, 16)? != sync {
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

    /// The records, cut apart by `length_of`, which says how long the datum at the start of the bytes is; `None` if
    /// a block does not hold exactly as many as it claims.
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

fn cut<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(long(rest)?).ok()?;
    cut(rest, length)
}

/// Avro's `long`, taken from the front of the bytes.
pub(crate) fn long(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *cut(rest, 1)?.first()?;
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

    fn file(claimed: i64, tail: &[u8]) -> Vec<u8> {
        let mut file = b"Obj\x01\x02".to_vec();
        for text in ["frontdoor.idempotency-keys", "k1\nk2"] {
            file.push(text.len() as u8 * 2);
            file.extend_from_slice(text.as_bytes());
        }
        file.push(0);
        file.extend_from_slice(&[7; 16]);
        let data = [User::new(1, "a").encode(), User::new(2, "b").encode()].concat();
        file.push(claimed as u8 * 2);
        file.push(data.len() as u8 * 2);
        file.extend_from_slice(&data);
        file.extend_from_slice(tail);
        file
    }

    #[test]
    fn a_batch_is_its_records_and_their_keys() {
        let batch = Batch::read(&file(2, &[7; 16])).unwrap();
        assert_eq!(batch.keys(), ["k1", "k2"]);
        let data = batch.data(User::length).unwrap();
        assert_eq!(User::decode(&data[1]), Some(User::new(2, "b")));
    }

    #[test]
    fn a_false_count_a_false_marker_and_a_cut_are_noticed() {
        assert_eq!(
            Batch::read(&file(1, &[7; 16])).unwrap().data(User::length),
            None
        );
        assert_eq!(Batch::read(&file(2, &[8; 16])), None);
        assert_eq!(Batch::read(&file(2, &[7; 15])), None);
    }
}
