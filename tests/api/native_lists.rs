//! PROTOCOL.md, `chats` and `people`: what a client's lists live on, told to sockets that joined
//! nothing. Coalesced, and right in the end.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::{Account, Native, Setup, shape};

const CHATS: &str = "chat_id:uuid action:str seq:int unread:int";
/// Over so many members a room's read marks are kept and not sent on.
const MARKS_MAX: usize = 100;

/// The next word of this kind about this chat; the others stay.
async fn told(socket: &mut Native, chat: &str, action: &str) -> Value {
    let of_it = |frame: &Value| {
        frame["type"] == "chats" && frame["chat_id"] == chat && frame["action"] == action
    };
    let frame = socket.next_where(of_it).await;
    shape(&frame, CHATS);
    frame
}

fn ids(people: &Value) -> BTreeSet<i64> {
    people.as_array().expect("people").iter().filter_map(|one| one["id"].as_i64()).collect()
}

/// Takes `people` until this one is told to be there, or gone; all who were told to be gone.
async fn people_until(socket: &mut Native, who: &Account, there: bool) -> BTreeSet<i64> {
    let mut gone = BTreeSet::new();
    loop {
        let frame = socket.next_of("people").await;
        shape(&frame, "online:arr offline:arr as_of:time");
        gone.extend(frame["offline"].as_array().expect("ids").iter().filter_map(Value::as_i64));
        if there && ids(&frame["online"]).contains(&who.id) {
            let named = |one: &Value| one["id"] == who.id && one["username"] == who.username;
            assert!(frame["online"].as_array().expect("people").iter().any(named), "{frame}");
            return gone;
        }
        if !there && gone.contains(&who.id) {
            return gone;
        }
    }
}

