//! TLS to Redis: its certificate is checked against the system's list, which `SSL_CERT_FILE` names.
//! That is read from the environment once a process, so each case is a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hubbub::bus::{Bus, Health};
use hubbub::config::{BusSettings, Chaos};
use hubbub::domain::NodeId;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::place::{Mouth, PATIENCE};
use crate::redis_server::RedisServer;

const URL: &str = "HUBBUB_TEST_REDISS";

#[test]
fn a_server_is_trusted_by_its_certificate_alone() {
    let home = TempDir::new().expect("a folder");
    let (ours, theirs) = (authority(home.path(), "ours"), authority(home.path(), "theirs"));
    let (certificate, key) = certificate(home.path(), "ours");
    let text = |path: &Path| path.display().to_string();
    let server = RedisServer::with(&[
        "--tls-port",
        "PORT",
        "--tls-cert-file",
        &text(&certificate),
        "--tls-key-file",
        &text(&key),
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://{}", server.addr());
    for (trusted, case) in [(&ours, "connects"), (&theirs, "does_not_connect")] {
        let done = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", &format!("tls::{case}")])
            .env(URL, &url)
            .env("SSL_CERT_FILE", trusted)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{case}: {said}");
    }
}

fn start() -> Bus {
    let settings = BusSettings {
        redis_url: std::env::var(URL).expect("the case's server"),
        prefix: "test".into(),
        allow_chaos: false,
        chaos: Chaos::default(),
    };
    Bus::start(&settings, &NodeId::from("a"), Mouth(mpsc::channel(10).0)).expect("a URL")
}

async fn is_connected(bus: &Bus, within: Duration) -> bool {
    let mut watch = bus.watch();
    let connected = watch.wait_for(|state| state.health == Health::Connected);
    timeout(within, connected).await.is_ok()
}

#[actix::test]
#[ignore = "a case of a_server_is_trusted_by_its_certificate_alone"]
async fn connects() {
    assert!(is_connected(&start(), PATIENCE).await);
}

#[actix::test]
#[ignore = "a case of a_server_is_trusted_by_its_certificate_alone"]
async fn does_not_connect() {
    assert!(!is_connected(&start(), Duration::from_secs(3)).await);
}

fn authority(home: &Path, name: &str) -> PathBuf {
    let path = home.join(format!("{name}.crt"));
    openssl(
        home,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
         -keyout {name}.key -out {name}.crt"
        ),
    );
    path
}

fn certificate(home: &Path, authority: &str) -> (PathBuf, PathBuf) {
    std::fs::write(home.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file");
    openssl(
        home,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis \
                   -keyout server.key -out server.csr",
    );
    openssl(
        home,
        &format!(
            "x509 -req -in server.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial \
         -days 2 -extfile names -out server.crt"
        ),
    );
    (home.join("server.crt"), home.join("server.key"))
}

fn openssl(home: &Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is needed: apt install openssl");
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
}
