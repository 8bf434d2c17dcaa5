//! nginx in front of nodes, as `docs/nginx.conf` has it: only addresses and places of files are
//! others. On a free port, gone when the test is, however it ends.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::eventually;

/// A running one. Its guard is a shell that reads a pipe which only this process holds.
pub struct Nginx {
    addr: SocketAddr,
    process: Child,
    guard: Child,
    dir: TempDir,
}

impl Nginx {
    /// In front of these three.
    pub async fn of(nodes: [SocketAddr; 3]) -> Self {
        let dir = tempfile::Builder::new().prefix("hubbub-nginx-").tempdir().expect("a directory");
        let home = dir.path().display();
        // Its workers are another user's when it is started by root.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("a directory of ours");
        let [addr] = free_addresses();
        let mut text = include_str!("../../docs/nginx.conf")
            .replace("listen 80;", &format!("listen {addr};"))
            .replace("/dev/stdout", &format!("{home}/access"))
            .replace("/dev/stderr", &format!("{home}/error"));
        for (number, node) in nodes.iter().enumerate() {
            text = text.replace(&format!("node{}:8000", number + 1), &node.to_string());
        }
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places = kinds.map(|kind| format!("    {kind}_temp_path {home}/{kind};\n")).concat();
        let text = text.replacen("http {\n", &format!("http {{\n{places}"), 1);
        let path = dir.path().join("nginx.conf");
        std::fs::write(&path, text).expect("a file");
        let process = Command::new("nginx")
            .args(["-e", &format!("{home}/error"), "-g"])
            .arg(format!("daemon off; pid {home}/pid;"))
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("nginx is needed: apt install nginx");
        let guard = Command::new("sh")
            .args(["-c", "cat >/dev/null; kill -TERM \"$0\"", &process.id().to_string()])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let nginx = Self { addr, process, guard, dir };
        eventually("nginx listens", Duration::from_secs(10), || async {
            TcpStream::connect(addr).await.map(drop).map_err(|why| why.to_string())
        })
        .await;
        nginx
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for file in ["access", "error"] {
                let text = std::fs::read_to_string(self.dir.path().join(file));
                let text = text.unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(40).collect();
                eprintln!("---- nginx, {file}, newest first\n{}\n----", last.join("\n"));
            }
        }
        // Killed, it would leave its workers behind.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.process.wait();
        // The guard must not outlive it: another process may get that id.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// Addresses of this machine that nobody listens at.
pub fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let all = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    all.map(|listener| listener.local_addr().expect("it has an address"))
}
