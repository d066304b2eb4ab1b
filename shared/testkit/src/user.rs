//! The tutorial's record, encoded and decoded without the code under test.

use crate::container::long;

/// One user: the record of `schemas/user.avsc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Decides the route.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Email.
    pub email: String,
}

impl User {
    /// A user with an email made from the name.
    pub fn new(id: i32, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            email: format!("{name}@example.com"),
        }
    }

    /// Encodes one raw datum: zigzag variable-length numbers, strings after their length (Avro 1.12, binary encoding).
    pub fn encode(&self) -> Vec<u8> {
        let mut datum = Vec::new();
        put(&mut datum, i64::from(self.id));
        for text in [&self.name, &self.email] {
            put(&mut datum, text.len() as i64);
            datum.extend_from_slice(text.as_bytes());
        }
        datum
    }

    /// Decodes one raw datum; `None` if the bytes are not exactly one datum.
    pub fn decode(datum: &[u8]) -> Option<Self> {
        let (user, rest) = Self::first(datum)?;
        rest.is_empty().then_some(user)
    }

    /// The length of the datum at the start of the bytes; `None` if they do not start with a datum.
    pub fn length(bytes: &[u8]) -> Option<usize> {
        let (_, rest) = Self::first(bytes)?;
        Some(bytes.len() - rest.len())
    }

    fn first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = bytes;
        let id = i32::try_from(long(&mut rest)?).ok()?;
        let name = text(&mut rest)?;
        let email = text(&mut rest)?;
        Some((Self { id, name, email }, rest))
    }
}

fn put(datum: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        datum.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    datum.push(left as u8);
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(long(rest)?).ok()?;
    let (text, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_and_decodes_a_user() {
        let user = User {
            id: 1010,
            name: "Ada".into(),
            email: "a@b".into(),
        };
        assert_eq!(user.encode(), b"\xe4\x0f\x06Ada\x06a@b");
        assert_eq!(User::decode(&user.encode()), Some(user.clone()));
        let mut longer = user.encode();
        longer.push(0);
        assert_eq!(User::decode(&longer), None);
        for end in 0..user.encode().len() {
            assert_eq!(User::decode(&user.encode()[..end]), None);
        }
    }

    #[test]
    fn round_trips_negative_and_large_numbers() {
        for id in [i32::MIN, -1, 0, 63, 64, i32::MAX] {
            let user = User::new(id, "n");
            assert_eq!(User::decode(&user.encode()), Some(user));
        }
        assert_eq!(User::decode(&[0xff; 12]), None);
    }
}
