//! The principals that may sign: API keys, resource principals, and the sessions that federation grants.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Public};

use super::authority::{public, rsa_key};
use super::names::{REGION, TENANCY};
use super::state::State;

/// See [`super::Standin::api_key`].
pub(super) fn api_key(state: &State, folder: &Path) -> Result<PathBuf> {
    let key = rsa_key()?;
    let user = "ocid1.user.oc1..standin";
    let fingerprint = colons(&hash(MessageDigest::md5(), &key.public_key_to_der()?)?);
    let (config, key_file) = (folder.join("config"), folder.join("key.pem"));
    let text = format!(
        "[DEFAULT]\nuser={user}\nfingerprint={fingerprint}\ntenancy={TENANCY}\nregion={REGION}\nkey_file={}\n",
        key_file.display()
    );
    write_private(&config, text.as_bytes())?;
    let mut pem = key.private_key_to_pem_pkcs8()?;
    pem.extend_from_slice(b"OCI_API_KEY\n");
    write_private(&key_file, &pem)?;
    state
        .lock()
        .api_keys
        .insert(format!("{TENANCY}/{user}/{fingerprint}"), public(&key)?);
    Ok(config)
}

/// See [`super::Standin::resource_principal`].
pub(super) fn resource_principal(
    state: &State,
    folder: &Path,
    lifetime: Duration,
) -> Result<Vec<(&'static str, String)>> {
    let key = rsa_key()?;
    let token = issue(state, &public(&key)?, lifetime)?;
    let (token_file, key_file) = (folder.join("rpst"), folder.join("private.pem"));
    write_private(&token_file, token.as_bytes())?;
    write_private(&key_file, &key.private_key_to_pem_pkcs8()?)?;
    Ok(vec![
        ("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2".to_owned()),
        (
            "OCI_RESOURCE_PRINCIPAL_RPST",
            token_file.display().to_string(),
        ),
        (
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM",
            key_file.display().to_string(),
        ),
        ("OCI_RESOURCE_PRINCIPAL_REGION", "gru".to_owned()),
    ])
}

/// Issues a token for a session key.
pub(super) fn issue(state: &State, session: &PKey<Public>, lifetime: Duration) -> Result<String> {
    let (number, now) = {
        let mut inner = state.lock();
        inner.tokens += 1;
        (inner.tokens - 1, inner.now())
    };
    state.authority.token(session, number, now + lifetime)
}

/// Bytes as lower-case pairs of hex digits with colons between them.
pub(super) fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// Replaces a file atomically, with mode 0600.
fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, bytes)
        .and_then(|()| std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o600)))
        .and_then(|()| std::fs::rename(&temporary, path))
        .with_context(|| format!("writing {}", path.display()))
}
