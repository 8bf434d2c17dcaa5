//! PROTOCOL.md, `member`: coming and going in rooms that have members is an event of the history,
//! and who is no longer one is out at once: on `/ws/` by the frame, at the room's own door by 4403.

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::{Account, Setup, shape};

const MEMBER: &str = "type:str chat_id:uuid seq:int action:str user_id:int by:int|null";

/// A member frame's words, once its shape is seen to be right.
#[track_caller]
fn member(frame: &Value) -> (String, Option<i64>, Option<i64>) {
    assert_eq!(frame["type"], "member", "{frame}");
    shape(frame, MEMBER);
    let action = frame["action"].as_str().expect("an action").to_owned();
    (action, frame["user_id"].as_i64(), frame["by"].as_i64())
}

fn done(action: &str, who: &Account, by: &Account) -> (String, Option<i64>, Option<i64>) {
    (action.to_owned(), Some(who.id), Some(by.id))
}

on_both_engines! {
    async fn who_is_added_and_removed_is_told_to_the_room_in_its_order(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let carol = server.account("carol").await;
        let group = alice.create_group("group", &[&bob]).await;
        let mut his = server.native_as(&bob).await;
        let entry = his.join(&group).await;
        alice.add_to_chat(&group, &carol).await;
        let added = his.next_durable().await;
        assert_eq!(member(&added), done("added", &carol, &alice));
        assert_eq!((seq(&added), &added["chat_id"]), (entry.seq() + 1, &json!(group)));
        alice.add_to_chat(&group, &carol).await;
        alice.remove_from_chat(&group, &carol).await;
        let removed = his.next_durable().await;
        assert_eq!(member(&removed), done("removed", &carol, &alice));
        assert_eq!(seq(&removed), entry.seq() + 2, "what is there already is no event");
        assert_eq!(seq(&his.say(&group, "and on").await), entry.seq() + 3);
        let again = his.join_after(&group, entry.seq(), entry.epoch()).await;
        let kinds: Vec<&Value> = again.replay.iter().map(|event| &event["type"]).collect();
        assert_eq!(kinds, ["member", "member", "chat_message"]);
        assert_eq!(member(&again.replay[1]), member(&removed));
    }

    async fn who_comes_and_goes_by_himself_has_joined_and_left(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let shh = alice.create_shh_room("Lounge").await;
        let mut hers = server.native_as(&alice).await;
        assert_eq!(hers.join(&shh).await.joined["kind"], "room");
        bob.join_shh_room(&shh).await;
        assert_eq!(member(&hers.next_durable().await), done("joined", &bob, &bob));
        bob.join_shh_room(&shh).await;
        let group = alice.create_group("group", &[&bob]).await;
        assert_eq!(hers.join(&group).await.joined["kind"], "chat");
        bob.remove_from_chat(&group, &bob).await;
        let left = hers.next_durable().await;
        assert_eq!(left["chat_id"], group, "coming again to the other one was no event");
        assert_eq!(member(&left), done("left", &bob, &bob));
    }

    async fn the_heir_of_the_owners_place_is_promoted(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let carol = server.account("carol").await;
        let group = alice.create_group("group", &[&bob]).await;
        alice.add_to_chat(&group, &carol).await;
        let mut his = server.native_as(&bob).await;
        assert_eq!(his.join(&group).await.joined["me"]["role"], "member");
        alice.remove_from_chat(&group, &alice).await;
        assert_eq!(member(&his.next_durable().await), done("left", &alice, &alice));
        let promoted = his.next_durable().await;
        let (action, who, _) = member(&promoted);
        assert_eq!((action.as_str(), who), ("promoted", Some(bob.id)));
        let mut again = server.native_as(&bob).await;
        assert_eq!(again.join(&group).await.joined["me"]["role"], "owner");
        bob.remove_from_chat(&group, &carol).await;
    }

    async fn on_ws_a_removed_member_gets_the_frame_and_loses_that_room_alone(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut his = server.native_as(&bob).await;
        let entry = his.join(&group).await;
        his.join("lobby").await;
        let id = his.say(&group, "mine").await["id"].clone();
        his.until("mine").await;
        alice.remove_from_chat(&group, &bob).await;
        let removed = his.next_durable().await;
        assert_eq!(member(&removed), done("removed", &bob, &alice));
        alice.post_to_chat(&group, "without him").await;
        for frame in [
            json!({"type": "send", "room": group, "message": "x"}),
            json!({"type": "edit", "room": group, "id": id, "message": "x"}),
            json!({"type": "delete", "room": group, "id": id}),
            json!({"type": "react", "room": group, "id": id, "emoji": "👍", "on": true}),
        ] {
            let refused = his.ask(frame).await;
            assert_eq!(refused["type"], "error", "{refused}");
            let code = refused["code"].as_str().unwrap_or_default();
            assert!(["not_joined", "forbidden"].contains(&code), "{refused}");
        }
        for frame in [
            json!({"type": "join", "room": group}),
            json!({"type": "join", "room": group, "after": 0, "epoch": entry.epoch()}),
        ] {
            his.refused(frame, "forbidden").await;
        }
        let peek = his.ask(json!({"type": "history", "room": group})).await;
        assert_eq!(peek["type"], "error", "{peek}");
        his.say("lobby", "still here").await;
        let before = his.until("still here").await;
        assert!(before.iter().all(|frame| frame["message"] != "without him"), "{before:?}");
        // And he who is added again may come back.
        alice.add_to_chat(&group, &bob).await;
        his.join(&group).await;
        his.say(&group, "back").await;
    }

    async fn at_the_rooms_own_door_a_removed_member_is_closed_with_4403(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let (one, _) = server.native_room(&group).bearer(&bob.access).entered().await;
        let (two, _) = server.native_room(&group).cookie(&bob.access).entered().await;
        let mut other = server.native_as(&bob).await;
        other.join(&group).await;
        alice.remove_from_chat(&group, &bob).await;
        one.expect_bye_and_close(4403).await;
        two.expect_bye_and_close(4403).await;
        assert_eq!(member(&other.next_durable().await), done("removed", &bob, &alice));
        other.is_alive().await;
        server.native_room(&group).bearer(&bob.access).turned_away(4403).await;
    }

    async fn one_who_leaves_a_group_is_out_like_one_who_was_removed(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let (own, _) = server.native_room(&group).bearer(&bob.access).entered().await;
        let mut his = server.native_as(&bob).await;
        his.join(&group).await;
        bob.remove_from_chat(&group, &bob).await;
        own.expect_bye_and_close(4403).await;
        assert_eq!(member(&his.next_durable().await), done("left", &bob, &bob));
        his.refused(json!({"type": "join", "room": group}), "forbidden").await;
    }

    async fn plain_sockets_see_nothing_of_members(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[]).await;
        let mut plain = server.room(&group).token(&alice.access).open().await;
        alice.add_to_chat(&group, &bob).await;
        let mut his = server.native_as(&bob).await;
        his.join(&group).await;
        alice.remove_from_chat(&group, &bob).await;
        plain.is_alive_with_nothing_waiting("nothing came").await;
    }

    async fn in_a_named_room_coming_and_going_is_no_event(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.native_guest().await;
        let entry = guest.join("open").await;
        for _ in 0..3 {
            let mut hers = server.native_as(&alice).await;
            hers.join("open").await;
            hers.ok(json!({"type": "leave", "room": "open"})).await;
        }
        assert_eq!(seq(&guest.say("open", "the first event").await), entry.seq() + 1);
        let again = guest.join_after("open", 0, entry.epoch()).await;
        assert_eq!(again.replay.len(), 1, "{:?}", again.replay);
    }
}
