//! A full disk under `SQLite`: reading goes on, posts are refused with `busy` or wait, and with room
//! again all goes on and nothing is lost or doubled. The disk is a small tmpfs of the server's own,
//! in a namespace that ends with it: no right is needed that a test does not have.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Native, Server, Setup};

/// Mounts it and becomes the server.
const ON_A_SMALL_DISK: &str = "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"";

/// Something that takes all the room there is, until it is dropped.
struct Filler(PathBuf);

impl Filler {
    fn on(server: &Server, disk: &std::path::Path) -> Self {
        // The disk is there for the server alone; its root is seen from outside.
        let path = format!("/proc/{}/root{}/filler", server.pid(), disk.display());
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 4_096]).is_ok() {}
        Self(path.into())
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn send(text: &str) -> Value {
    json!({"type": "send", "room": "open", "message": text, "client_id": text})
}

/// What was not refused.
#[derive(Default)]
struct Taken {
    texts: Vec<String>,
    /// So many of them have no answer yet.
    waiting: usize,
}

/// Posts until one is refused, which must be with `busy`: what was taken, and the one refused.
async fn post_until_refused(socket: &mut Native) -> (Taken, String) {
    let mut taken = Taken::default();
    loop {
        let text = format!("while it is full {}", taken.texts.len());
        socket.send(send(&text)).await;
        let answered = |frame: &Value| frame["type"] == "ok" || frame["type"] == "error";
        // What is taken and not stored is answered once there is room: nothing comes for it.
        let soon = timeout(Duration::from_millis(250), socket.next_where(answered)).await;
        match soon {
            Ok(answer) if answer["type"] == "error" => {
                assert_eq!(answer["code"], "busy", "{answer}");
                return (taken, text);
            }
            // It still fitted in.
            Ok(_) => {}
            Err(_) => taken.waiting += 1,
        }
        taken.texts.push(text);
        assert!(taken.texts.len() < 10_000 && taken.waiting < 18, "nothing is refused");
    }
}

/// Posts it again while it is refused with `busy`, after the time that it says.
async fn post_until_taken(socket: &mut Native, text: &str) -> Value {
    loop {
        let answer = socket.ask(send(text)).await;
        if answer["type"] == "ok" {
            return answer;
        }
        assert_eq!(answer["code"], "busy", "{answer}");
        let wait = answer["retry_after_ms"].as_u64().expect("a wait");
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

on_both_engines! {
    async fn with_a_full_disk_reading_goes_on_and_with_room_again_so_does_all(setup: Setup) {
        let disk = setup.dir().join("disk");
        std::fs::create_dir(&disk).expect("a directory");
        let path = disk.to_str().expect("a path").to_owned();
        let url = format!("sqlite://{path}/hubbub.db");
        let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, &path];
        let server = setup.env("DATABASE_URL", &url).under(&wrapper).start().await;
        let (mut one, mut other) = (server.native_guest().await, server.native_guest().await);
        one.join("open").await;
        other.join("open").await;
        one.say("open", "before").await;
        other.until("before").await;

        let filler = Filler::on(&server, &disk);
        let (taken, refused) = post_until_refused(&mut one).await;
        let page = other.ask(json!({"type": "history", "room": "open", "after": 0})).await;
        assert_eq!(page["events"][0]["message"], "before", "reading goes on: {page}");
        assert_eq!(server.api().get("/list_rooms/").await.is(200)[0]["active_members"], 2);

        drop(filler);
        for _ in 0..taken.waiting {
            one.next_of("ok").await;
        }
        post_until_taken(&mut one, &refused).await;
        let said: Vec<String> = taken.texts.into_iter().chain([refused.clone()]).collect();
        let head = 1 + i64::try_from(said.len()).expect("few");
        let history = other.whole_history("open", head).await;
        let texts: Vec<&Value> = history[1..].iter().map(|event| &event["message"]).collect();
        assert_eq!(texts, said.iter().collect::<Vec<_>>(), "each once, in order");
        other.until(&refused).await;
    }
}
