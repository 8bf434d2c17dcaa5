//! CONTRACT section 5, acts in rooms: closed, kicked, banned, unbanned, on plain and on native
//! sockets, with an account and without.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::{Account, Answer, Server, Setup, eventually, shape};

const BANNED: &str = "room_id:uuid subject:str banned:bool until:time|null";

/// Does something to a room.
async fn act(boss: &Account, room: &str, what: &str, body: Value) -> Answer {
    boss.api.post(&format!("/api/admin/rooms/{room}/{what}/"), body).await
}

/// The id of a live named room.
async fn id_of(boss: &Account, name: &str) -> String {
    let rooms = boss.api.get(&format!("/api/admin/rooms/?q={name}")).await.is(200);
    text(&rooms["rooms"][0]["room_id"])
}

/// The sockets of a room.
async fn sockets(boss: &Account, room: &str) -> Vec<Value> {
    let detail = boss.api.get(&format!("/api/admin/rooms/{room}/")).await.is(200);
    detail["session_list"].as_array().expect("a list").clone()
}

/// That a native socket on `/ws/` lost this room and no other.
async fn lost(socket: &mut crate::support::Native, room: &str, code: &str) {
    let error = socket.next_of("error").await;
    assert_eq!((&error["code"], &error["chat_id"]), (&json!(code), &json!(room)), "{error}");
    socket.refused(json!({"type": "send", "room": room, "message": "x"}), "not_joined").await;
    socket.is_alive().await;
}

