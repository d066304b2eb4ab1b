//! Oracle Cloud identifiers. Pure.

use std::fmt;
use std::str::FromStr;

/// An Oracle Cloud identifier: `ocid1.<kind>.<realm>.[region][.future use].<unique id>` ("Resource Identifiers" in
/// Oracle's documentation).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ocid(String);

impl Ocid {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of resource: `vaultsecret`, `tenancy`, …
    pub fn kind(&self) -> &str {
        self.part(1)
    }

    /// The realm: `oc1`, …
    pub fn realm(&self) -> &str {
        self.part(2)
    }

    fn part(&self, index: usize) -> &str {
        self.0.split('.').nth(index).unwrap_or_default()
    }
}

impl FromStr for Ocid {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = text.split('.').collect();
        let well_formed = |part: &&str| {
            part.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        match parts.as_slice() {
            ["ocid1", kind, realm, _, .., unique]
                if !kind.is_empty()
                    && !realm.is_empty()
                    && !unique.is_empty()
                    && text.len() <= 255
                    && parts.iter().all(well_formed) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(()),
        }
    }
}

impl fmt::Display for Ocid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kind_and_realm() {
        for text in [
            "ocid1.vaultsecret.oc1.sa-saopaulo-1.amaaaaaaxyz",
            "ocid1.vaultsecret.oc1..amaaaaaaxyz",
            "ocid1.vaultsecret.oc1.phx.future.amaaaaaaxyz",
        ] {
            let id: Ocid = text.parse().unwrap();
            assert_eq!((id.kind(), id.realm()), ("vaultsecret", "oc1"));
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn rejects_malformed_identifiers() {
        let long = format!("ocid1.vaultsecret.oc1..{}", "a".repeat(255));
        for wrong in [
            "",
            "ocid1",
            "ocid1.vaultsecret.REPLACE-WITH-YOURS",
            "ocid1.vaultsecret.oc1.",
            "ocid1.vaultsecret.oc1..",
            "ocid1..oc1..a",
            "ocid1.vaultsecret...a",
            "ocid2.vaultsecret.oc1..a",
            "ocid1.vaultsecret.oc1..a/b",
            "ocid1.vaultsecret.oc1..a b",
            " ocid1.vaultsecret.oc1..a",
            &long,
        ] {
            assert_eq!(wrong.parse::<Ocid>(), Err(()), "{wrong}");
        }
    }
}
