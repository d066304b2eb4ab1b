//! Principals: selection, renewal, errors.

use std::fs;
use std::time::{Duration, Instant};

use oci::Oci;
use oci::principal::Auth;
use testkit::oci_standin::{Environment, Fault, TENANCY};

use super::{config, sign_in};

const HOUR: Duration = Duration::from_secs(3600);

async fn sign_in_error(environment: &Environment, auth: Auth) -> String {
    match sign_in(environment, auth).await {
        Ok(oci) => panic!("signed in as {}", oci.principal()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn reads_a_resource_principal_from_files_or_variables() {
    let mut environment = Environment::start().await.unwrap();
    let oci = sign_in(&environment, Auth::Detect).await.unwrap();
    assert!(oci.namespace().await.is_ok());
    assert_eq!(
        oci.principal().to_string(),
        format!("resource principal, tenancy {TENANCY}, region sa-saopaulo-1")
    );
    for name in [
        "OCI_RESOURCE_PRINCIPAL_RPST",
        "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM",
    ] {
        let content = fs::read_to_string(&environment.variables[name]).unwrap();
        environment.set(name, &content);
    }
    let oci = sign_in(&environment, Auth::Detect).await.unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn renews_a_token_before_it_expires() {
    let environment = Environment::start().await.unwrap();
    environment
        .resource_principal(Duration::from_secs(200))
        .unwrap();
    let oci = sign_in(&environment, Auth::Resource).await.unwrap();
    environment.resource_principal(HOUR).unwrap();
    environment.cloud.set_clock(250);
    assert!(oci.namespace().await.is_ok());
    assert_eq!(
        environment.cloud.statuses("/n"),
        [200],
        "renewed before the request, not after a 401"
    );
}

#[tokio::test]
async fn tries_newer_files_once_after_a_401() {
    let environment = Environment::start().await.unwrap();
    let oci = sign_in(&environment, Auth::Resource).await.unwrap();
    environment.cloud.revoke_all();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(error.contains("401 NotAuthenticated"), "{error}");
    assert_eq!(
        environment.cloud.statuses("/n"),
        [401],
        "unchanged credentials are not sent again"
    );
    environment.resource_principal(HOUR).unwrap();
    environment.cloud.clear_requests();
    assert!(oci.namespace().await.is_ok());
    assert_eq!(environment.cloud.statuses("/n"), [401, 200]);
}

#[tokio::test]
async fn reports_an_expired_token_that_cannot_be_renewed() {
    let mut environment = Environment::start().await.unwrap();
    let files = environment.resource_principal(Duration::ZERO).unwrap();
    for (name, path) in &files {
        if path.starts_with('/') {
            let content = fs::read_to_string(path).unwrap();
            environment.set(name, &content);
        }
    }
    let oci = sign_in(&environment, Auth::Resource).await.unwrap();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(
        error.contains("; the token of the resource principal expired at "),
        "{error}"
    );
}

#[tokio::test]
async fn keeps_the_old_credentials_when_renewal_fails() {
    let environment = Environment::start().await.unwrap();
    environment
        .resource_principal(Duration::from_secs(200))
        .unwrap();
    let oci = sign_in(&environment, Auth::Resource).await.unwrap();
    fs::remove_file(environment.path().join("rpst")).unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn reports_the_invalid_variable_of_a_resource_principal() {
    const TOKEN: &str = "OCI_RESOURCE_PRINCIPAL_RPST";
    const KEY: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM";
    const PHRASE: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE";
    for (name, value, sentence) in [
        (
            "OCI_RESOURCE_PRINCIPAL_VERSION",
            "",
            "OCI_RESOURCE_PRINCIPAL_VERSION is not set",
        ),
        (
            "OCI_RESOURCE_PRINCIPAL_VERSION",
            "1.1",
            "OCI_RESOURCE_PRINCIPAL_VERSION is \"1.1\"; expected 2.2",
        ),
        (
            "OCI_RESOURCE_PRINCIPAL_REGION",
            "",
            "OCI_RESOURCE_PRINCIPAL_REGION is not set",
        ),
        (
            "OCI_RESOURCE_PRINCIPAL_REGION",
            "moon",
            "\"moon\" is not a region; expected a name such as sa-saopaulo-1",
        ),
        (TOKEN, "", "OCI_RESOURCE_PRINCIPAL_RPST is not set"),
        (
            TOKEN,
            "/nowhere/rpst",
            "OCI_RESOURCE_PRINCIPAL_RPST names /nowhere/rpst: No such file or directory (os error 2)",
        ),
        (
            TOKEN,
            "canary",
            "OCI_RESOURCE_PRINCIPAL_RPST: it is not a session token (JWT): expected three parts with dots between them",
        ),
        (
            TOKEN,
            "a.e30.c",
            "OCI_RESOURCE_PRINCIPAL_RPST: the token contains no tenancy (claim res_tenant)",
        ),
        (
            KEY,
            "canary",
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: it is not a PEM private key",
        ),
        (
            PHRASE,
            "canary",
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM and OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE must both be paths or both be contents",
        ),
    ] {
        let mut environment = Environment::start().await.unwrap();
        environment.set(name, value);
        let error = sign_in_error(&environment, Auth::Resource).await;
        assert_eq!(error, format!("resource principal: {sentence}"));
        assert!(!error.contains("canary"));
    }
}

#[tokio::test]
async fn an_instance_principal_gets_and_renews_a_session() {
    let mut environment = Environment::start().await.unwrap();
    environment.unset_principal();
    environment.set("OCI_METADATA_BASE_URL", environment.cloud.metadata());
    let oci = sign_in(&environment, Auth::Detect).await.unwrap();
    assert_eq!(
        oci.principal().to_string(),
        format!("instance principal, tenancy {TENANCY}, region sa-saopaulo-1")
    );
    assert!(oci.namespace().await.is_ok());
    let federation = environment
        .cloud
        .requests()
        .into_iter()
        .find(|seen| seen.target == "/v1/x509")
        .unwrap();
    assert_eq!(
        federation.signed,
        "date (request-target) content-length content-type x-content-sha256"
    );
    // After a revoked session, the next request gets a new one.
    environment.cloud.revoke_all();
    assert!(oci.namespace().await.is_ok());
    assert_eq!(environment.cloud.statuses("/v1/x509"), [200, 200]);
    assert_eq!(environment.cloud.statuses("/n"), [200, 401, 200]);
}

#[tokio::test]
async fn reports_missing_metadata_or_federation() {
    let mut environment = Environment::start().await.unwrap();
    let error = sign_in_error(&environment, Auth::Instance).await;
    assert!(
        error.starts_with("instance principal: reading http://127.0.0.1:"),
        "{error}"
    );
    environment.set("OCI_METADATA_BASE_URL", environment.cloud.metadata());
    environment.cloud.set_clock(3600);
    let error = sign_in_error(&environment, Auth::Instance).await;
    assert!(error.contains("clock is 60 minutes behind"), "{error}");
    environment.cloud.set_clock(0);
    for (fault, sentence) in [
        (
            Fault::Error(401, "NotAuthenticated".to_owned()),
            "/v1/x509: 401 NotAuthenticated",
        ),
        (
            Fault::Body(b"{}".to_vec()),
            "/v1/x509: the response contains no token (opc-request-id ",
        ),
        (
            Fault::Body(br#"{"token":"canary"}"#.to_vec()),
            "/v1/x509: it is not a session token (JWT)",
        ),
    ] {
        environment.cloud.inject_fault("/v1/x509", fault, 1);
        let error = sign_in_error(&environment, Auth::Instance).await;
        assert!(
            error.contains(sentence) && !error.contains("canary"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn stops_waiting_for_the_metadata_service_at_the_timeout() {
    let mut environment = Environment::start().await.unwrap();
    environment.unset_principal();
    environment.set("OCI_METADATA_BASE_URL", environment.cloud.metadata());
    environment.cloud.inject_fault("/opc/v2/", Fault::Hang, 100);
    let mut config = config(&environment, Auth::Instance);
    config.timeout = Duration::from_millis(300);
    let start = Instant::now();
    let error = Oci::sign_in(&config).await.err().unwrap().to_string();
    assert!(start.elapsed() < Duration::from_secs(9), "{error}");
    assert!(
        error.starts_with("instance principal: reading http://127.0.0.1:")
            && error.contains("no response from 127.0.0.1 within"),
        "{error}"
    );
    // Detection continues with the next kind of principal.
    environment.cloud.api_key(environment.path()).unwrap();
    let oci = sign_in(&environment, Auth::Detect).await.unwrap();
    assert!(oci.principal().to_string().starts_with("API key of "));
}

#[tokio::test]
async fn reads_an_api_key_from_the_file_of_oracles_tools() {
    let mut environment = Environment::start().await.unwrap();
    environment.unset_principal();
    let config = environment.cloud.api_key(environment.path()).unwrap();
    let oci = sign_in(&environment, Auth::Detect).await.unwrap();
    assert_eq!(
        oci.principal().to_string(),
        format!(
            "API key of {} [DEFAULT], tenancy {TENANCY}, region sa-saopaulo-1",
            config.display()
        )
    );
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn reads_a_session_of_the_cli() {
    let environment = Environment::start().await.unwrap();
    let config = environment.cloud.api_key(environment.path()).unwrap();
    let fingerprint = {
        let pem = fs::read(environment.path().join("private.pem")).unwrap();
        oci::key::PrivateKey::from_pem(&pem, None)
            .unwrap()
            .fingerprint()
            .unwrap()
    };
    let session = format!(
        "[DEFAULT]\nfingerprint={fingerprint}\ntenancy={TENANCY}\nregion=gru\nkey_file=~/private.pem\nsecurity_token_file=~/rpst\n"
    );
    fs::write(config, session).unwrap();
    let oci = sign_in(&environment, Auth::ApiKey).await.unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn reports_the_invalid_entry_of_an_api_key() {
    let environment = Environment::start().await.unwrap();
    let path = environment.cloud.api_key(environment.path()).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let without = |key: &str| {
        let kept = good.lines().filter(|line| !line.starts_with(key));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    let with = |key: &str, value: &str| format!("{}{key}={value}\n", without(key));
    let other_key = environment.path().join("private.pem").display().to_string();
    for (text, sentence) in [
        (
            with("fingerprint", "20:3b"),
            "fingerprint is \"20:3b\", but the key in key_file has ",
        ),
        (with("key_file", &other_key), "but the key in key_file has "),
        (
            with("key_file", "/nowhere/key.pem"),
            "key_file /nowhere/key.pem: No such file or directory (os error 2)",
        ),
        (
            with("key_file", path.to_str().unwrap()),
            "config: it is not a PEM private key",
        ),
        (with("user", "me"), "user is \"me\", expected ocid1.user.…"),
        (
            with("tenancy", "ocid1.user.oc1..x"),
            "tenancy is \"ocid1.user.oc1..x\", expected ocid1.tenancy.…",
        ),
        (
            with("tenancy", "ocid1.tenancy.oc99..x"),
            "the domain of realm \"oc99\" is unknown; set OCI_DEFAULT_REALM to it",
        ),
        (without("user"), "user is not set"),
        (without("key_file"), "key_file is not set"),
        (without("region"), "neither region nor OCI_REGION is set"),
        (with("region", "mars"), "\"mars\" is not a region"),
        (
            with("security_token_file", "/nowhere/t"),
            "security_token_file /nowhere/t: No such file",
        ),
        (
            with("authentication_type", "instance_principal"),
            "authentication_type=instance_principal is not supported",
        ),
        (
            good.replace("DEFAULT", "OTHER"),
            "the profile does not exist; the file has [OTHER]",
        ),
        (
            String::new(),
            "the profile does not exist; the file has none",
        ),
        ("[DEFAULT\n".to_owned(), "line 1: expected a closing \"]\""),
    ] {
        fs::write(&path, &text).unwrap();
        let error = sign_in_error(&environment, Auth::ApiKey).await;
        assert!(
            error.starts_with(&format!("API key of {} [DEFAULT]: ", path.display())),
            "{error}"
        );
        assert!(error.contains(sentence), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let error = sign_in_error(&environment, Auth::ApiKey).await;
    assert!(
        error.ends_with("[DEFAULT]: No such file or directory (os error 2)"),
        "{error}"
    );
}

#[tokio::test]
async fn decrypts_a_key_with_its_pass_phrase() {
    let environment = Environment::start().await.unwrap();
    let path = environment.cloud.api_key(environment.path()).unwrap();
    let config = fs::read_to_string(&path).unwrap();
    let key_file = environment.path().join("key.pem");
    let key = openssl::pkey::PKey::private_key_from_pem(&fs::read(&key_file).unwrap()).unwrap();
    let cipher = openssl::symm::Cipher::aes_128_cbc();
    let pem = key
        .private_key_to_pem_pkcs8_passphrase(cipher, b"canary")
        .unwrap();
    fs::write(&key_file, pem).unwrap();
    let error = sign_in_error(&environment, Auth::ApiKey).await;
    assert!(
        error.ends_with("key.pem: the key is encrypted and no pass phrase is set"),
        "{error}"
    );
    fs::write(&path, format!("{config}pass_phrase=wrong\n")).unwrap();
    let error = sign_in_error(&environment, Auth::ApiKey).await;
    assert!(
        error.ends_with("key.pem: the pass phrase does not decrypt the key"),
        "{error}"
    );
    fs::write(&path, format!("{config}pass_phrase=canary\n")).unwrap();
    let oci = sign_in(&environment, Auth::ApiKey).await.unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn reports_where_it_looked_for_a_principal() {
    let mut environment = Environment::start().await.unwrap();
    environment.unset_principal();
    let error = sign_in_error(&environment, Auth::Detect).await;
    let metadata = &environment.variables["OCI_METADATA_BASE_URL"];
    let config = environment.path().join("config");
    assert_eq!(
        error,
        format!(
            "found no Oracle Cloud principal: OCI_RESOURCE_PRINCIPAL_VERSION is not set, no metadata service responds at \
             {metadata}, and {} does not exist; OCI_AUTH selects one",
            config.display()
        )
    );
}