on_both_engines! {
    async fn a_room_that_an_admin_closes_is_closed_with_4404_and_its_name_is_free(setup: Setup) {
        let server = setup.start().await;
        let boss = admin(&server).await;
        let guest = server.room("open").open().await;
        let door = server.native_room("open").bearer(&boss.access).entered().await.0;
        let mut many = server.native_guest().await;
        let id = many.join("open").await.chat();
        many.join("other").await;
        shape(&act(&boss, &id, "close", json!({})).await.is(200), "room_id:uuid closed_at:time");
        guest.expect_close(4404).await;
        door.expect_bye_and_close(4404).await;
        lost(&mut many, &id, "not_found").await;
        many.say("other", "still here").await;
        act(&boss, &id, "close", json!({})).await.error(404);
        let anew = many.join("open").await;
        assert_ne!(anew.chat(), id, "a room of the same name is another one");
    }

    async fn who_is_kicked_loses_the_room_with_4403_and_may_come_again(setup: Setup) {
        let server = setup.start().await;
        let (boss, alice) = (admin(&server).await, server.account("alice").await);
        let mut guest = server.room("open").open().await;
        let hers = server.room("open").token(&alice.access).open().await;
        let cookie = server.room("open").cookie(&alice.access).open().await;
        let door = server.native_room("open").bearer(&alice.access).entered().await.0;
        let mut many = server.native_as(&alice).await;
        let id = many.join("open").await.chat();
        many.join("other").await;
        act(&boss, &id, "kick", json!({"user_id": alice.id})).await.is(200);
        hers.expect_close(4403).await;
        cookie.expect_close(4403).await;
        door.expect_bye_and_close(4403).await;
        lost(&mut many, &id, "forbidden").await;
        many.say("other", "still here").await;
        guest.is_alive_with_nothing_waiting("not meant").await;
        many.join("open").await;

        // One socket of several.
        let one = server.room("open").token(&alice.access).open().await;
        let is_plain = |socket: &&Value| {
            socket["user_id"] == alice.id && socket["dialect"] != "native"
        };
        let session = sockets(&boss, &id).await.iter().find(is_plain).expect("hers")["session"].clone();
        act(&boss, &id, "kick", json!({"session": session})).await.is(200);
        one.expect_close(4403).await;
        many.say("open", "another socket").await;
        guest.next().await;
        // A guest.
        let is_guest = |socket: &&Value| socket["guest"].is_string();
        let name = sockets(&boss, &id).await.iter().find(is_guest).expect("his")["guest"].clone();
        act(&boss, &id, "kick", json!({"guest": name})).await.is(200);
        guest.expect_close(4403).await;
        server.room("open").open().await.is_alive_with_nothing_waiting("again").await;
        // Nobody who is there.
        act(&boss, &id, "kick", json!({"session": session})).await.is(200);
    }

    async fn a_banned_user_is_out_and_stays_out_until_the_ban_ends(setup: Setup) {
        let server = setup.start().await;
        let (boss, alice) = (admin(&server).await, server.account("alice").await);
        let mut guest = server.room("open").open().await;
        let id = id_of(&boss, "open").await;
        let plain = server.room("open").token(&alice.access).open().await;
        let mut many = server.native_as(&alice).await;
        many.join("open").await;
        let ban = json!({"user_id": alice.id});
        let banned = act(&boss, &id, "ban", ban.clone()).await.is(200);
        shape(&banned, BANNED);
        assert_eq!(banned["subject"], format!("u:{}", alice.id));
        assert!(banned["until"].is_null() && banned["banned"] == true, "{banned}");
        plain.expect_close(4403).await;
        lost(&mut many, &id, "forbidden").await;
        for name in ["open", id.as_str()] {
            server.room(name).token(&alice.access).accepted_then_closed(4403).await;
            server.room(name).cookie(&alice.access).accepted_then_closed(4403).await;
            server.native_room(name).bearer(&alice.access).turned_away(4403).await;
            many.refused(json!({"type": "join", "room": name}), "forbidden").await;
        }
        let bans = boss.api.get(&format!("/api/admin/rooms/{id}/ban/")).await.is(200);
        let hers = json!([{"subject": format!("u:{}", alice.id), "username": "alice", "until": null}]);
        assert_eq!(bans, hers);
        alice.api.get(&format!("/api/admin/rooms/{id}/ban/")).await.error(403);
        // The same address, and somebody else.
        guest.is_alive_with_nothing_waiting("not meant").await;
        many.join("other").await;
        let unbanned = act(&boss, &id, "unban", ban.clone()).await.is(200);
        assert_eq!(unbanned["banned"], false, "{unbanned}");
        let bans = boss.api.get(&format!("/api/admin/rooms/{id}/ban/")).await.is(200);
        assert_eq!(bans, json!([]));
        many.join("open").await;
        many.say("open", "back").await;
        act(&boss, &id, "unban", ban).await.is(200);
    }

    async fn a_ban_ends_by_the_clock(setup: Setup) {
        let server = setup.start().await;
        let (boss, alice) = (admin(&server).await, server.account("alice").await);
        let mut many = server.native_as(&alice).await;
        let id = many.join("open").await.chat();
        let now = text(&many.say("open", "now").await["created_at"]);
        let now = chrono::DateTime::parse_from_rfc3339(&now).expect("a time");
        let until = (now + chrono::Duration::seconds(5)).to_rfc3339();
        let ban = json!({"user_id": alice.id, "until": until});
        shape(&act(&boss, &id, "ban", ban).await.is(200), "until:time");
        lost(&mut many, &id, "forbidden").await;
        eventually("the end of the ban", Duration::from_mins(1), || async {
            let mut anew = server.native_as(&alice).await;
            let answer = anew.ask(json!({"type": "join", "room": "open"})).await;
            if answer["type"] == "joined" { Ok(()) } else { Err(answer.to_string()) }
        })
        .await;
    }

    async fn a_guest_on_a_plain_socket_is_banned_by_address_for_an_hour(setup: Setup) {
        let server = setup.start().await;
        let (boss, alice) = (admin(&server).await, server.account("alice").await);
        let guest = server.room("open").open().await;
        let mut user = server.room("open").token(&alice.access).open().await;
        let id = id_of(&boss, "open").await;
        let is_guest = |socket: &&Value| socket["guest"].is_string();
        let socket = sockets(&boss, &id).await.iter().find(is_guest).expect("his").clone();
        let banned = act(&boss, &id, "ban", json!({"session": socket["session"]})).await.is(200);
        assert_eq!(banned["subject"], "ip:127.0.0.1");
        shape(&banned, "until:time");
        guest.expect_close(4403).await;
        server.room("open").accepted_then_closed(4403).await;
        let mut native = server.native_guest().await;
        native.refused(json!({"type": "join", "room": "open"}), "forbidden").await;
        // Who has an account is banned by name, and other rooms are open.
        user.say("still here").await;
        user.expect_text("still here").await;
        server.room("other").open().await;
        let again = act(&boss, &id, "ban", json!({"ip": "127.0.0.1", "until": "2999-01-01T00:00:00Z"}));
        assert_eq!(again.await.is(200)["until"], "2999-01-01T00:00:00.000000Z");
        act(&boss, &id, "unban", json!({"ip": "127.0.0.1"})).await.is(200);
        server.room("open").open().await.is_alive_with_nothing_waiting("again").await;
        native.join("open").await;
    }

    async fn a_guest_with_a_token_is_banned_as_himself(setup: Setup) {
        let server = setup.start().await;
        let boss = admin(&server).await;
        let mut guest = server.native_guest().await;
        let entry = guest.join("open").await;
        let (id, token) = (entry.chat(), text(&entry.joined["guest_token"]));
        let mut other = server.native_guest().await;
        other.join("open").await;
        let said = guest.say("open", "mine").await["id"].clone();
        other.until("mine").await;
        let first = |socket: &&Value| socket["session"] == guest.said_hello()["session"];
        let name = sockets(&boss, &id).await.iter().find(first).expect("his")["guest"].clone();
        let banned = act(&boss, &id, "ban", json!({"guest": name})).await.is(200);
        assert_eq!(banned["subject"], format!("g:{}", text(&name)));
        assert!(banned["until"].is_null(), "{banned}");
        lost(&mut guest, &id, "forbidden").await;
        let mut again = server.native_guest().await;
        again.ok(json!({"type": "auth", "guest_token": token})).await;
        again.refused(json!({"type": "join", "room": "open"}), "forbidden").await;
        other.say("open", "still here").await;
        server.room("open").open().await;
        // He is not there, and is known by what he was.
        act(&boss, &id, "unban", json!({"guest": name})).await.is(200);
        again.join("open").await;
        again.ok(json!({"type": "edit", "room": "open", "id": said, "message": "me again"})).await;
    }

    async fn a_ban_from_a_group_ends_the_membership_with_an_event(setup: Setup) {
        let server = setup.start().await;
        let boss = admin(&server).await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join(&group).await;
        let mut his = server.native_as(&bob).await;
        his.join(&group).await;
        let plain = server.room(&group).token(&bob.access).open().await;
        act(&boss, &group, "ban", json!({"user_id": bob.id})).await.is(200);
        for socket in [&mut hers, &mut his] {
            let event = socket.next_durable().await;
            let words = json!([event["type"], event["action"], event["user_id"], event["by"]]);
            assert_eq!(words, json!(["member", "banned", bob.id, boss.id]), "{event}");
            assert_eq!(event["seq"], entry.seq() + 1);
        }
        plain.expect_close(4403).await;
        // The frame is all that he is told on `/ws/`.
        his.refused(json!({"type": "send", "room": group, "message": "x"}), "not_joined").await;
        his.refused(json!({"type": "join", "room": group}), "forbidden").await;
        let messages = format!("/api/chats/{group}/messages/");
        bob.api.post(&messages, json!({"content": "x"})).await.error(403);
        bob.api.get(&messages).await.error(403);
        let add = format!("/api/chats/{group}/add-member/");
        alice.api.post(&add, json!({"user_id": bob.id})).await.error(403);
        act(&boss, &group, "unban", json!({"user_id": bob.id})).await.is(200);
        bob.api.get(&messages).await.error(403);
        alice.add_to_chat(&group, &bob).await;
        his.join(&group).await;
    }

    async fn a_ban_from_an_invited_room_keeps_its_member_from_joining_again(setup: Setup) {
        let server = setup.start().await;
        let boss = admin(&server).await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let shh = alice.create_shh_room("Lounge").await;
        bob.join_shh_room(&shh).await;
        let his = server.room(&shh).cookie(&bob.access).open().await;
        act(&boss, &shh, "ban", json!({"user_id": bob.id})).await.is(200);
        assert_eq!(his.close_code().await, Some(4403));
        assert_eq!(server.room(&shh).token(&bob.access).refused().await, 403);
        bob.api.post("/room/join/", json!({"room_id": shh})).await.error(403);
        bob.api.post(&format!("/messages/{shh}/send/"), json!({"message": "x"})).await.error(403);
        act(&boss, &shh, "unban", json!({"user_id": bob.id})).await.is(200);
        bob.join_shh_room(&shh).await;
    }
}

