//! PROTOCOL.md, *Proving who you are*, 6: who says nothing is a guest where guests are welcome,
//! and stays the same guest by the `guest_token`. And who may not be somebody else.

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::{Setup, shape};

on_both_engines! {
    async fn a_join_without_a_proof_makes_a_guest_where_guests_are_welcome(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        server.native_as(&alice).await.join("hers").await;
        let group = alice.create_group("group", &[]).await;
        let mut guest = server.native_guest().await;
        let entry = guest.join("open").await;
        shape(&entry.joined["me"], "user_id:null nick_name:str|null");
        shape(&entry.joined, "guest_token:str");
        guest.say("open", "hello").await;
        let shown = guest.next_of("chat_message").await;
        assert_eq!(shown["sender_id"], Value::Null);
        assert_eq!(shown["sender"], "anonymous");
        // What needs an account is closed to them, and the socket lives on.
        guest.refused(json!({"type": "join", "room": "hers"}), "unauthorized").await;
        let refused = guest.ask(json!({"type": "join", "room": group})).await;
        let code = text(&refused["code"]);
        assert!(["unauthorized", "forbidden"].contains(&code.as_str()), "{refused}");
        guest.say("open", "still here").await;
    }

    async fn a_guest_gives_himself_a_name_when_he_joins(setup: Setup) {
        let server = setup.start().await;
        let mut guest = server.native_guest().await;
        let join = json!({"type": "join", "room": "open", "nick_name": "Zoë"});
        let entry = guest.enter(join).await;
        assert_eq!(entry.joined["me"]["nick_name"], "Zoë");
        guest.say("open", "it is me").await;
        let shown = guest.next_of("chat_message").await;
        assert_eq!(shown["nick_name"], "Zoë");
        assert_eq!(shown["sender"], "Zoë");
    }

    async fn without_guests_nobody_joins_unproven(setup: Setup) {
        let server = setup.env("ALLOW_GUESTS", "off").start().await;
        let alice = server.account("alice").await;
        let mut socket = server.native_guest().await;
        socket.refused(json!({"type": "join", "room": "open"}), "unauthorized").await;
        socket.ok(json!({"type": "auth", "token": alice.access})).await;
        socket.join("open").await;
        // At a room's own door to be refused is the close.
        let mut socket = server.native_room("open").hello().await;
        socket.send(json!({"type": "join", "room": "open"})).await;
        socket.expect_bye_and_close(4401).await;
    }

    async fn a_guest_token_keeps_the_guest_over_reconnects(setup: Setup) {
        let server = setup.start().await;
        let mut first = server.native_guest().await;
        let entry = first.join("open").await;
        let token = text(&entry.joined["guest_token"]);
        let send = json!({"type": "send", "room": "open", "message": "m", "client_id": "c"});
        let first_ok = first.ok(send.clone()).await;
        assert_eq!(first_ok["duplicate"], false);
        first.reset();
        let server = server.restart().await;
        let mut again = server.native_guest().await;
        let ok = again.ok(json!({"type": "auth", "guest_token": token})).await;
        shape(&ok, "guest_token:str user:null|obj expires_at:time|null");
        let entry = again.join("open").await;
        assert_eq!(entry.joined["me"]["user_id"], Value::Null);
        let duplicate = again.ok(send.clone()).await;
        assert_eq!(duplicate["duplicate"], true, "the same guest's client_id is the same");
        assert_eq!((&duplicate["id"], &duplicate["seq"]), (&first_ok["id"], &first_ok["seq"]));
        // The newer token is the same guest as well.
        let mut newer = server.native_guest().await;
        newer.ok(json!({"type": "auth", "guest_token": ok["guest_token"]})).await;
        newer.join("open").await;
        assert_eq!(newer.ok(send.clone()).await["id"], first_ok["id"]);
        // And somebody else is not.
        let mut other = server.native_guest().await;
        other.join("open").await;
        assert_eq!(other.ok(send).await["duplicate"], false);
    }

    async fn a_guest_edits_his_own_message_after_a_reconnect(setup: Setup) {
        let server = setup.start().await;
        let mut first = server.native_guest().await;
        let token = text(&first.join("open").await.joined["guest_token"]);
        let sent = first.say("open", "teh").await;
        first.reset();
        let edit = json!({"type": "edit", "room": "open", "id": sent["id"], "message": "the"});
        let mut other = server.native_guest().await;
        other.join("open").await;
        other.refused(edit.clone(), "forbidden").await;
        let mut again = server.native_guest().await;
        again.ok(json!({"type": "auth", "guest_token": token})).await;
        again.join("open").await;
        again.ok(edit).await;
    }

    async fn a_guest_token_that_was_tampered_with_closes_with_4401(setup: Setup) {
        let server = setup.start().await;
        let mut guest = server.native_guest().await;
        let token = text(&guest.join("open").await.joined["guest_token"]);
        // The middle, where no padding hides a change.
        let middle = token.len() / 2;
        let other = if token.as_bytes()[middle] == b'a' { "b" } else { "a" };
        let changed = format!("{}{other}{}", &token[..middle], &token[middle + 1..]);
        for wrong in [changed.as_str(), &token[..token.len() - 3], "", "garbage"] {
            let mut socket = server.native_guest().await;
            socket.send(json!({"type": "auth", "guest_token": wrong})).await;
            socket.expect_bye_and_close(4401).await;
        }
        // It is no access token either, wherever one may stand.
        let mut socket = server.native_guest().await;
        socket.send(json!({"type": "auth", "token": token})).await;
        socket.expect_bye_and_close(4401).await;
        server.native("/ws/").bearer(&token).turned_away(4401).await;
        server.api().bearer(&token).get("/api/me/").await.error(401);
    }

    async fn auth_as_somebody_else_is_invalid(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut guest = server.native_guest().await;
        let guest_token = guest.join("open").await.joined["guest_token"].clone();
        let mut hers = server.native_as(&alice).await;
        hers.refused(json!({"type": "auth", "token": bob.access}), "invalid").await;
        hers.refused(json!({"type": "auth", "guest_token": guest_token}), "invalid").await;
        // Herself, by another login, she may.
        let other = alice.again().await;
        let ok = hers.ok(json!({"type": "auth", "token": other.access})).await;
        assert_eq!(ok["user"]["id"], alice.id);
        assert_eq!(hers.join("lobby").await.joined["me"]["user_id"], alice.id);
    }

    async fn a_token_holders_room_takes_no_guest_and_a_guests_room_takes_both(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let mut hers = server.native_as(&alice).await;
        hers.join("open").await;
        hers.say("open", "both").await;
        guest.until("both").await;
        hers.join("closed").await;
        hers.ok(json!({"type": "leave", "room": "closed"})).await;
        guest.refused(json!({"type": "join", "room": "closed"}), "unauthorized").await;
    }
}
