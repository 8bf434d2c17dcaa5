//! CONTRACT section 6, the commands and the settings.

use std::process::Output;

use serde_json::json;

use crate::support::account::PASSWORD;
use crate::support::server::run;
use crate::support::setup::SECRET_KEY;
use crate::support::{Setup, eventually};

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[tokio::test]
async fn users_are_made_listed_and_given_passwords_by_command() {
    let server = Setup::direct().start().await;
    let create = ["user", "create", "--username", "ann", "--email", "ann@example.org"];
    let create = [&create[..], &["--password-stdin"]].concat();
    let done = server.run(&create, &format!("{PASSWORD}\n")).await;
    assert!(done.status.success(), "{}", said(&done));
    let login = |password: &str| json!({"username": "ann", "password": password});
    server.api().post("/api/token/", login(PASSWORD)).await.is(200);
    let again = server.run(&create, &format!("{PASSWORD}\n")).await;
    assert!(!again.status.success(), "the name is taken");
    let weak = ["user", "create", "--username", "weak", "--password-stdin"];
    assert!(!server.run(&weak, "short\n").await.status.success());

    let list = said(&server.run(&["user", "list"], "").await);
    assert!(list.contains("ann") && !list.contains("argon2"), "{list}");

    let set = ["user", "set-password", "--username", "ann", "--password-stdin"];
    let done = server.run(&set, "another good password\n").await;
    assert!(done.status.success(), "{}", said(&done));
    server.api().post("/api/token/", login(PASSWORD)).await.is(401);
    server.api().post("/api/token/", login("another good password")).await.is(200);
}

#[tokio::test]
async fn a_user_who_is_disabled_by_command_is_out_at_once_and_back_when_enabled() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let socket = server.room("lobby").token(&alice.access).open().await;
    let done = server.run(&["user", "disable", "--username", "alice"], "").await;
    assert!(done.status.success(), "{}", said(&done));
    alice.api.get("/api/me/").await.error(401);
    let body = json!({"username": "alice", "password": PASSWORD});
    server.api().post("/api/token/", body.clone()).await.error(401);
    assert_eq!(socket.close_code().await, Some(4001));
    let done = server.run(&["user", "enable", "--username", "alice"], "").await;
    assert!(done.status.success(), "{}", said(&done));
    server.api().post("/api/token/", body).await.is(200);
}

#[tokio::test]
async fn tokens_for_a_load_test_are_lines() {
    let server = Setup::direct().start().await;
    let done = server.run(&["user", "tokens", "--count", "5"], "").await;
    assert!(done.status.success(), "{}", said(&done));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let tokens: Vec<&str> =
        text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(tokens.len(), 5, "{text}");
    for token in tokens {
        server.api().bearer(token).get("/api/me/").await.is(200);
    }
}

#[tokio::test]
async fn migrations_go_up_and_tell_their_status_by_command() {
    let setup = Setup::direct();
    for args in
        [&["migrate", "up"][..], &["migrate", "status"], &["migrate"], &["migrate", "new-epochs"]]
    {
        let done = run(&setup, args, "").await;
        assert!(done.status.success(), "{args:?}: {}", said(&done));
    }
    let server = setup.start().await;
    server.account("alice").await;
}

#[tokio::test]
async fn the_settings_in_force_are_shown_with_secrets_masked() {
    let setup = Setup::direct().env("HUBBUB__SESSION__PING_INTERVAL_S", "7");
    let done = run(&setup, &["config"], "").await;
    assert!(done.status.success(), "{}", said(&done));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(!said(&done).contains(SECRET_KEY), "{text}");
    let shown: toml::Table = text.parse().expect("TOML");
    assert_eq!(shown["session"]["ping_interval_s"].as_integer(), Some(7));
    assert_eq!(shown["auth"]["access_ttl_s"].as_integer(), Some(3_600));

    let url = "postgres://someone:opensesame@127.0.0.1:1/hubbub";
    let done = run(&Setup::direct().env("DATABASE_URL", url), &["config"], "").await;
    assert!(!said(&done).contains("opensesame"), "{}", said(&done));
}

#[tokio::test]
async fn the_openapi_document_is_printed() {
    let done = run(&Setup::direct(), &["openapi"], "").await;
    assert!(done.status.success(), "{}", said(&done));
    let document: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert!(document["paths"].is_object());
}