/// What a ban that races with posts may leave: all that was answered with 201, and nothing after it.
async fn nobodys_message_is_after_his_ban(server: &Server) {
    let boss = admin(server).await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let group = alice.create_group("group", &[&bob]).await;
    let path = format!("/api/chats/{group}/messages/");
    let posts = futures_util::future::join_all((0..30).map(|n| {
        let (api, path) = (bob.api.clone(), path.clone());
        async move { api.post(&path, json!({"content": n})).await.status }
    }));
    let ban = act(&boss, &group, "ban", json!({"user_id": bob.id}));
    let (statuses, banned) = tokio::join!(posts, ban);
    banned.is(200);
    assert!(statuses.iter().all(|status| matches!(status, 201 | 403)), "{statuses:?}");
    let mut hers = server.native_as(&alice).await;
    hers.join(&group).await;
    let page = hers.ask(json!({"type": "history", "room": group, "after": 0})).await;
    let events = page["events"].as_array().expect("events");
    let stored = events.iter().filter(|event| event["type"] == "chat_message").count();
    assert_eq!(stored, statuses.iter().filter(|status| **status == 201).count());
    assert_eq!(events.last().expect("the ban")["action"], "banned", "{page}");
}

#[tokio::test]
async fn nothing_is_stored_of_him_after_his_ban_on_sqlite() {
    nobodys_message_is_after_his_ban(&Setup::direct().start().await).await;
}

