//! CONTRACT section 3, *Who may enter a named room* and *Refused handshakes*.

use serde_json::json;

use crate::support::Setup;

on_both_engines! {
    async fn without_a_credential_a_room_is_open_when_new_or_made_anonymously(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut first = server.room("anonymous").open().await;
        server.room("anonymous").open().await;
        let mut hers = server.room("anonymous").token(&alice.access).open().await;
        hers.say("token holders enter both").await;
        first.next().await;
        server.room("hers").token(&alice.access).open().await;
        assert_eq!(server.room("hers").refused().await, 403);
        server.room("hers").token(&alice.access).open().await;
    }

    async fn a_posted_room_is_as_open_as_who_made_it(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        server.api().post("/create_room/", json!({"name": "anybody's"})).await.is(201);
        alice.api.post("/create_room/", json!({"name": "hers"})).await.is(201);
        server.room("anybody's").open().await;
        assert_eq!(server.room("hers").refused().await, 403);
        server.room("hers").token(&alice.access).open().await;
    }

    async fn a_room_that_a_token_holder_made_stays_closed_to_guests_when_empty(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        server.room("hers").token(&alice.access).open().await.close().await;
        assert_eq!(server.room("hers").refused().await, 403);
        let server = server.restart().await;
        assert_eq!(server.room("hers").refused().await, 403, "after a restart too");
    }

    async fn one_switch_turns_guests_off(setup: Setup) {
        let server = setup.env("ALLOW_GUESTS", "off").start().await;
        let alice = server.account("alice").await;
        assert_eq!(server.room("new").refused().await, 403);
        assert_eq!(server.room("new").cookie("wrong").refused().await, 403);
        server.room("new").token(&alice.access).open().await;
    }

    async fn a_refused_handshake_is_403_for_every_reason_alike(setup: Setup) {
        let server = setup.start().await;
        let (alice, eve) = (server.account("alice").await, server.account("eve").await);
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        let nil = uuid::Uuid::nil().to_string();
        server.room("hers").token(&alice.access).open().await;
        for door in [
            server.room(&group),
            server.room(&shh),
            server.room("hers"),
            server.room(&group).token("wrong"),
            server.room("hers").token("wrong"),
            server.room(&group).token(&eve.access),
            server.room(&shh).token(&eve.access),
            server.room(&nil).token(&alice.access),
            server.room(&nil),
        ] {
            assert_eq!(door.refused().await, 403);
        }
    }

    async fn a_removed_member_and_a_deleted_room_are_refused(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        alice.remove_from_chat(&group, &bob).await;
        assert_eq!(server.room(&group).token(&bob.access).refused().await, 403);
        alice.add_to_chat(&group, &bob).await;
        server.room(&group).token(&bob.access).open().await;
        alice.api.delete(&format!("/api/chats/{group}/")).await.is(204);
        assert_eq!(server.room(&group).token(&alice.access).refused().await, 403);
    }
}
