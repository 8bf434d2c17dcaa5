//! PROTOCOL.md: what is shown and not stored. Typing, read marks with what is unread, and presence;
//! coalesced, never sequenced, and right in the end. Chats and people stand in `native_lists`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::{Account, Native, Server, Setup, eventually, shape};

const PRESENCE: &str = "chat_id:uuid active_users:int joined:arr left:arr as_of:time";

async fn unread(account: &Account, chat: &str) -> i64 {
    let found = account.api.get(&format!("/api/chats/{chat}/")).await.is(200);
    found["unread"].as_i64().expect("unread")
}

/// The count once it is this.
async fn unread_is(account: &Account, chat: &str, wanted: i64) {
    eventually("unread", Duration::from_secs(5), || async {
        let found = unread(account, chat).await;
        if found == wanted { Ok(()) } else { Err(format!("{found}, not {wanted}")) }
    })
    .await;
}

/// Takes presence of this room until it says this many; the frames.
async fn presence_until(socket: &mut Native, chat: &str, wanted: i64) -> Vec<Value> {
    let mut taken: Vec<Value> = Vec::new();
    while taken.last().is_none_or(|last| last["active_users"] != wanted) {
        let of_it = |frame: &Value| frame["type"] == "presence" && frame["chat_id"] == chat;
        let frame = socket.next_where(of_it).await;
        shape(&frame, PRESENCE);
        assert!(frame.get("seq").is_none(), "never sequenced: {frame}");
        if let Some(last) = taken.last() {
            let times = (last["as_of"].as_str(), frame["as_of"].as_str());
            assert!(times.0 <= times.1, "{last} then {frame}");
        }
        taken.push(frame);
    }
    taken
}

/// Who is there after these frames, by user id, beginning with those.
fn after(mut there: BTreeSet<i64>, frames: &[Value]) -> BTreeSet<i64> {
    let ids = |people: &Value| -> Vec<i64> {
        let people = people.as_array().expect("people");
        people.iter().filter_map(|person| person["user_id"].as_i64()).collect()
    };
    for frame in frames {
        there.extend(ids(&frame["joined"]));
        for id in ids(&frame["left"]) {
            there.remove(&id);
        }
    }
    there
}

/// Two users in a group of theirs.
async fn pair(server: &Server) -> (Account, Account, String, Native, Native) {
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let group = alice.create_group("group", &[&bob]).await;
    let (mut hers, mut his) = (server.native_as(&alice).await, server.native_as(&bob).await);
    hers.join(&group).await;
    his.join(&group).await;
    (alice, bob, group, hers, his)
}

