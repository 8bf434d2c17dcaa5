//! PROTOCOL.md: edits, deletes and reactions. Each is an event with a `seq` of its own; who may,
//! what changes nothing, and that history, over REST too, shows the result.

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::native::seq;
use crate::support::{Account, Native, Server, Setup, shape};

/// Two users and a group of theirs, alice's; both follow it.
struct Pair {
    server: Server,
    alice: Account,
    bob: Account,
    group: String,
    epoch: String,
    hers: Native,
    his: Native,
}

impl Pair {
    async fn new(setup: Setup) -> Self {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut hers = server.native_as(&alice).await;
        let mut his = server.native_as(&bob).await;
        hers.join(&group).await;
        let epoch = his.join(&group).await.epoch().to_owned();
        Self { server, alice, bob, group, epoch, hers, his }
    }

    /// The next event that both see, the same.
    async fn both_see(&mut self, kind: &str) -> Value {
        let shown = self.hers.next_durable().await;
        assert_eq!(shown["type"], kind, "{shown}");
        assert_eq!(self.his.next_durable().await, shown, "one and the same frame");
        shown
    }

    /// What alice said; both have seen it.
    async fn alice_says(&mut self, words: &str) -> (Value, i64) {
        let ok = self.hers.say(&self.group, words).await;
        self.both_see("chat_message").await;
        (ok["id"].clone(), seq(&ok))
    }

    fn edit(&self, id: &Value, message: &str) -> Value {
        json!({"type": "edit", "room": self.group, "id": id, "message": message})
    }

    fn delete(&self, id: &Value) -> Value {
        json!({"type": "delete", "room": self.group, "id": id})
    }

    fn react(&self, id: &Value, emoji: &str, on: bool) -> Value {
        json!({"type": "react", "room": self.group, "id": id, "emoji": emoji, "on": on})
    }

    async fn rest(&self) -> Vec<Value> {
        let path = format!("/api/chats/{}/messages/", self.group);
        self.bob.api.get(&path).await.is(200).as_array().expect("a bare array").clone()
    }

    async fn history(&mut self, after: i64) -> Vec<Value> {
        let ask = json!({"type": "history", "room": self.group, "after": after});
        self.his.ask(ask).await["events"].as_array().expect("events").clone()
    }
}

