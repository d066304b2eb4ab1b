//! The proxies of the environment.

use super::*;

/// Runs with a proxy of the environment and with one route, which has an access token.
fn run_with(stage: &Stage, proxy: &str, arguments: &[&str]) -> Output {
    let oauth2 = json!({
        "token_url": "http://idp.example/token", "client_id": "job", "client_secret": "${env:THE_SECRET}",
    });
    let route = json!({
        "name": "A", "when": "true", "url": "http://api.example/in", "auth": {"oauth2": oauth2},
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, json!({"version": 1, "routes": [route]}).to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
        .env("ROUTES", file.path())
        .env("THE_SECRET", "canary-secret")
        .env("http_proxy", proxy)
        .args(arguments);
    command.output().unwrap()
}

fn with_password(proxy: &Endpoint) -> String {
    proxy.url().replace("http://", "http://job:canary-pass@")
}

#[test]
fn tokens_and_deliveries_use_the_proxy_with_its_password() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "Paul")]);
    let proxy = Endpoint::start(|request| match request.target.as_str() {
        "http://idp.example/token" => {
            let token = json!({"access_token": "canary-token", "token_type": "Bearer"});
            Answer::ok().body(token.to_string())
        }
        _ => Answer::ok(),
    })
    .unwrap();
    let output = run_with(&stage, &with_password(&proxy), &["run", "--output", "json"]);
    Run::from_output(&output).assert(0, &json!({"delivered": 1}));
    let output = run_with(&stage, &with_password(&proxy), &["check"]);
    assert!(output.status.success(), "{output:?}");
    let requests = proxy.requests();
    let targets: Vec<&str> = requests.iter().map(|request| &*request.target).collect();
    let (token, api) = ("http://idp.example/token", "http://api.example/in");
    assert_eq!(targets, [token, api, token, api]);
    for request in requests {
        let credentials = request.header("proxy-authorization");
        assert_eq!(credentials, Some("Basic am9iOmNhbmFyeS1wYXNz"));
    }
}

#[test]
fn the_password_of_a_proxy_is_not_printed() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "Paul")]);
    // The page of a proxy that repeats the request.
    let page = "job canary-pass am9iOmNhbmFyeS1wYXNz";
    let proxy = Endpoint::always(Answer::status(407).body(page)).unwrap();
    let unusable = "socks5://job:canary-pass@proxy.example";
    for (proxy, arguments, code, expected) in [
        (&*with_password(&proxy), &["run"][..], 75, "407"),
        (&with_password(&proxy), &["check"], 75, "407"),
        // An unusable value does not mean a direct connection.
        (
            unusable,
            &["run"],
            78,
            "HTTP_PROXY is not the URL of a proxy",
        ),
        (
            unusable,
            &["check", "--offline"],
            78,
            "HTTP_PROXY is not the URL of a proxy",
        ),
    ] {
        let output = run_with(&stage, proxy, arguments);
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains(expected), "{printed}");
        assert!(
            !printed.contains("canary") && !printed.contains("am9i"),
            "{printed}"
        );
    }
}

#[test]
fn the_schema_registry_is_reached_through_the_proxy() {
    let stage = Stage::accepting();
    let proxy = Endpoint::always(Answer::status(404)).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_forward"));
    check
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
        .env("API_TYPE_A_URL", stage.a.url())
        .env("API_TYPE_B_URL", stage.b.url())
        .env("SCHEMA_REGISTRY_URL", "http://registry.example")
        .env("ALL_PROXY", with_password(&proxy))
        .arg("check");
    let output = check.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let requests = proxy.requests();
    assert!(!requests.is_empty(), "{printed}");
    for request in requests {
        let target = &request.target;
        assert!(target.starts_with("http://registry.example/"), "{target}");
        let credentials = request.header("proxy-authorization");
        assert_eq!(credentials, Some("Basic am9iOmNhbmFyeS1wYXNz"));
    }
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn this_machine_is_reached_without_a_proxy() {
    let stage = Stage::accepting();
    stage.write(&[user(1010, "Paul")]);
    let proxy = Endpoint::always(Answer::ok()).unwrap();
    let variables = ["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, proxy.url()));
    let run = stage.forward(&[]).envs(variables).output().unwrap();
    Run::from_output(&run).assert(0, &json!({"delivered": 1}));
    assert_eq!((stage.a.count(), proxy.count()), (1, 0));
}