on_both_engines! {
    async fn a_new_chat_is_added_on_every_socket_of_its_members(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let mut hers = server.native_as(&alice).await;
        let mut his = server.native_as(&bob).await;
        let mut his_other = server.native_room("lobby").bearer(&bob.access).entered().await.0;
        let private = alice.private_chat_with(&bob).await;
        let group = alice.create_group("group", &[&bob]).await;
        for socket in [&mut hers, &mut his, &mut his_other] {
            for chat in [&private, &group] {
                told(socket, chat, "added").await;
            }
        }
        let later = alice.create_group("later", &[]).await;
        alice.post_to_chat(&later, "before he came").await;
        alice.add_to_chat(&later, &bob).await;
        let added = told(&mut his, &later, "added").await;
        assert!(seq(&added) >= 1, "{added}");
        // It can be joined at once.
        his.join(&later).await;
        his.say(&later, "here").await;
    }

    async fn a_chat_that_one_lost_or_that_is_gone_is_removed(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let carol = server.account("carol").await;
        let group = alice.create_group("group", &[&bob, &carol]).await;
        let mut his = server.native_as(&bob).await;
        let mut theirs = server.native_as(&carol).await;
        alice.remove_from_chat(&group, &bob).await;
        told(&mut his, &group, "removed").await;
        alice.api.delete(&format!("/api/chats/{group}/")).await.is(204);
        told(&mut theirs, &group, "removed").await;
        // Bob had lost it before and hears of it no more; this comes after, by the same way.
        let other = alice.create_group("other", &[&bob]).await;
        let next = his.next_of("chats").await;
        assert_eq!((&next["chat_id"], &next["action"]), (&json!(other), &json!("added")));
    }

    async fn activity_reaches_those_who_joined_nothing(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut his = server.native_as(&bob).await;
        let posted = alice.post_to_chat(&group, "one").await;
        let activity = told(&mut his, &group, "activity").await;
        assert_eq!((seq(&activity), &activity["unread"]), (seq(&posted), &json!(1)));
        his.join(&group).await;
        his.send(json!({"type": "read", "room": group, "seq": posted["seq"]})).await;
        his.is_alive().await;
        his.ok(json!({"type": "leave", "room": group})).await;
        alice.post_to_chat(&group, "two").await;
        let posted = alice.post_to_chat(&group, "three").await;
        loop {
            let activity = told(&mut his, &group, "activity").await;
            if activity["seq"] == posted["seq"] {
                assert_eq!(activity["unread"], 2, "{activity}");
                break;
            }
        }
        let chats = bob.api.get("/api/chats/").await.is(200);
        assert_eq!(chats[0]["unread"], 2, "the same over REST: {chats}");
    }

    async fn activity_is_at_most_one_a_second_a_chat_and_right_in_the_end(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut his = server.native_as(&bob).await;
        let mut hers = server.native_as(&alice).await;
        hers.join(&group).await;
        let since = Instant::now();
        let mut last = Value::Null;
        for n in 0..200 {
            last = hers.say(&group, &n.to_string()).await;
        }
        let mut frames = 0;
        loop {
            let activity = told(&mut his, &group, "activity").await;
            frames += 1;
            if activity["seq"] == last["seq"] {
                assert_eq!(activity["unread"], 200);
                break;
            }
        }
        let most = since.elapsed().as_secs() + 2;
        assert!(frames <= most, "{frames} frames in {:?}", since.elapsed());
    }

    async fn nobody_hears_of_others_chats(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let eve = server.account("eve").await;
        let mut eves = server.native_as(&eve).await;
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let group = alice.create_group("group", &[&bob]).await;
        alice.post_to_chat(&group, "between us").await;
        alice.private_chat_with(&bob).await;
        let hers = alice.create_group("hers", &[&eve]).await;
        let first = eves.next_of("chats").await;
        assert_eq!(first["chat_id"], hers.as_str(), "{first}");
        guest.say("open", "marker").await;
        let before = guest.until("marker").await;
        assert!(before.iter().all(|frame| frame["type"] != "chats"), "{before:?}");
    }

    async fn those_who_watch_see_everybody_and_then_changes(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let carol = server.account("carol").await;
        let _his = server.native_as(&bob).await;
        let mut hers = server.native_as(&alice).await;
        hers.ok(json!({"type": "watch", "people": true})).await;
        let all = hers.next_of("people").await;
        shape(&all, "online:arr offline:arr as_of:time");
        let there = ids(&all["online"]);
        assert!(there.contains(&bob.id) && !there.contains(&carol.id), "{all}");
        // A plain socket is as good a sign of life as a native one.
        let plain = server.room("lobby").token(&carol.access).open().await;
        people_until(&mut hers, &carol, true).await;
        let native = server.native_as(&carol).await;
        plain.close().await;
        let dave = server.account("dave").await;
        let daves = server.native_as(&dave).await;
        let gone = people_until(&mut hers, &dave, true).await;
        assert!(!gone.contains(&carol.id), "her native socket is there still");
        native.reset();
        people_until(&mut hers, &carol, false).await;
        daves.reset();
        people_until(&mut hers, &dave, false).await;
        hers.ok(json!({"type": "watch", "people": false})).await;
        let _again = server.native_as(&dave).await;
        hers.join("lobby").await;
        hers.say("lobby", "marker").await;
        hers.until("marker").await;
        hers.ok(json!({"type": "watch", "people": true})).await;
        let all = hers.next_of("people").await;
        assert!(ids(&all["online"]).contains(&dave.id), "everybody again: {all}");
    }

    async fn read_marks_are_sent_on_in_rooms_of_100_members_and_kept_in_larger_ones(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let others = Account::many(&server, MARKS_MAX - 2).await;
        let mut members: Vec<&Account> = others.iter().collect();
        members.push(&bob);
        let group = alice.create_group("group", &members).await;
        let (mut hers, mut his) = (server.native_as(&alice).await, server.native_as(&bob).await);
        hers.join(&group).await;
        his.join(&group).await;
        let last = seq(&hers.say(&group, "one").await);
        his.send(json!({"type": "read", "room": group, "seq": last})).await;
        let of_bob = |frame: &Value| frame["type"] == "read" && frame["user_id"] == bob.id;
        assert_eq!(hers.next_where(of_bob).await["seq"], last);
        alice.add_to_chat(&group, &server.account("one-more").await).await;
        let last = seq(&hers.say(&group, "two").await);
        his.send(json!({"type": "read", "room": group, "seq": last})).await;
        his.is_alive().await;
        his.say(&group, "marker").await;
        let before = hers.until("marker").await;
        assert!(!before.iter().any(of_bob), "{before:?}");
        let mut again = server.native_as(&bob).await;
        assert_eq!(again.join(&group).await.joined["me"]["read_seq"], last);
    }
}