#[tokio::test]
async fn nothing_is_stored_of_him_after_his_ban_on_postgres() {
    nobodys_message_is_after_his_ban(&Setup::on_postgres().start().await).await;
}

#[tokio::test]
async fn a_ban_from_a_private_chat_silences_one_of_the_two_until_it_ends() {
    let server = Setup::direct().start().await;
    let boss = admin(&server).await;
    let (alice, bob) = (server.account("alice").await, server.account("bob").await);
    let chat = alice.private_chat_with(&bob).await;
    let his = server.room("alice").cookie(&bob.access).open().await;
    act(&boss, &chat, "ban", json!({"user_id": bob.id})).await.is(200);
    his.expect_close(4403).await;
    let path = format!("/api/chats/{chat}/messages/");
    bob.api.post(&path, json!({"content": "x"})).await.error(403);
    server.room("alice").cookie(&bob.access).accepted_then_closed(4403).await;
    alice.post_to_chat(&chat, "she may").await;
    act(&boss, &chat, "unban", json!({"user_id": bob.id})).await.is(200);
    bob.post_to_chat(&chat, "back").await;
}

#[tokio::test]
async fn acts_in_rooms_refuse_by_field_and_by_what_is_there() {
    let server = Setup::direct().start().await;
    let (boss, alice) = (admin(&server).await, server.account("alice").await);
    let group = alice.create_group("group", &[]).await;
    let nil = uuid::Uuid::nil().to_string();
    for what in ["kick", "ban", "unban"] {
        for room in [nil.as_str(), "no-id", "0192f7a0-0000-7000-8000-000000000001"] {
            act(&boss, room, what, json!({"user_id": alice.id})).await.error(404);
        }
        act(&boss, &group, what, json!({})).await.invalid("user_id");
        let both = json!({"user_id": alice.id, "guest": nil});
        act(&boss, &group, what, both).await.invalid("user_id");
        act(&boss, &group, what, json!({"user_id": "x"})).await.invalid("user_id");
        act(&boss, &group, what, json!({"guest": "x"})).await.invalid("guest");
        act(&boss, &group, what, json!({"session": 7})).await.invalid("session");
        act(&boss, &group, what, json!({"ip": "localhost"})).await.invalid("ip");
        act(&boss, &group, what, json!({"user_id": 999})).await.error(404);
    }
    for until in [json!("tomorrow"), json!("2001-01-01T00:00:00Z"), json!([])] {
        let body = json!({"user_id": alice.id, "until": until});
        act(&boss, &group, "ban", body).await.invalid("until");
    }
    for what in ["ban", "unban"] {
        act(&boss, &group, what, json!({"session": nil})).await.error(404);
    }
    act(&boss, "no-id", "close", json!({})).await.error(404);
    let audit = boss.api.get("/api/admin/audit/").await.is(200);
    assert_eq!(audit, json!([]), "what is refused is no act");
}
