//! Who we are: found in order, renewed in time, and told in one sentence when it is wrong.

use std::fs;
use std::time::{Duration, Instant};

use oci::Oci;
use oci::principal::Auth;
use testkit::oci_standin::{TENANCY, Trouble};

use super::Place;

const HOUR: Duration = Duration::from_secs(3600);

async fn refusal(place: &Place, auth: Auth) -> String {
    match place.sign_in(auth).await {
        Ok(oci) => panic!("signed in as {}", oci.principal()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_resource_principal_is_read_from_files_or_from_the_variables() {
    let mut place = Place::new().await;
    let oci = place.sign_in(Auth::Detect).await.unwrap();
    assert!(oci.namespace().await.is_ok());
    assert_eq!(
        oci.principal().to_string(),
        format!("resource principal, tenancy {TENANCY}, region sa-saopaulo-1")
    );
    for name in [
        "OCI_RESOURCE_PRINCIPAL_RPST",
        "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM",
    ] {
        let content = fs::read_to_string(&place.variables[name]).unwrap();
        place.set(name, &content);
    }
    let oci = place.sign_in(Auth::Detect).await.unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn a_token_about_to_end_is_read_again_with_its_key_before_it_is_used() {
    let place = Place::new().await;
    place.resource_principal(Duration::from_secs(200));
    let oci = place.sign_in(Auth::Resource).await.unwrap();
    place.resource_principal(HOUR);
    place.cloud.set_clock(250);
    assert!(oci.namespace().await.is_ok());
    assert_eq!(
        place.statuses("/n"),
        [200],
        "renewed before, not after a refusal"
    );
}

#[tokio::test]
async fn after_a_401_newer_files_are_tried_once() {
    let place = Place::new().await;
    let oci = place.sign_in(Auth::Resource).await.unwrap();
    place.cloud.revoke_all();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(error.contains("401 NotAuthenticated"), "{error}");
    assert_eq!(
        place.statuses("/n"),
        [401],
        "the same files are not tried again"
    );
    place.resource_principal(HOUR);
    place.cloud.forget_requests();
    assert!(oci.namespace().await.is_ok());
    assert_eq!(place.statuses("/n"), [401, 200]);
}

#[tokio::test]
async fn a_token_that_has_ended_and_cannot_be_renewed_is_told() {
    let mut place = Place::new().await;
    let files = place.resource_principal(Duration::ZERO);
    for (name, path) in &files {
        if path.starts_with('/') {
            let content = fs::read_to_string(path).unwrap();
            place.set(name, &content);
        }
    }
    let oci = place.sign_in(Auth::Resource).await.unwrap();
    let error = oci.namespace().await.unwrap_err().to_string();
    assert!(
        error.contains("; the token of the resource principal ended at "),
        "{error}"
    );
}

#[tokio::test]
async fn a_renewal_that_fails_keeps_the_old_credentials() {
    let place = Place::new().await;
    place.resource_principal(Duration::from_secs(200));
    let oci = place.sign_in(Auth::Resource).await.unwrap();
    fs::remove_file(place.path().join("rpst")).unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn a_wrong_resource_principal_is_one_sentence_that_names_the_variable() {
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
            "OCI_RESOURCE_PRINCIPAL_VERSION is \"1.1\"; only 2.2 is known",
        ),
        (
            "OCI_RESOURCE_PRINCIPAL_REGION",
            "",
            "OCI_RESOURCE_PRINCIPAL_REGION is not set",
        ),
        (
            "OCI_RESOURCE_PRINCIPAL_REGION",
            "moon",
            "\"moon\" is no region; expected a name such as sa-saopaulo-1",
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
            "OCI_RESOURCE_PRINCIPAL_RPST: it is no session token (JWT): expected three parts with dots between them",
        ),
        (
            TOKEN,
            "a.e30.c",
            "OCI_RESOURCE_PRINCIPAL_RPST: the token names no tenancy (claim res_tenant)",
        ),
        (
            KEY,
            "canary",
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: it is no PEM private key",
        ),
        (
            PHRASE,
            "canary",
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM and OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE must both be paths or both be the values themselves",
        ),
    ] {
        let mut place = Place::new().await;
        place.set(name, value);
        let error = refusal(&place, Auth::Resource).await;
        assert_eq!(error, format!("resource principal: {sentence}"));
        assert!(!error.contains("canary"));
    }
}

#[tokio::test]
async fn a_machine_gets_a_session_from_federation_and_renews_it() {
    let mut place = Place::new().await;
    place.unset_principal();
    place.set("OCI_METADATA_BASE_URL", &place.cloud.metadata());
    let oci = place.sign_in(Auth::Detect).await.unwrap();
    assert_eq!(
        oci.principal().to_string(),
        format!("instance principal, tenancy {TENANCY}, region sa-saopaulo-1")
    );
    assert!(oci.namespace().await.is_ok());
    let federation = place
        .cloud
        .requests()
        .into_iter()
        .find(|seen| seen.target == "/v1/x509")
        .unwrap();
    assert_eq!(
        federation.signed,
        "date (request-target) content-length content-type x-content-sha256"
    );
    // Somebody revokes the session: the next request gets a new one.
    place.cloud.revoke_all();
    assert!(oci.namespace().await.is_ok());
    assert_eq!(place.statuses("/v1/x509"), [200, 200]);
    assert_eq!(place.statuses("/n"), [200, 401, 200]);
}

#[tokio::test]
async fn a_machine_without_metadata_or_federation_is_told_which() {
    let mut place = Place::new().await;
    let error = refusal(&place, Auth::Instance).await;
    assert!(
        error.starts_with("instance principal: asking the metadata service for http://127.0.0.1:"),
        "{error}"
    );
    place.set("OCI_METADATA_BASE_URL", &place.cloud.metadata());
    place.cloud.set_clock(3600);
    let error = refusal(&place, Auth::Instance).await;
    assert!(error.contains("clock is 60 minutes behind"), "{error}");
    place.cloud.set_clock(0);
    for (trouble, sentence) in [
        (
            Trouble::Error(401, "NotAuthenticated".to_owned()),
            "/v1/x509 for a token: 401 NotAuthenticated",
        ),
        (
            Trouble::Body(b"{}".to_vec()),
            "/v1/x509 for a token: the answer holds no token (opc-request-id ",
        ),
        (
            Trouble::Body(br#"{"token":"canary"}"#.to_vec()),
            "/v1/x509 for a token: it is no session token (JWT)",
        ),
    ] {
        place.cloud.trouble("/v1/x509", trouble, 1);
        let error = refusal(&place, Auth::Instance).await;
        assert!(
            error.contains(sentence) && !error.contains("canary"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_metadata_service_that_never_answers_is_left_within_the_bound() {
    let mut place = Place::new().await;
    place.unset_principal();
    place.set("OCI_METADATA_BASE_URL", &place.cloud.metadata());
    place.cloud.trouble("/opc/v2/", Trouble::Hang, 100);
    let mut config = place.config(Auth::Instance);
    config.timeout = Duration::from_millis(300);
    let start = Instant::now();
    let error = Oci::sign_in(&config).await.err().unwrap().to_string();
    assert!(start.elapsed() < Duration::from_secs(9), "{error}");
    assert!(
        error.starts_with("instance principal: asking the metadata service for http://127.0.0.1:")
            && error.contains("no answer from 127.0.0.1 within"),
        "{error}"
    );
    // Whoever only looks for it goes on to the next.
    place.cloud.api_key(place.path()).unwrap();
    let oci = place.sign_in(Auth::Detect).await.unwrap();
    assert!(oci.principal().to_string().starts_with("API key of "));
}

#[tokio::test]
async fn an_api_key_comes_from_the_file_of_oracles_tools() {
    let mut place = Place::new().await;
    place.unset_principal();
    let config = place.cloud.api_key(place.path()).unwrap();
    let oci = place.sign_in(Auth::Detect).await.unwrap();
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
async fn a_session_of_the_cli_stands_in_for_an_api_key() {
    let place = Place::new().await;
    let config = place.cloud.api_key(place.path()).unwrap();
    let fingerprint = {
        let pem = fs::read(place.path().join("private.pem")).unwrap();
        oci::key::PrivateKey::from_pem(&pem, None)
            .unwrap()
            .fingerprint()
            .unwrap()
    };
    let session = format!(
        "[DEFAULT]\nfingerprint={fingerprint}\ntenancy={TENANCY}\nregion=gru\nkey_file=~/private.pem\nsecurity_token_file=~/rpst\n"
    );
    fs::write(config, session).unwrap();
    let oci = place.sign_in(Auth::ApiKey).await.unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn a_wrong_api_key_is_one_sentence_that_names_the_file_and_the_entry() {
    let place = Place::new().await;
    let path = place.cloud.api_key(place.path()).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let without = |key: &str| {
        let kept = good.lines().filter(|line| !line.starts_with(key));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    let with = |key: &str, value: &str| format!("{}{key}={value}\n", without(key));
    let other_key = place.path().join("private.pem").display().to_string();
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
            "config: it is no PEM private key",
        ),
        (with("user", "me"), "user is \"me\", expected ocid1.user.…"),
        (
            with("tenancy", "ocid1.user.oc1..x"),
            "tenancy is \"ocid1.user.oc1..x\", expected ocid1.tenancy.…",
        ),
        (
            with("tenancy", "ocid1.tenancy.oc99..x"),
            "the domain of realm \"oc99\" is not known; set OCI_DEFAULT_REALM to it",
        ),
        (without("user"), "user is not set"),
        (without("key_file"), "key_file is not set"),
        (without("region"), "region is not set, nor is OCI_REGION"),
        (with("region", "mars"), "\"mars\" is no region"),
        (
            with("security_token_file", "/nowhere/t"),
            "security_token_file /nowhere/t: No such file",
        ),
        (
            with("authentication_type", "instance_principal"),
            "authentication_type=instance_principal is not supported here",
        ),
        (
            good.replace("DEFAULT", "OTHER"),
            "there is no such profile; the file has [OTHER]",
        ),
        (String::new(), "there is no such profile; the file has none"),
        ("[DEFAULT\n".to_owned(), "line 1: expected a closing \"]\""),
    ] {
        fs::write(&path, &text).unwrap();
        let error = refusal(&place, Auth::ApiKey).await;
        assert!(
            error.starts_with(&format!("API key of {} [DEFAULT]: ", path.display())),
            "{error}"
        );
        assert!(error.contains(sentence), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let error = refusal(&place, Auth::ApiKey).await;
    assert!(
        error.ends_with("[DEFAULT]: No such file or directory (os error 2)"),
        "{error}"
    );
}

#[tokio::test]
async fn an_encrypted_key_needs_its_pass_phrase() {
    let place = Place::new().await;
    let path = place.cloud.api_key(place.path()).unwrap();
    let config = fs::read_to_string(&path).unwrap();
    let key_file = place.path().join("key.pem");
    let key = openssl::pkey::PKey::private_key_from_pem(&fs::read(&key_file).unwrap()).unwrap();
    let cipher = openssl::symm::Cipher::aes_128_cbc();
    let pem = key
        .private_key_to_pem_pkcs8_passphrase(cipher, b"canary")
        .unwrap();
    fs::write(&key_file, pem).unwrap();
    let error = refusal(&place, Auth::ApiKey).await;
    assert!(
        error.ends_with("key.pem: the key is encrypted and no pass phrase is set"),
        "{error}"
    );
    fs::write(&path, format!("{config}pass_phrase=wrong\n")).unwrap();
    let error = refusal(&place, Auth::ApiKey).await;
    assert!(
        error.ends_with("key.pem: the pass phrase does not open the key"),
        "{error}"
    );
    fs::write(&path, format!("{config}pass_phrase=canary\n")).unwrap();
    let oci = place.sign_in(Auth::ApiKey).await.unwrap();
    assert!(oci.namespace().await.is_ok());
}

#[tokio::test]
async fn nobody_at_all_is_one_sentence_that_says_where_we_looked() {
    let mut place = Place::new().await;
    place.unset_principal();
    let error = refusal(&place, Auth::Detect).await;
    let metadata = &place.variables["OCI_METADATA_BASE_URL"];
    let config = place.path().join("config");
    assert_eq!(
        error,
        format!(
            "nothing says who we are to Oracle Cloud: OCI_RESOURCE_PRINCIPAL_VERSION is not set, no metadata service \
             answers at {metadata}, and there is no {}; set OCI_AUTH to say which it should be",
            config.display()
        )
    );
}
