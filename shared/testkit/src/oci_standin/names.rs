//! The names of the one tenancy.

/// The tenancy.
pub const TENANCY: &str = "ocid1.tenancy.oc1..standin";
/// The region.
pub const REGION: &str = "sa-saopaulo-1";
/// The Object Storage namespace.
pub const NAMESPACE: &str = "standinns";
/// The vault.
pub(super) const VAULT: &str = "ocid1.vault.oc1.sa-saopaulo-1.standin";
