//! Values in Confluent's wire format: a zero byte, the id of the writer's schema as four bytes, and the datum. They are
//! encoded and decoded without the code under test.

use testkit::user::User;

/// The `age` of every datum of [`Writer::Added`], as Avro encodes the int 7.
const AGE: u8 = 14;

/// The schema that a framed value names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Writer {
    /// The schema of the job.
    Same,
    /// It has another field with a default.
    Added,
    /// It has two fields in another order: its datums are valid for the schema of the job, with another meaning.
    Reordered,
    /// The registry does not have it. Its datums are valid for the schema of the job.
    Unknown,
}

impl Writer {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Same, Self::Added, Self::Reordered, Self::Unknown];

    /// The name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Same => "framed, the job's schema",
            Self::Added => "framed, an added field",
            Self::Reordered => "framed, fields reordered",
            Self::Unknown => "framed, an unknown id",
        }
    }

    /// The id in the registry.
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Same => 1,
            Self::Added => 2,
            Self::Reordered => 300,
            Self::Unknown => 0x0102_0304,
        }
    }

    /// The schema as JSON; `None`: the registry does not have it.
    pub(crate) fn schema(self) -> Option<&'static str> {
        match self {
            Self::Same => Some(include_str!("../../../../../schemas/user.avsc")),
            Self::Added => Some(
                r#"{"type":"record","name":"User","fields":[
                    {"name":"id","type":"int"},{"name":"age","type":"int","default":1},
                    {"name":"name","type":"string"},{"name":"email","type":"string"}]}"#,
            ),
            Self::Reordered => Some(
                r#"{"type":"record","name":"User","fields":[
                    {"name":"id","type":"int"},{"name":"email","type":"string"},
                    {"name":"name","type":"string"}]}"#,
            ),
            Self::Unknown => None,
        }
    }

    /// The framed value of a user.
    pub(crate) fn encode(self, user: &User) -> Vec<u8> {
        self.frame(&match self {
            Self::Same | Self::Unknown => user.encode(),
            Self::Added => {
                let mut datum = user.encode();
                let id_end = id_end(&datum).unwrap_or_default();
                datum.insert(id_end, AGE);
                datum
            }
            Self::Reordered => swapped(user.clone()).encode(),
        })
    }

    /// A value that names this schema.
    pub(crate) fn frame(self, datum: &[u8]) -> Vec<u8> {
        [&[0], &self.id().to_be_bytes()[..], datum].concat()
    }

    /// The user of a datum of this schema; `None` if the bytes are not exactly one. A schema that the registry does not
    /// have has no datums.
    pub(crate) fn decode(self, datum: &[u8]) -> Option<User> {
        match self {
            Self::Same => User::decode(datum),
            Self::Added => {
                let (id, rest) = datum.split_at_checked(id_end(datum)?)?;
                User::decode(&[id, rest.strip_prefix(&[AGE])?].concat())
            }
            Self::Reordered => User::decode(datum).map(swapped),
            Self::Unknown => None,
        }
    }
}

/// The schema and the datum of a framed value; `None` if the value is not framed.
pub(crate) fn split(value: &[u8]) -> Option<(Writer, &[u8])> {
    let (id, datum) = value.strip_prefix(&[0])?.split_first_chunk::<4>()?;
    let id = u32::from_be_bytes(*id);
    let writer = Writer::ALL.into_iter().find(|writer| writer.id() == id);
    Some((writer.unwrap_or(Writer::Unknown), datum))
}

/// Where the first number of the datum ends.
fn id_end(datum: &[u8]) -> Option<usize> {
    Some(datum.iter().position(|byte| *byte < 0x80)? + 1)
}

fn swapped(user: User) -> User {
    User {
        id: user.id,
        name: user.email,
        email: user.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_user_is_decoded_with_its_schema_only() {
        let user = User::new(1010, "a");
        for writer in Writer::ALL {
            let value = writer.encode(&user);
            let (named, datum) = split(&value).unwrap();
            assert_eq!(named, writer);
            let expected = writer.schema().map(|_| user.clone());
            assert_eq!(writer.decode(datum), expected);
            assert_eq!(writer.decode(&datum[..datum.len() - 1]), None);
        }
        let added = Writer::Added.encode(&user);
        assert_eq!(added, b"\0\0\0\0\x02\xe4\x0f\x0e\x02a\x1aa@example.com");
        let reordered = Writer::Reordered.encode(&user);
        assert_eq!(reordered, b"\0\0\0\x01\x2c\xe4\x0f\x1aa@example.com\x02a");
        assert_eq!(split(&user.encode()), None);
    }
}
