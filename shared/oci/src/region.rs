//! Regions, realms and the hosts of the services. Pure.

use std::fmt;

/// A region and the domain of its services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    id: String,
    domain: String,
}

/// Why a region is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// The text is neither a region's name nor a known short code.
    #[error("{0:?} is not a region; expected a name such as sa-saopaulo-1")]
    Unknown(String),
    /// The domain of the realm is unknown.
    #[error(
        "the domain of realm {0:?} is unknown; set OCI_DEFAULT_REALM to it, such as oraclecloud99.com"
    )]
    UnknownRealm(String),
}

impl Region {
    /// The region with this name or short code (`phx`), in the realm of the tenancy (`oc1`).
    ///
    /// Every well-formed name is accepted, because Oracle opens regions every few weeks. The realm is in the tenancy's
    /// OCID. `default_domain` (`OCI_DEFAULT_REALM` of Oracle's SDKs) is the domain of an unknown realm.
    ///
    /// # Errors
    /// The name is malformed, or the domain of the realm is unknown.
    pub fn new(name: &str, realm: &str, default_domain: Option<&str>) -> Result<Self, RegionError> {
        let name = name.trim().to_ascii_lowercase();
        let long = SHORT_CODES
            .iter()
            .find(|(short, _)| *short == name)
            .map(|(_, long)| (*long).to_owned());
        let id = long
            .or_else(|| is_well_formed(&name).then(|| name.clone()))
            .ok_or(RegionError::Unknown(name))?;
        let domain = REALMS
            .iter()
            .find(|(known, _)| *known == realm)
            .map(|(_, domain)| *domain)
            .or(default_domain)
            .ok_or_else(|| RegionError::UnknownRealm(realm.to_owned()))?
            .to_owned();
        Ok(Self { id, domain })
    }

    /// Object Storage.
    pub fn object_storage(&self) -> String {
        format!("https://objectstorage.{}.{}", self.id, self.domain)
    }

    /// Secret retrieval of Vault.
    pub fn secrets(&self) -> String {
        format!("https://secrets.vaults.{}.oci.{}", self.id, self.domain)
    }

