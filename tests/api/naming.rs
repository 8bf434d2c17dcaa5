//! CONTRACT section 3, *What `{x}` names*: an id, then two people, then a public room.

use serde_json::json;

use crate::support::Setup;
use crate::support::account::{PASSWORD, text};

on_both_engines! {
    async fn a_uuid_names_that_room_for_its_members_alone_and_is_never_made(setup: Setup) {
        let server = setup.start().await;
        let (alice, eve) = (server.account("alice").await, server.account("eve").await);
        for id in [alice.create_group("group", &[]).await, alice.create_shh_room("Lounge").await] {
            server.room(&id).token(&alice.access).open().await;
            server.room(&id.to_uppercase()).token(&alice.access).open().await;
            assert_eq!(server.room(&id).token(&eve.access).refused().await, 403);
            assert_eq!(server.room(&id).refused().await, 403, "a guest");
        }
        for unknown in
            [uuid::Uuid::nil().to_string(), "0192f7a0-0000-7000-8000-00000000000a".into()]
        {
            assert_eq!(server.room(&unknown).token(&alice.access).refused().await, 403);
            assert_eq!(server.room(&unknown).refused().await, 403);
        }
        assert_eq!(server.api().get("/list_rooms/").await.is(200), json!([]), "nothing was made");
    }

    async fn a_named_rooms_uuid_is_as_good_as_its_name(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut by_name = server.room("global").token(&alice.access).open().await;
        by_name.say("hi").await;
        let id = text(&by_name.expect_text("hi").await["chat_id"]);
        let mut by_id = server.room(&id).token(&alice.access).open().await;
        by_id.say("same room").await;
        assert_eq!(by_name.expect_text("same room").await["room"], "global");
        assert_eq!(by_id.expect_text("same room").await["chat_id"], id);
        assert_eq!(server.room(&id).refused().await, 403, "a guest in a token holder's room");
    }

    async fn a_name_is_percent_decoded_once_and_brought_to_nfc(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for (path, name) in [
            ("caf%C3%A9", "café"),
            ("cafe%CC%81", "café"),
            ("50%25", "50%"),
            ("a%2520b", "a%20b"),
            ("a%20b", "a b"),
            ("a+b", "a+b"),
            ("%F0%9F%A6%80", "🦀"),
            ("%D7%A9%D7%9C%D7%95%D7%9D", "שלום"),
        ] {
            let mut socket = server.room(path).token(&alice.access).open().await;
            socket.say("hi").await;
            assert_eq!(socket.expect_text("hi").await["room"], name, "{path}");
        }
    }

    async fn a_name_that_is_none_is_refused(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let (fits, long) = ("%C3%A9".repeat(100), "%C3%A9".repeat(101));
        server.room(&fits).token(&alice.access).open().await;
        for path in ["a%2Fb", "a%00b", "a%0Ab", "%E2%80%A8", "%FF", "%20", long.as_str()] {
            for door in [server.room(path).token(&alice.access), server.room(path)] {
                let status = door.refused().await;
                assert!(matches!(status, 400 | 403 | 404), "{path}: {status}");
            }
        }
        let status = server.door("/ws/chat/").refused().await;
        assert!(matches!(status, 403 | 404), "{status}");
        let status = server.door("/ws/chat/a/b/").refused().await;
        assert!(matches!(status, 403 | 404), "{status}");
    }

    async fn with_a_cookie_a_user_name_names_the_private_chat_with_that_user(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let eve = server.account("eve").await;
        let mut hers = server.room("bob").cookie(&alice.access).open().await;
        let mut his = server.room("alice").cookie(&bob.access).open().await;
        hers.say("psst").await;
        let frame = hers.expect_text("psst").await;
        his.expect_text("psst").await;
        let chats = alice.api.get("/api/chats/").await.is(200);
        assert_eq!((&chats[0]["id"], &chats[0]["is_group"]), (&frame["chat_id"], &json!(false)));
        assert_eq!(alice.private_chat_with(&bob).await, text(&frame["chat_id"]), "the same one");

        let mut other = server.room("bob").cookie(&eve.access).open().await;
        other.is_alive_with_nothing_waiting("eve has a chat with Bob of her own").await;
        let door = server.room(&text(&frame["chat_id"])).token(&eve.access);
        assert_eq!(door.refused().await, 403, "nobody else enters");
        server.room("alice_bob").cookie(&eve.access).open().await.say("a public room").await;
        his.is_alive_with_nothing_waiting("nothing of that came here").await;
    }

    async fn a_user_name_wins_over_a_rooms_name_for_cookies_alone(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut named = server.room("bob").token(&alice.access).open().await;
        let mut private = server.room("bob").cookie(&alice.access).open().await;
        private.say("for Bob alone").await;
        let frame = private.expect_text("for Bob alone").await;
        named.say("for all").await;
        let public = named.expect_text("for all").await;
        assert_eq!(public["room"], "bob");
        assert_ne!(public["chat_id"], frame["chat_id"]);
        let mut his = server.room("alice_bob").token(&bob.access).open().await;
        his.expect_text("for Bob alone").await;
    }

    async fn both_names_name_the_private_chat_with_any_credential(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let bob = server.account("b_o_b").await;
        let mut hers = server.room("alice_b_o_b").token(&alice.access).open().await;
        let mut his = server.room("alice_b_o_b").cookie(&bob.access).open().await;
        let mut its = server.room("alice_b_o_b").bearer(&alice.access).open().await;
        hers.say("hi").await;
        let id = text(&hers.expect_text("hi").await["chat_id"]);
        his.expect_text("hi").await;
        its.expect_text("hi").await;
        assert_eq!(id, alice.private_chat_with(&bob).await);
    }

    async fn both_names_name_a_public_room_when_the_caller_is_neither(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let eve = server.account("eve").await;
        alice.private_chat_with(&bob).await;
        let mut private = server.room("alice_bob").token(&alice.access).open().await;
        let mut public = server.room("alice_bob").token(&eve.access).open().await;
        public.say("who is here?").await;
        assert_eq!(public.expect_text("who is here?").await["room"], "alice_bob");
        private.is_alive_with_nothing_waiting("not in here").await;
        let mut guest = server.room("bob_alice").open().await;
        guest.is_alive_with_nothing_waiting("a public room as well").await;
    }
}

#[tokio::test]
async fn a_new_user_name_that_equals_a_named_rooms_is_refused() {
    let server = Setup::direct().start().await;
    server.api().post("/create_room/", json!({"name": "lobby"})).await.is(201);
    for name in ["lobby", "LOBBY"] {
        let body = json!({"username": name, "password": PASSWORD});
        server.api().post("/register/", body.clone()).await.invalid("username");
        server.api().post("/accounts/registration/", body).await.invalid("username");
    }
}