on_both_engines! {
    async fn an_edit_is_an_event_and_history_shows_the_present_text(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("teh").await;
        let ok = pair.hers.ok(pair.edit(&id, "the")).await;
        assert_eq!(seq(&ok), first + 1);
        let shown = pair.both_see("message_edited").await;
        shape(&shown, "id:uuid chat_id:uuid seq:int message:str edited_at:time");
        assert_eq!((&shown["id"], seq(&shown)), (&id, first + 1));
        assert_eq!((&shown["message"], &shown["chat_id"]), (&json!("the"), &json!(pair.group)));
        let events = pair.history(first - 1).await;
        assert_eq!(events.len(), 2, "the message and its edit: {events:?}");
        assert_eq!((&events[0]["type"], &events[1]["type"]),
                   (&json!("chat_message"), &json!("message_edited")));
        assert_eq!((&events[0]["message"], &events[0]["seq"]), (&json!("the"), &json!(first)));
        assert_eq!(events[0]["edited_at"], shown["edited_at"]);
        let rest = pair.rest().await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!((&rest[0]["id"], &rest[0]["content"]), (&id, &json!("the")));
    }

    async fn a_delete_takes_the_text_and_leaves_the_place(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("secret").await;
        pair.hers.ok(pair.edit(&id, "secret still")).await;
        pair.both_see("message_edited").await;
        let ok = pair.hers.ok(pair.delete(&id)).await;
        assert_eq!(seq(&ok), first + 2);
        let shown = pair.both_see("message_deleted").await;
        shape(&shown, "id:uuid chat_id:uuid seq:int");
        assert_eq!((&shown["id"], seq(&shown)), (&id, first + 2));
        let events = pair.history(first - 1).await;
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!((&events[0]["message"], seq(&events[0])), (&json!(""), first));
        shape(&events[0], "deleted_at:time");
        assert!(!json!(events).to_string().contains("secret"), "{events:?}");
        let rest = pair.rest().await;
        assert!(!json!(rest).to_string().contains("secret"), "{rest:?}");
        let entry = pair.his.join_after(&pair.group, first - 1, &pair.epoch).await;
        assert!(!json!(entry.replay).to_string().contains("secret"), "{:?}", entry.replay);
    }

    async fn a_reaction_is_set_and_taken_back(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("like me").await;
        let ok = pair.his.ok(pair.react(&id, "👍", true)).await;
        assert_eq!(seq(&ok), first + 1);
        let shown = pair.both_see("reaction").await;
        shape(&shown, "id:uuid chat_id:uuid seq:int emoji:str sender_id:int on:bool");
        assert_eq!((&shown["id"], &shown["emoji"], &shown["on"]), (&id, &json!("👍"), &json!(true)));
        assert_eq!(shown["sender_id"], pair.bob.id);
        // Another emoji, and the other one's, are reactions of their own.
        assert_eq!(seq(&pair.his.ok(pair.react(&id, "🎉", true)).await), first + 2);
        assert_eq!(seq(&pair.hers.ok(pair.react(&id, "👍", true)).await), first + 3);
        assert_eq!(seq(&pair.his.ok(pair.react(&id, "👍", false)).await), first + 4);
        let mut kept = Vec::new();
        for event in pair.history(first).await {
            kept.push((event["sender_id"].as_i64(), text(&event["emoji"]), event["on"] == true));
        }
        let (alice, bob) = (Some(pair.alice.id), Some(pair.bob.id));
        let wanted = [(bob, "👍", true), (bob, "🎉", true), (alice, "👍", true), (bob, "👍", false)];
        assert_eq!(kept, wanted.map(|(who, emoji, on)| (who, emoji.to_owned(), on)));
    }

    async fn an_act_that_changes_nothing_answers_the_present_seq_and_stores_nothing(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("as it is").await;
        assert_eq!(seq(&pair.hers.ok(pair.edit(&id, "as it is")).await), first);
        assert_eq!(seq(&pair.his.ok(pair.react(&id, "👍", false)).await), first);
        pair.his.ok(pair.react(&id, "👍", true)).await;
        pair.both_see("reaction").await;
        assert_eq!(seq(&pair.his.ok(pair.react(&id, "👍", true)).await), first + 1);
        pair.hers.ok(pair.delete(&id)).await;
        pair.both_see("message_deleted").await;
        assert_eq!(seq(&pair.hers.ok(pair.delete(&id)).await), first + 2);
        let (_, after) = pair.alice_says("the next event").await;
        assert_eq!(after, first + 3, "nothing lies between");
        assert_eq!(pair.history(first).await.len(), 3);
    }

    async fn the_author_edits_and_the_author_and_the_owner_delete(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (hers, _) = pair.alice_says("by alice").await;
        let his = pair.his.say(&pair.group, "by bob").await["id"].clone();
        let other = pair.his.say(&pair.group, "by bob too").await["id"].clone();
        pair.his.refused(pair.edit(&hers, "x"), "forbidden").await;
        pair.his.refused(pair.delete(&hers), "forbidden").await;
        pair.hers.refused(pair.edit(&his, "x"), "forbidden").await;
        pair.hers.ok(pair.delete(&his)).await;
        pair.his.ok(pair.delete(&other)).await;
        let kept: Vec<Value> = pair.rest().await.iter().map(|one| one["content"].clone()).collect();
        assert!(kept.contains(&json!("by alice")), "{kept:?}");
        assert!(!json!(kept).to_string().contains("by bob"), "{kept:?}");
    }

    async fn what_was_deleted_takes_no_edit_and_no_reaction(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("gone soon").await;
        pair.hers.ok(pair.delete(&id)).await;
        pair.hers.refused(pair.edit(&id, "back"), "not_found").await;
        pair.his.refused(pair.react(&id, "👍", true), "not_found").await;
        assert_eq!(pair.history(first).await.len(), 1, "the delete alone");
    }

    async fn an_act_names_a_message_and_not_an_act(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("a message").await;
        for (frame, seq_now) in [
            (pair.edit(&id, "edited"), first + 1),
            (pair.react(&id, "👍", true), first + 2),
        ] {
            assert_eq!(seq(&pair.hers.ok(frame).await), seq_now);
        }
        // Each frame of an act names the message's id; no id of the act's own can be acted on.
        for event in pair.history(first).await {
            assert_eq!(event["id"], id, "{event}");
        }
    }

    async fn many_who_react_at_once_are_all_stored_once(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("popular").await;
        let emojis = ["👍", "🎉", "🚀", "👀", "❤"];
        for _ in 0..4 {
            for emoji in emojis {
                pair.hers.send(pair.react(&id, emoji, true)).await;
                pair.his.send(pair.react(&id, emoji, true)).await;
            }
        }
        for socket in [&mut pair.hers, &mut pair.his] {
            for _ in 0..20 {
                socket.next_of("ok").await;
            }
        }
        let events = pair.history(first).await;
        assert_eq!(events.len(), 2 * emojis.len(), "{events:?}");
        let mut keys: Vec<String> =
            events.iter().map(|event| format!("{}{}", event["sender_id"], event["emoji"])).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), events.len(), "{keys:?}");
    }

    async fn a_guest_reacts_and_the_frame_names_no_user(setup: Setup) {
        let server = setup.start().await;
        let mut guest = server.native_guest().await;
        guest.join("open").await;
        let id = guest.say("open", "hello").await["id"].clone();
        let react = json!({"type": "react", "room": "open", "id": id, "emoji": "👋", "on": true});
        guest.ok(react).await;
        assert_eq!(guest.next_of("reaction").await["sender_id"], Value::Null);
    }

    async fn plain_sockets_see_nothing_of_acts(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let mut plain = pair.server.room(&pair.group).token(&pair.bob.access).open().await;
        let (id, _) = pair.alice_says("first").await;
        plain.expect_text("first").await;
        pair.hers.ok(pair.edit(&id, "edited")).await;
        pair.his.ok(pair.react(&id, "👍", true)).await;
        pair.hers.ok(pair.delete(&id)).await;
        pair.hers.say(&pair.group, "second").await;
        plain.expect_text("second").await;
        let mut open = pair.server.native_as(&pair.alice).await;
        let mut guest = pair.server.room("open").open().await;
        open.join("open").await;
        let id = open.say("open", "first").await["id"].clone();
        guest.next().await;
        let edit = json!({"type": "edit", "room": "open", "id": id, "message": "edited"});
        open.ok(edit).await;
        open.say("open", "second").await;
        assert_eq!(guest.next().await["message"]["message"], "second");
    }

    async fn acts_are_kept_over_a_restart(setup: Setup) {
        let mut pair = Pair::new(setup).await;
        let (id, first) = pair.alice_says("teh").await;
        pair.hers.ok(pair.edit(&id, "the")).await;
        pair.his.ok(pair.react(&id, "👍", true)).await;
        let Pair { server, bob, group, .. } = pair;
        let server = server.restart().await;
        let mut his = server.native_as(&bob).await;
        his.join(&group).await;
        let ask = json!({"type": "history", "room": group, "after": first - 1});
        let events = his.ask(ask).await["events"].clone();
        assert_eq!(events[0]["message"], "the");
        assert_eq!(events[2]["emoji"], "👍");
        let again = json!({"type": "react", "room": group, "id": id, "emoji": "👍", "on": true});
        assert_eq!(seq(&his.ok(again).await), first + 2, "it is there already");
    }
}
