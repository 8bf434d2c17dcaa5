//! Thousands of live rooms with few sockets: each follows hundreds of them and forgets what comes. The
//! rooms' rows are made by one statement, on PostgreSQL: making each would take longer than the test.

use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::postgres::fresh_database;
use super::psql::psql;
use super::{Native, Server, Setup};

/// Rooms that one socket follows; a server lets it follow 500.
const A_SOCKET: usize = 500;
/// Joins on their way at one time.
const AT_ONCE: usize = 50;

/// The sockets; the rooms are live as long as this is there.
#[derive(Debug)]
pub struct ManyRooms {
    sockets: JoinSet<()>,
}

impl ManyRooms {
    /// A server for them, and the address of its database.
    pub async fn server() -> (Server, String) {
        let url = fresh_database();
        let setup = Setup::direct().env("DATABASE_URL", &url).for_a_crowd();
        (setup.start().await, url)
    }

    /// So many rooms, named `room 00000` and so on, with so many guests in each; those whose number
    /// is a multiple of 100 have one more.
    pub async fn open(server: &Server, url: &str, rooms: usize, guests: usize) -> Self {
        let last = rooms - 1;
        let make = format!(
            "INSERT INTO room (id, kind, name, name_key, listed, by_guest, epoch, last_seq, \
             member_rev, user_wrote, created_at, last_at) \
             SELECT gen_random_uuid(), 'named', 'room ' || lpad(n::text, 5, '0'), \
             'room ' || lpad(n::text, 5, '0'), true, true, 'e', 0, 0, false, 0, 0 \
             FROM generate_series(0, {last}) AS n"
        );
        psql(url, &make);
        let mut of_sockets: Vec<Vec<usize>> = Vec::new();
        for _ in 0..guests {
            of_sockets.extend((0..rooms).collect::<Vec<_>>().chunks(A_SOCKET).map(<[_]>::to_vec));
        }
        of_sockets.push((0..rooms).step_by(100).collect());
        let (mut sockets, mut entered) = (JoinSet::new(), Vec::new());
        for rooms in of_sockets {
            let (done, is_in) = oneshot::channel();
            entered.push(is_in);
            let socket = server.native_guest().await;
            sockets.spawn(async move {
                let mut socket = follow(socket, rooms).await;
                done.send(()).expect("somebody waits");
                while socket.try_next().await.is_ok() {}
            });
        }
        for is_in in entered {
            is_in.await.expect("it stays");
        }
        Self { sockets }
    }

    /// How many sockets they are.
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }
}

/// A room's name.
pub fn name(number: usize) -> String {
    format!("room {number:05}")
}

async fn follow(mut socket: Native, rooms: Vec<usize>) -> Native {
    for some in rooms.chunks(AT_ONCE) {
        for number in some {
            socket.send(json!({"type": "join", "room": name(*number)})).await;
        }
        let mut live = 0;
        while live < some.len() {
            let frame = socket.next().await;
            assert_ne!(frame["type"], "error", "{frame}");
            live += usize::from(frame["type"] == "live");
        }
    }
    socket
}