    /// Federation of instance principals.
    pub fn auth(&self) -> String {
        format!("https://auth.{}.{}", self.id, self.domain)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// `sa-saopaulo-1`, `us-gov-ashburn-1`: three or four words, the last a number.
fn is_well_formed(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = words.split_last() else {
        return false;
    };
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    (2..=4).contains(&words.len())
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.chars().all(|c| c.is_ascii_digit())
}

/// Second-level domains by realm, as in Oracle's SDKs.
const REALMS: &[(&str, &str)] = &[
    ("oc1", "oraclecloud.com"),
    ("oc2", "oraclegovcloud.com"),
    ("oc3", "oraclegovcloud.com"),
    ("oc4", "oraclegovcloud.uk"),
    ("oc8", "oraclecloud8.com"),
    ("oc9", "oraclecloud9.com"),
    ("oc10", "oraclecloud10.com"),
    ("oc14", "oraclecloud14.com"),
    ("oc15", "oraclecloud15.com"),
    ("oc19", "oraclecloud.eu"),
    ("oc20", "oraclecloud20.com"),
    ("oc21", "oraclecloud21.com"),
    ("oc23", "oraclecloud23.com"),
    ("oc24", "oraclecloud24.com"),
    ("oc26", "oraclecloud26.com"),
    ("oc29", "oraclecloud29.com"),
    ("oc35", "oraclecloud35.com"),
    ("oc42", "oraclecloud42.com"),
    ("oc51", "oraclecloud51.com"),
    ("oc52", "oraclecloud52.com"),
];

/// The short codes that metadata services and resource principals may give in place of a name.
#[rustfmt::skip]
const SHORT_CODES: &[(&str, &str)] = &[
    ("lej", "af-casablanca-1"), ("jnb", "af-johannesburg-1"), ("hsg", "ap-batam-1"), ("nja", "ap-chiyoda-1"),
    ("yny", "ap-chuncheon-1"), ("bno", "ap-chuncheon-2"), ("wga", "ap-dcc-canberra-1"), ("dac", "ap-dcc-gazipur-1"),
    ("onm", "ap-delhi-1"), ("hyd", "ap-hyderabad-1"), ("ukb", "ap-ibaraki-1"), ("jbp", "ap-kulai-2"),
    ("mel", "ap-melbourne-1"), ("bom", "ap-mumbai-1"), ("kix", "ap-osaka-1"), ("icn", "ap-seoul-1"),
    ("dtz", "ap-seoul-2"), ("sin", "ap-singapore-1"), ("xsp", "ap-singapore-2"), ("dln", "ap-suwon-1"),
    ("syd", "ap-sydney-1"), ("nrt", "ap-tokyo-1"), ("yul", "ca-montreal-1"), ("yyz", "ca-toronto-1"),
    ("ams", "eu-amsterdam-1"), ("jsk", "eu-budapest-1"), ("avf", "eu-crissier-1"), ("ork", "eu-dcc-dublin-1"),
    ("snn", "eu-dcc-dublin-2"), ("bgy", "eu-dcc-milan-1"), ("mxp", "eu-dcc-milan-2"), ("dus", "eu-dcc-rating-1"),
    ("dtm", "eu-dcc-rating-2"), ("avz", "eu-dcc-zurich-1"), ("fra", "eu-frankfurt-1"), ("str", "eu-frankfurt-2"),
    ("beg", "eu-jovanovac-1"), ("mad", "eu-madrid-1"), ("vll", "eu-madrid-2"), ("orf", "eu-madrid-3"),
    ("mrs", "eu-marseille-1"), ("lin", "eu-milan-1"), ("cdg", "eu-paris-1"), ("arn", "eu-stockholm-1"),
    ("nrq", "eu-turin-1"), ("zrh", "eu-zurich-1"), ("mtz", "il-jerusalem-1"), ("auh", "me-abudhabi-1"),
    ("rkt", "me-abudhabi-2"), ("ahu", "me-abudhabi-3"), ("shj", "me-abudhabi-4"), ("rba", "me-alain-1"),
    ("vve", "me-alrayyan-1"), ("doh", "me-dcc-doha-1"), ("mct", "me-dcc-muscat-1"), ("dxb", "me-dubai-1"),
    ("ibr", "me-ibri-1"), ("jed", "me-jeddah-1"), ("ruh", "me-riyadh-1"), ("mty", "mx-monterrey-1"),
    ("qro", "mx-queretaro-1"), ("bog", "sa-bogota-1"), ("hnw", "sa-riodejaneiro-1"), ("scl", "sa-santiago-1"),
    ("gru", "sa-saopaulo-1"), ("vap", "sa-valparaiso-1"), ("vcp", "sa-vinhedo-1"), ("cwl", "uk-cardiff-1"),
    ("brs", "uk-gov-cardiff-1"), ("ltn", "uk-gov-london-1"), ("lhr", "uk-london-1"), ("iad", "us-ashburn-1"),
    ("yxj", "us-ashburn-2"), ("ord", "us-chicago-1"), ("ric", "us-gov-ashburn-1"), ("pia", "us-gov-chicago-1"),
    ("tus", "us-gov-phoenix-1"), ("lfi", "us-langley-1"), ("luf", "us-luke-1"), ("pgc", "us-newark-1"),
    ("phx", "us-phoenix-1"), ("aga", "us-saltlake-2"), ("sjc", "us-sanjose-1"), ("ebb", "us-somerset-1"),
    ("ebl", "us-thames-1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_follow_region_and_realm() {
        let region = Region::new("sa-saopaulo-1", "oc1", None).unwrap();
        assert_eq!(
            region.object_storage(),
            "https://objectstorage.sa-saopaulo-1.oraclecloud.com"
        );
        assert_eq!(
            region.secrets(),
            "https://secrets.vaults.sa-saopaulo-1.oci.oraclecloud.com"
        );
        let government = Region::new("us-gov-ashburn-1", "oc3", None).unwrap();
        assert_eq!(
            government.auth(),
            "https://auth.us-gov-ashburn-1.oraclegovcloud.com"
        );
    }

    #[test]
    fn accepts_short_codes() {
        for code in ["gru", "GRU", " gru\n"] {
            let region = Region::new(code, "oc1", None).unwrap();
            assert_eq!(region.to_string(), "sa-saopaulo-1");
        }
    }

    #[test]
    fn accepts_a_new_region_and_rejects_a_malformed_name() {
        assert!(Region::new("xx-newplace-12", "oc1", None).is_ok());
        for wrong in [
            "",
            "grx",
            "sao paulo",
            "sa-saopaulo",
            "sa--1",
            "a.b-c-1",
            "-1",
            "evil.com/-x-1",
        ] {
            let error = Region::new(wrong, "oc1", None).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{wrong:?} is not a region; expected a name such as sa-saopaulo-1")
            );
        }
    }

    #[test]
    fn an_unknown_realm_requires_its_domain() {
        assert_eq!(
            Region::new("xx-place-1", "oc99", None)
                .unwrap_err()
                .to_string(),
            "the domain of realm \"oc99\" is unknown; set OCI_DEFAULT_REALM to it, such as oraclecloud99.com"
        );
        let region = Region::new("xx-place-1", "oc99", Some("oraclecloud99.com")).unwrap();
        assert_eq!(region.auth(), "https://auth.xx-place-1.oraclecloud99.com");
    }

    #[test]
    fn every_short_code_names_a_well_formed_region() {
        for (short, long) in SHORT_CODES {
            assert!(short.len() == 3 && is_well_formed(long), "{short} {long}");
        }
    }
}
