//! PROTOCOL.md, *Closing*: each code that a client or an operator can bring about. What limits
//! bring about (4002, 4005, 4502, 4504, 1009) stands in `native_limits`, 4408 in `native_doors`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::account::{PASSWORD, text};
use crate::support::native::V1;
use crate::support::raw::{Head, TEXT, frame, whole};
use crate::support::socket::Door;
use crate::support::tokens::{altered, claims};
use crate::support::{Account, Native, Proxy, RawSocket, Setup, eventually, shape};

/// Her token, but good for so many seconds from now alone.
fn good_for(login: &Account, secs: i64) -> String {
    let made = claims(&login.access)["iat"].as_i64().expect("iat");
    altered(&login.access, &json!({"exp": made + secs}))
}

/// What tells that this room is lost.
async fn lost(socket: &mut Native, chat: &str) -> Value {
    let about = |frame: &Value| {
        frame["chat_id"] == chat && (frame["type"] == "error" || frame["type"] == "member")
    };
    socket.next_where(about).await
}

on_both_engines! {
    async fn a_drain_says_4003_and_when_to_come_back(setup: Setup) {
        let mut server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut sockets = Vec::new();
        for _ in 0..10 {
            sockets.push(server.native_as(&alice).await);
            sockets.push(server.native_room(&group).bearer(&alice.access).entered().await.0);
            let mut guest = server.native_guest().await;
            guest.join("open").await;
            sockets.push(guest);
        }
        let (status, waits) = tokio::join!(server.stop(), async {
            let mut waits = BTreeSet::new();
            for socket in sockets {
                let bye = socket.expect_bye_and_close(4003).await;
                let after = bye["after_ms"].as_u64().expect("a wait");
                assert!(after <= 30_000, "{bye}");
                waits.insert(after);
            }
            waits
        });
        assert!(waits.len() > 1, "not all come back at once: {waits:?}");
        assert_eq!(status.code(), Some(0));
    }

    async fn one_who_falls_silent_is_closed_with_4004(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__PING_INTERVAL_S", "1").start().await;
        let proxy = Proxy::to(server.addr()).await;
        let door = Door::new(proxy.addr(), "/ws/").subprotocols(V1);
        let mut silent = door.header("host", &server.addr().to_string()).hello().await;
        silent.join("open").await;
        let mut witness = server.native_guest().await;
        assert_eq!(witness.join("open").await.joined["active_users"], 2);
        proxy.silence();
        let gone = |frame: &Value| frame["type"] == "presence" && frame["active_users"] == 1;
        witness.next_where(gone).await;
        proxy.heal();
        silent.expect_bye_and_close(4004).await;
    }

    async fn expiring_comes_before_4100(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let login = alice.again().await;
        let short = good_for(&login, 5);
        let ticket = server.api().bearer(&short).post("/api/ws-ticket/", json!({})).await.is(200);
        let ticket = text(&ticket["ticket"]);
        let (own, _) = server.native_room(&group).bearer(&short).entered().await;
        let mut late = server.native_guest().await;
        let ok = late.ok(json!({"type": "auth", "token": short})).await;
        shape(&ok, "expires_at:time");
        let sockets = [
            server.native("/ws/").bearer(&short).hello().await,
            server.native("/ws/").cookie(&short).hello().await,
            server.native("/ws/").query("ticket", &ticket).hello().await,
            own,
            late,
        ];
        for mut socket in sockets {
            let expiring = socket.next_of("expiring").await;
            shape(&expiring, "expires_at:time");
            assert_eq!(expiring["expires_at"], ok["expires_at"]);
            socket.expect_bye_and_close(4100).await;
        }
    }

    async fn expiring_comes_60_s_before_the_end_and_not_at_once(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let made = Instant::now();
        let login = alice.again().await;
        let mut socket = server.native("/ws/").bearer(&good_for(&login, 64)).hello().await;
        socket.next_of("expiring").await;
        assert!(made.elapsed() > Duration::from_secs(2), "{:?}", made.elapsed());
        socket.is_alive().await;
    }

    async fn auth_with_a_newer_token_renews_the_live_socket(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let login = alice.again().await;
        let short = good_for(&login, 4);
        let mut renewed = server.native("/ws/").bearer(&short).hello().await;
        let (mut own, _) = server.native_room("lobby").bearer(&short).entered().await;
        renewed.join("lobby").await;
        let left_alone = server.native("/ws/").bearer(&short).hello().await;
        for socket in [&mut renewed, &mut own] {
            socket.next_of("expiring").await;
            let ok = socket.ok(json!({"type": "auth", "token": login.access})).await;
            shape(&ok, "user:obj expires_at:time");
            assert_eq!(ok["user"]["id"], alice.id);
        }
        left_alone.expect_bye_and_close(4100).await;
        for socket in [&mut renewed, &mut own] {
            socket.say("lobby", "still here").await;
        }
    }

    async fn a_renewed_socket_lives_by_its_newer_login_alone(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let newer = alice.again().await;
        let mut socket = server.native_as(&alice).await;
        socket.join("lobby").await;
        socket.ok(json!({"type": "auth", "token": newer.access})).await;
        alice.log_out().await;
        socket.is_alive().await;
        newer.log_out().await;
        socket.expect_bye_and_close(4401).await;
    }

    async fn signing_out_closes_with_4401_and_other_logins_stay(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let other = alice.again().await;
        let mut sockets = vec![
            server.native_as(&alice).await,
            server.native("/ws/").cookie(&alice.access).hello().await,
            server.native_room("lobby").bearer(&alice.access).entered().await.0,
        ];
        let mut late = server.native_guest().await;
        late.ok(json!({"type": "auth", "token": alice.access})).await;
        sockets.push(late);
        let mut stays = server.native_as(&other).await;
        alice.log_out().await;
        for socket in sockets {
            socket.expect_bye_and_close(4401).await;
        }
        stays.is_alive().await;
    }

    async fn a_new_password_closes_other_logins_with_4401(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let other = alice.again().await;
        let mut stays = server.native_as(&alice).await;
        let goes = server.native_as(&other).await;
        let body = json!({"old_password": PASSWORD, "new_password": "another correct horse"});
        alice.api.post("/api/me/password/", body).await.is(200);
        goes.expect_bye_and_close(4401).await;
        stays.is_alive().await;
    }

    async fn a_user_who_is_disabled_is_closed_with_4401(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let socket = server.native_as(&alice).await;
        let done = server.run(&["user", "disable", "--username", "alice"], "").await;
        assert!(done.status.success(), "{done:?}");
        socket.expect_bye_and_close(4401).await;
        server.native("/ws/").bearer(&alice.access).turned_away(4401).await;
    }

    async fn at_its_own_door_a_room_of_others_and_one_that_is_not_there_are_4403(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[]).await;
        for room in [group.as_str(), "00000000-0000-7000-8000-000000000000"] {
            server.native_room(room).bearer(&bob.access).turned_away(4403).await;
            let mut late = server.native_room(room).hello().await;
            late.ok(json!({"type": "auth", "token": bob.access})).await;
            late.send(json!({"type": "join", "room": room})).await;
            late.expect_bye_and_close(4403).await;
        }
    }

    async fn a_token_holders_room_closes_its_own_door_to_guests_with_4401(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        server.native_as(&alice).await.join("hers").await;
        let mut guest = server.native_room("hers").hello().await;
        guest.send(json!({"type": "join", "room": "hers"})).await;
        guest.expect_bye_and_close(4401).await;
    }

    async fn a_deleted_room_closes_its_own_door_with_4404_and_is_lost_on_ws(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let shh = alice.create_shh_room("Lounge").await;
        let delete = [format!("/api/chats/{group}/"), format!("/room/delete/{shh}/")];
        for (room, path) in [&group, &shh].into_iter().zip(delete) {
            let (own, _) = server.native_room(room).bearer(&alice.access).entered().await;
            let mut hers = server.native_as(&alice).await;
            hers.join(room).await;
            hers.join("lobby").await;
            let deleted = alice.api.delete(&path).await;
            assert!(matches!(deleted.status, 200 | 204), "{deleted:?}");
            own.expect_bye_and_close(4404).await;
            lost(&mut hers, room).await;
            let refused = hers.ask(json!({"type": "send", "room": room, "message": "x"})).await;
            assert_eq!(refused["type"], "error", "{refused}");
            hers.say("lobby", "still here").await;
        }
    }

    async fn broken_bytes_close_as_on_any_socket(setup: Setup) {
        let server = setup.start().await;
        let line = format!("Sec-WebSocket-Protocol: {V1}\r\n");
        let open = || RawSocket::open_with(server.addr(), "/ws/", &line, None);
        let ping = b"{\"type\":\"ping\"}";
        let unmasked = frame(Head { masked: false, ..whole(TEXT) }, ping);
        for (bytes, code) in [(unmasked, 1002_u16), (frame(whole(TEXT), b"\xff\xfe"), 1007)] {
            let mut socket = open().await;
            socket.next_text().await;
            socket.write(&bytes).await;
            let mut close = socket.next_data().await.expect("a farewell");
            if close.opcode == TEXT {
                close = socket.next_data().await.expect("a close");
            }
            assert_eq!(close.payload.get(..2), Some(&code.to_be_bytes()[..]), "{close:?}");
        }
    }

    async fn a_clients_close_is_answered_and_frees_its_place(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("lobby").await;
        hers.close().await;
        eventually("she is away", Duration::from_secs(5), || async {
            let online = alice.api.get("/api/online/").await.is(200);
            if online == json!([]) { Ok(()) } else { Err(online.to_string()) }
        })
        .await;
    }
}