#[tokio::test]
async fn a_bad_setting_stops_the_start_with_one_line_that_names_it() {
    for (name, value, named) in [
        ("BIND", "nowhere", "BIND"),
        ("HUBBUB__ROOMS__PERMITS", "many", "PERMITS"),
        ("HUBBUB__SESSION__ENGINE", "steam", "ENGINE"),
        ("RATE_LIMITS", "perhaps", "RATE_LIMITS"),
        ("ALLOW_GUESTS", "perhaps", "ALLOW_GUESTS"),
        ("DATABASE_URL", "mysql://somewhere", "DATABASE_URL"),
        ("HUBBUB__ROOMS__NO_SUCH_THING", "1", "NO_SUCH_THING"),
    ] {
        let done = run(&Setup::direct().env(name, value), &["serve"], "").await;
        assert!(!done.status.success(), "{name}={value} was taken");
        let text = said(&done);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(lines.len(), 1, "{name}: {text}");
        let line = lines[0].to_uppercase();
        assert!(line.contains(named) || line.contains(&named.replace('_', ".")), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_bad_secret_is_named_and_not_shown() {
    let short = "far-too-short";
    let setup = Setup::direct().env("HUBBUB_ENV", "production").env("SECRET_KEY", short);
    let done = run(&setup, &["serve"], "").await;
    assert!(!done.status.success(), "production takes no short key");
    let text = said(&done);
    assert!(text.to_uppercase().contains("SECRET_KEY") && !text.contains(short), "{text}");
}

#[tokio::test]
async fn production_and_a_public_address_refuse_to_start_without_a_key() {
    for (name, value) in [("HUBBUB_ENV", "production"), ("BIND", "0.0.0.0:0")] {
        let setup = Setup::direct().without("SECRET_KEY").env(name, value);
        let done = run(&setup, &["serve"], "").await;
        assert!(!done.status.success(), "{name}={value}");
        assert!(said(&done).to_uppercase().contains("SECRET_KEY"), "{}", said(&done));
    }
}

#[tokio::test]
async fn in_development_a_key_is_made_once_and_kept() {
    let server = Setup::direct().without("SECRET_KEY").start().await;
    let alice = server.account("alice").await;
    let server = server.restart().await;
    server.api().bearer(&alice.access).get("/api/me/").await.is(200);
    let other = Setup::direct().without("SECRET_KEY").start().await;
    other.account("alice").await;
    other.api().bearer(&alice.access).get("/api/me/").await.error(401);
}

#[tokio::test]
async fn settings_come_from_a_file_and_dotenv_and_the_environment_wins() {
    let setup = Setup::direct();
    std::fs::create_dir(setup.dir().join("config")).expect("a directory");
    let file = "[session]\nping_interval_s = 11\nmax_frame_bytes = 30000\n[rooms]\nlinger_s = 12\n";
    std::fs::write(setup.dir().join("config/default.toml"), file).expect("a file");
    let dotenv = "HUBBUB__ROOMS__LINGER_S=13\nHUBBUB__SESSION__MAX_FRAME_BYTES=40000\n";
    std::fs::write(setup.dir().join(".env"), dotenv).expect("a file");
    let setup = setup.env("HUBBUB__SESSION__MAX_FRAME_BYTES", "50000");
    let done = run(&setup, &["config"], "").await;
    let shown: toml::Table = String::from_utf8_lossy(&done.stdout).parse().expect("TOML");
    assert_eq!(shown["session"]["ping_interval_s"].as_integer(), Some(11), "the file");
    assert_eq!(shown["rooms"]["linger_s"].as_integer(), Some(13), ".env over the file");
    assert_eq!(shown["session"]["max_frame_bytes"].as_integer(), Some(50_000), "the environment");
    assert_eq!(shown["rooms"]["permits"].as_integer(), Some(1_024), "the default");
}

#[tokio::test]
async fn sqlite_with_redis_is_one_warning_and_a_node_alone() {
    let server = Setup::direct().env("REDIS_URL", "redis://127.0.0.1:1/").start().await;
    assert_eq!(server.api().get("/readyz").await.is(200)["bus"], "local");
    eventually("the warning", std::time::Duration::from_secs(5), || async {
        let log = server.log();
        let warnings = log.lines().filter(|line| line.contains("WARN")).count();
        if warnings == 1 { Ok(()) } else { Err(log) }
    })
    .await;
}