on_both_engines! {
    async fn typing_is_shown_to_the_others(setup: Setup) {
        let server = setup.start().await;
        let (alice, _, group, mut hers, mut his) = pair(&server).await;
        for on in [true, false] {
            hers.send(json!({"type": "typing", "room": group, "on": on})).await;
            let typing = his.next_of("typing").await;
            shape(&typing, "chat_id:uuid user_id:int nick_name:str|null on:bool");
            assert_eq!((&typing["chat_id"], &typing["user_id"]), (&json!(group), &json!(alice.id)));
            assert_eq!(typing["on"], on);
            assert!(typing.get("seq").is_none(), "{typing}");
        }
        let mut guest = server.native_guest().await;
        guest.enter(json!({"type": "join", "room": "open", "nick_name": "Zoë"})).await;
        his.join("open").await;
        guest.send(json!({"type": "typing", "room": "open", "on": true})).await;
        let typing = his.next_of("typing").await;
        assert_eq!((&typing["user_id"], &typing["nick_name"]), (&Value::Null, &json!("Zoë")));
    }

    async fn typing_is_coalesced_and_takes_no_seq(setup: Setup) {
        let server = setup.start().await;
        let (_, _, group, mut hers, mut his) = pair(&server).await;
        for _ in 0..200 {
            hers.send(json!({"type": "typing", "room": group, "on": true})).await;
        }
        let first = seq(&hers.say(&group, "said").await);
        let before = his.until("said").await;
        let shown = before.iter().filter(|frame| frame["type"] == "typing").count();
        assert!(shown <= 20, "{shown} frames for one who types on");
        assert_eq!(seq(&hers.say(&group, "said").await), first + 1);
        his.until("said").await;
    }

    async fn a_read_mark_is_told_to_the_others_and_kept(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob, group, mut hers, mut his) = pair(&server).await;
        let mut last = 0;
        for n in 0..3 {
            last = seq(&hers.say(&group, &n.to_string()).await);
        }
        hers.send(json!({"type": "read", "room": group, "seq": last})).await;
        his.send(json!({"type": "read", "room": group, "seq": last - 1})).await;
        let read =
            hers.next_where(|frame| frame["type"] == "read" && frame["user_id"] == bob.id).await;
        shape(&read, "chat_id:uuid user_id:int seq:int");
        assert_eq!(read["seq"], last - 1);
        unread_is(&alice, &group, 0).await;
        unread_is(&bob, &group, 1).await;
        let server = server.restart().await;
        let mut his = server.native_as(&bob).await;
        assert_eq!(his.join(&group).await.joined["me"]["read_seq"], last - 1);
        unread_is(&bob.at(&server), &group, 1).await;
    }

    async fn a_read_mark_goes_forward_alone_and_never_past_the_head(setup: Setup) {
        let server = setup.start().await;
        let (_, bob, group, mut hers, mut his) = pair(&server).await;
        let last = seq(&hers.say(&group, "one").await);
        his.send(json!({"type": "read", "room": group, "seq": last})).await;
        assert_eq!(hers.next_of("read").await["seq"], last);
        unread_is(&bob, &group, 0).await;
        his.send(json!({"type": "read", "room": group, "seq": 0})).await;
        his.send(json!({"type": "read", "room": group, "seq": last + 1_000})).await;
        his.is_alive().await;
        hers.say(&group, "two").await;
        hers.say(&group, "three").await;
        unread_is(&bob, &group, 2).await;
    }

    async fn every_socket_of_a_user_shares_his_read_mark(setup: Setup) {
        let server = setup.start().await;
        let (_, bob, group, mut hers, mut his) = pair(&server).await;
        let last = seq(&hers.say(&group, "one").await);
        let mut other = server.native_as(&bob).await;
        other.join(&group).await;
        his.send(json!({"type": "read", "room": group, "seq": last})).await;
        let read = other.next_of("read").await;
        assert_eq!((&read["user_id"], &read["seq"]), (&json!(bob.id), &json!(last)));
    }

    async fn presence_tells_who_came_and_went(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut hers = server.native_as(&alice).await;
        let chat = hers.join("lobby").await.chat();
        let mut his = server.native_as(&bob).await;
        let entry = his.join("lobby").await;
        assert_eq!((&entry.joined["active_users"], &entry.joined["sessions"]),
                   (&json!(2), &json!(2)));
        let came = presence_until(&mut hers, &chat, 2).await;
        assert_eq!(after(BTreeSet::from([alice.id]), &came), BTreeSet::from([alice.id, bob.id]));
        let of_bob = |frame: &Value| frame["joined"].as_array().expect("a list").iter()
            .any(|one| one["user_id"] == bob.id && one["username"] == "bob");
        assert!(came.iter().any(of_bob), "{came:?}");
        // A second socket of his is nobody new, and its end takes nobody away.
        let mut other = server.native_as(&bob).await;
        assert_eq!(other.join("lobby").await.joined["active_users"], 2);
        other.reset();
        his.ok(json!({"type": "leave", "room": "lobby"})).await;
        let went = presence_until(&mut hers, &chat, 1).await;
        assert_eq!(after(BTreeSet::from([alice.id, bob.id]), &went), BTreeSet::from([alice.id]));
        // Guests count and have no id.
        let mut guest = server.native_guest().await;
        guest.enter(json!({"type": "join", "room": "elsewhere", "nick_name": "Zoë"})).await;
        let chat = hers.join("elsewhere").await.chat();
        let mut second = server.native_guest().await;
        second.enter(json!({"type": "join", "room": "elsewhere", "nick_name": "Yan"})).await;
        let came = presence_until(&mut hers, &chat, 3).await;
        let named = |frame: &Value| frame["joined"].as_array().expect("a list").iter()
            .any(|one| one["user_id"].is_null() && one["nick_name"] == "Yan");
        assert!(came.iter().any(named), "{came:?}");
    }

    async fn presence_is_coalesced_and_right_in_the_end(setup: Setup) {
        let server = setup.start().await;
        let witness = server.account("witness").await;
        let accounts = Account::many(&server, 40).await;
        let mut watcher = server.native_as(&witness).await;
        let chat = watcher.join("lobby").await.chat();
        let mut crowd = Vec::new();
        for account in &accounts {
            for _ in 0..5 {
                crowd.push(server.native("/ws/").bearer(&account.access).hello().await);
            }
        }
        let joins = crowd.iter_mut().map(|socket| socket.join("lobby"));
        futures_util::future::join_all(joins).await;
        let came = presence_until(&mut watcher, &chat, 41).await;
        assert!(came.len() < 100, "{} frames for 200 sockets", came.len());
        let all: BTreeSet<i64> =
            accounts.iter().map(|account| account.id).chain([witness.id]).collect();
        assert_eq!(after(BTreeSet::from([witness.id]), &came), all);
        for socket in crowd.drain(..150) {
            socket.reset();
        }
        let went = presence_until(&mut watcher, &chat, 11).await;
        let left: BTreeSet<i64> =
            accounts[30..].iter().map(|account| account.id).chain([witness.id]).collect();
        assert_eq!(after(all, &went), left);
        let who = watcher.ask(json!({"type": "who", "room": "lobby"})).await;
        assert_eq!(who["active_users"], 11);
        let found: BTreeSet<i64> = who["members"].as_array().expect("members").iter()
            .filter_map(|one| one["user_id"].as_i64()).collect();
        assert_eq!(found, left);
        for one in who["members"].as_array().expect("members") {
            let wanted = if one["user_id"] == witness.id { 1 } else { 5 };
            assert_eq!(one["sessions"], wanted, "{one}");
        }
    }
}
