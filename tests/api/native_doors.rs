//! PROTOCOL.md, *Two doors* and *Proving who you are*: each way in, which of them counts, and how
//! one is turned away. Guests and tickets stand in `native_guests` and `native_tickets`.

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::native::{V1, Way, seq};
use crate::support::raw::RawSocket;
use crate::support::tokens::{expired, wrong_kinds};
use crate::support::{Account, Setup, shape};

async fn ticket(account: &Account) -> String {
    text(&account.api.post("/api/ws-ticket/", json!({})).await.is(200)["ticket"])
}

/// A long access token of nobody; right in its shape and in nothing else.
const WRONG: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";

on_both_engines! {
    async fn both_doors_say_hello_first(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut sessions = Vec::new();
        for path in ["/ws/", "/ws", "/ws/chat/lobby/", "/ws/chat/lobby"] {
            let socket = server.native(path).bearer(&alice.access).hello().await;
            let hello = socket.said_hello();
            assert_eq!(hello["auth_within_ms"], 10_000);
            assert_eq!(hello["ping_interval_ms"], 20_000);
            assert_eq!(hello["max_frame_bytes"], 65_536);
            assert_eq!(hello["user"]["id"], alice.id, "{hello}");
            assert_eq!(hello["user"]["username"], "alice", "{hello}");
            assert!(!sessions.contains(&hello["session"]), "each socket has its own name");
            sessions.push(hello["session"].clone());
        }
        for path in ["/ws/", "/ws/chat/lobby/"] {
            let socket = server.native(path).hello().await;
            assert_eq!(socket.said_hello()["user"], Value::Null, "the first frame decides");
        }
    }

    async fn hello_tells_the_limits_that_are_set(setup: Setup) {
        let setup = setup
            .env("HUBBUB__SESSION__AUTH_WITHIN_S", "7")
            .env("HUBBUB__SESSION__PING_INTERVAL_S", "9")
            .env("HUBBUB__SESSION__MAX_FRAME_BYTES", "30000");
        let server = setup.start().await;
        let socket = server.native_guest().await;
        let hello = socket.said_hello();
        assert_eq!(hello["auth_within_ms"], 7_000);
        assert_eq!(hello["ping_interval_ms"], 9_000);
        assert_eq!(hello["max_frame_bytes"], 30_000);
    }

    async fn subprotocols_may_stand_on_several_lines(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let offered = ["x".to_owned(), V1.to_owned(), format!("hubbub.token.{}", alice.access)];
        let lines = offered.map(|one| format!("Sec-WebSocket-Protocol: {one}\r\n")).concat();
        let mut socket = RawSocket::open_with(server.addr(), "/ws/", &lines, None).await;
        let hello: Value = serde_json::from_str(&socket.next_text().await).expect("JSON");
        assert_eq!((&hello["type"], &hello["user"]["id"]), (&json!("hello"), &json!(alice.id)));
    }

    async fn each_of_the_six_ways_says_who_one_is(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let ticket = ticket(&alice).await;
        let access = alice.access.as_str();
        let ways = [
            Way::Bearer(access),
            Way::Subprotocol(access),
            Way::Ticket(&ticket),
            Way::Query(access),
            Way::Cookie(access),
        ];
        for way in ways {
            let mut socket = server.native("/ws/").way(way).hello().await;
            assert_eq!(socket.said_hello()["user"]["id"], alice.id, "{way:?}");
            let entry = socket.join("lobby").await;
            assert_eq!(entry.joined["me"]["user_id"], alice.id, "{way:?}");
        }
        let mut socket = server.native("/ws/").way(Way::Nothing).hello().await;
        let ok = socket.ok(json!({"type": "auth", "token": access})).await;
        shape(&ok, "user:obj expires_at:time");
        assert_eq!(ok["user"]["id"], alice.id);
        assert_eq!(socket.join("lobby").await.joined["me"]["user_id"], alice.id);
        let mut guest = server.native("/ws/").way(Way::Nothing).hello().await;
        let entry = guest.join("open").await;
        assert_eq!(entry.joined["me"]["user_id"], Value::Null);
        shape(&entry.joined, "guest_token:str");
    }

    async fn hubbub_v1_alone_is_echoed_wherever_it_stands(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for offered in [
            "hubbub.v1".to_owned(),
            format!("hubbub.token.{}, hubbub.v1", alice.access),
            format!("hubbub.v1,hubbub.token.{}", alice.access),
            "soap, hubbub.v1, wamp".to_owned(),
        ] {
            // `hello` looks at the echo.
            let socket = server.native("/ws/").subprotocols(&offered).hello().await;
            let known = !socket.said_hello()["user"].is_null();
            assert_eq!(known, offered.contains("token"), "{offered}");
        }
    }

    async fn a_wrong_credential_closes_with_4401_and_is_never_read_as_guest(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        for (what, token) in wrong_kinds(&alice.access, &alice.refresh, &bob.access) {
            println!("{what}");
            // A line end can stand in neither a header nor a path; a frame takes it.
            if token.is_ascii() && !token.contains(['\n', ' ']) {
                server.native("/ws/").way(Way::Bearer(&token)).turned_away(4401).await;
                server.native("/ws/").way(Way::Query(&token)).turned_away(4401).await;
                server.native("/ws/").way(Way::Cookie(&token)).turned_away(4401).await;
                server.native_room("open").way(Way::Subprotocol(&token)).turned_away(4401).await;
            }
            let mut socket = server.native_guest().await;
            socket.send(json!({"type": "auth", "token": token})).await;
            socket.expect_bye_and_close(4401).await;
        }
        for way in [Way::Ticket("garbage"), Way::Ticket(""), Way::Query(""), Way::Query("null")] {
            server.native("/ws/").way(way).turned_away(4401).await;
            server.native_room("open").way(way).turned_away(4401).await;
        }
        let mut socket = server.native_guest().await;
        socket.send(json!({"type": "auth", "guest_token": alice.access})).await;
        socket.expect_bye_and_close(4401).await;
    }

    async fn a_signed_out_logins_token_closes_with_4401(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        alice.log_out().await;
        for way in [Way::Bearer(&alice.access), Way::Subprotocol(&alice.access)] {
            server.native("/ws/").way(way).turned_away(4401).await;
        }
    }

    async fn an_expired_token_closes_with_4100(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let old = expired(&alice.access);
        let ways =
            [Way::Bearer(&old), Way::Subprotocol(&old), Way::Query(&old), Way::Cookie(&old)];
        for way in ways {
            server.native("/ws/").way(way).turned_away(4100).await;
            server.native_room("lobby").way(way).turned_away(4100).await;
        }
        let mut socket = server.native_guest().await;
        socket.send(json!({"type": "auth", "token": old})).await;
        socket.expect_bye_and_close(4100).await;
    }

    async fn a_cookie_from_a_foreign_page_is_403(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let own = server.origin();
        for origin in [
            "https://evil.example".to_owned(),
            "null".to_owned(),
            format!("{own}.evil.example"),
            "http://127.0.0.1".to_owned(),
        ] {
            for path in ["/ws/", "/ws/chat/lobby/"] {
                let door = server.native(path).way(Way::Cookie(&alice.access)).origin(&origin);
                assert_eq!(door.refused().await, 403, "{origin} at {path}");
            }
        }
        let none = server.native("/ws/").way(Way::Cookie(&alice.access)).no_origin();
        assert_eq!(none.refused().await, 403, "a cookie needs an origin");
        // What a page has to say explicitly is no cookie: any page may.
        let door = server.native("/ws/").way(Way::Query(&alice.access));
        door.origin("https://else.example").hello().await;
        let door = server.native("/ws/").way(Way::Cookie(&alice.access));
        door.origin("http://localhost:5173").hello().await;
    }

    async fn a_request_for_another_host_is_400(setup: Setup) {
        let server = setup.start().await;
        assert_eq!(server.native("/ws/").header("host", "evil.example").refused().await, 400);
    }

    async fn the_first_proof_that_is_there_counts(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        // In the order of preference: every one is beaten by those before it.
        for stronger in 0..4 {
            for weaker in stronger + 1..5 {
                let good = [&alice.access, &ticket(&alice).await];
                let other = [&bob.access, &ticket(&bob).await];
                let wrong = [WRONG, WRONG];
                let door = server.native("/ws/");
                let door = door.way(way(stronger, good[0], good[1]));
                let door = door.way(way(weaker, other[0], other[1]));
                let socket = door.hello().await;
                let user = &socket.said_hello()["user"]["id"];
                assert_eq!(*user, alice.id, "{stronger} before {weaker}");
                let door = server.native("/ws/");
                let door = door.way(way(stronger, wrong[0], wrong[1]));
                let door = door.way(way(weaker, good[0], good[1]));
                door.turned_away(4401).await;
            }
        }
    }

    async fn neither_proof_nor_join_in_time_closes_with_4408(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__AUTH_WITHIN_S", "1").start().await;
        let alice = server.account("alice").await;
        let mut proven = server.native_guest().await;
        proven.ok(json!({"type": "auth", "token": alice.access})).await;
        let mut joined = server.native_guest().await;
        joined.join("open").await;
        let mut known = server.native_as(&alice).await;
        for path in ["/ws/", "/ws/chat/open/"] {
            let mut silent = server.native(path).hello().await;
            silent.is_alive().await;
            silent.expect_bye_and_close(4408).await;
        }
        for socket in [&mut proven, &mut joined, &mut known] {
            socket.is_alive().await;
        }
    }

    async fn a_rooms_own_door_joins_at_once_with_a_proof(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let ticket = ticket(&alice).await;
        let access = alice.access.as_str();
        let ways = [
            Way::Bearer(access),
            Way::Subprotocol(access),
            Way::Ticket(&ticket),
            Way::Query(access),
            Way::Cookie(access),
        ];
        for way in ways {
            let (mut socket, entry) = server.native_room(&group).way(way).entered().await;
            assert_eq!(entry.chat(), group);
            assert_eq!(entry.joined["verdict"], "fresh");
            assert_eq!(entry.joined["me"]["user_id"], alice.id);
            socket.say(&group, "at once").await;
        }
    }

    async fn a_rooms_own_door_resumes_by_its_query(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let door = || server.native_room("lobby").bearer(&alice.access);
        let (mut socket, entry) = door().entered().await;
        let first = socket.say("lobby", "one").await;
        socket.say("lobby", "two").await;
        let last = socket.say("lobby", "three").await;
        let after = seq(&first).to_string();
        let door = door().query("after", &after).query("epoch", entry.epoch());
        let (_, entry) = door.entered().await;
        assert_eq!(entry.joined["verdict"], "full");
        assert_eq!(entry.joined["seq"], last["seq"]);
        let texts: Vec<&Value> = entry.replay.iter().map(|frame| &frame["message"]).collect();
        assert_eq!(texts, ["two", "three"]);
    }

    async fn a_rooms_own_door_without_a_proof_takes_auth_and_join_or_join_alone(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut socket = server.native_room("open").hello().await;
        socket.ok(json!({"type": "auth", "token": alice.access})).await;
        assert_eq!(socket.join("open").await.joined["me"]["user_id"], alice.id);
        let mut guest = server.native_room("pub").hello().await;
        shape(&guest.join("pub").await.joined, "guest_token:str");
    }

    async fn another_rooms_join_is_invalid_at_a_rooms_own_door(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let (mut socket, entry) =
            server.native_room("lobby").bearer(&alice.access).entered().await;
        socket.refused(json!({"type": "join", "room": "elsewhere"}), "invalid").await;
        // Its UUID is the same room.
        socket.join_after(&entry.chat(), entry.seq(), entry.epoch()).await;
        socket.say(&entry.chat(), "still here").await;
        let mut guest = server.native_room("open").hello().await;
        guest.refused(json!({"type": "join", "room": "elsewhere"}), "invalid").await;
        guest.join("open").await;
    }

    async fn credentials_do_not_come_into_the_log(setup: Setup) {
        let server = setup.env("RUST_LOG", "debug").start().await;
        let alice = server.account("alice").await;
        let ticket = ticket(&alice).await;
        let (mut guest, entry) = {
            let mut guest = server.native_guest().await;
            let entry = guest.join("open").await;
            (guest, entry)
        };
        guest.say("open", "words that are nobody's business").await;
        for way in [
            Way::Bearer(&alice.access),
            Way::Subprotocol(&alice.access),
            Way::Ticket(&ticket),
            Way::Query(&alice.access),
            Way::Cookie(&alice.access),
        ] {
            server.native("/ws/").way(way).hello().await.is_alive().await;
        }
        server.native("/ws/").way(Way::Ticket(&ticket)).turned_away(4401).await;
        let mut socket = server.native_guest().await;
        socket.ok(json!({"type": "auth", "token": alice.access})).await;
        let log = server.log();
        for secret in [
            alice.access.as_str(),
            &ticket,
            entry.joined["guest_token"].as_str().expect("a guest_token"),
            "words that are nobody's business",
        ] {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
    }
}

/// The ways in their order of preference.
fn way<'a>(rank: usize, access: &'a str, ticket: &'a str) -> Way<'a> {
    match rank {
        0 => Way::Bearer(access),
        1 => Way::Subprotocol(access),
        2 => Way::Ticket(ticket),
        3 => Way::Query(access),
        _ => Way::Cookie(access),
    }
}
