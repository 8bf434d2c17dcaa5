//! Random histories: whoever held an old copy of a room and applied the events since holds what
//! one holds who loads it afresh. Checked from many points of each history, on the real server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::dice::Dice;
use crate::support::native::{is_durable, seq};
use crate::support::{Account, Native, Server, Setup, nightly};

const STEPS: usize = 120;

/// A message as a client shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Message {
    seq: i64,
    text: String,
    sender: Option<i64>,
    edited_at: Option<String>,
    deleted: bool,
    reactions: BTreeSet<(String, Option<i64>)>,
}

/// A room as a client holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Copy {
    have: i64,
    messages: BTreeMap<String, Message>,
    members: BTreeSet<i64>,
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl Copy {
    /// Applies one event, which must be the next one.
    fn apply(&mut self, event: &Value) {
        assert_eq!(seq(event), self.have + 1, "{event}");
        self.have += 1;
        let id = word(&event["id"]).unwrap_or_default();
        match event["type"].as_str() {
            Some("chat_message") => {
                let message = Message {
                    seq: seq(event),
                    text: word(&event["message"]).expect("a message"),
                    sender: event["sender_id"].as_i64(),
                    edited_at: word(&event["edited_at"]),
                    deleted: event["deleted_at"].is_string(),
                    reactions: BTreeSet::new(),
                };
                assert!(self.messages.insert(id, message).is_none(), "twice: {event}");
            }
            Some("message_edited") => {
                let message = self.messages.get_mut(&id).expect("a message that was there");
                message.edited_at = word(&event["edited_at"]);
                if !message.deleted {
                    message.text = word(&event["message"]).expect("a message");
                }
            }
            Some("message_deleted") => {
                let message = self.messages.get_mut(&id).expect("a message that was there");
                message.deleted = true;
                message.text.clear();
            }
            Some("reaction") => {
                let message = self.messages.get_mut(&id).expect("a message that was there");
                let key = (word(&event["emoji"]).expect("an emoji"), event["sender_id"].as_i64());
                let changed = if event["on"] == true {
                    message.reactions.insert(key)
                } else {
                    message.reactions.remove(&key)
                };
                assert!(changed, "an event that changes nothing: {event}");
            }
            Some("member") => {
                let who = event["user_id"].as_i64().expect("a user");
                match event["action"].as_str() {
                    Some("joined" | "added") => _ = self.members.insert(who),
                    Some("left" | "removed" | "banned") => _ = self.members.remove(&who),
                    _ => {}
                }
            }
            other => panic!("{other:?} is no event"),
        }
    }

    /// Comes back with what it holds and applies everything since.
    async fn resume(&mut self, socket: &mut Native, room: &str, epoch: &str) {
        let entry = socket.join_after(room, self.have, epoch).await;
        assert_eq!(entry.joined["verdict"], "full");
        for event in &entry.replay {
            self.apply(event);
        }
        while self.have < entry.seq() {
            let ask = json!({"type": "history", "room": room, "after": self.have, "limit": 50});
            let page = socket.ask(ask).await;
            for event in page["events"].as_array().expect("events") {
                self.apply(event);
            }
        }
    }

    /// What one holds who loads the room's history from its newest page backwards.
    async fn backwards(socket: &mut Native, room: &str, members: BTreeSet<i64>) -> Self {
        let mut all: Vec<Value> = Vec::new();
        let mut ask = json!({"type": "history", "room": room, "limit": 37});
        loop {
            let page = socket.ask(ask.clone()).await;
            let mut events = page["events"].as_array().expect("events").clone();
            events.append(&mut all);
            all = events;
            if page["more"] != true {
                break;
            }
            ask["before"] = all[0]["seq"].clone();
        }
        let mut copy = Self::default();
        for event in &all {
            copy.apply(event);
        }
        // Who was there before the first event stands in no event.
        Self { members, ..copy }
    }
}

/// Who takes part, each with a socket, and a copy that has seen everything live.
struct Play {
    server: Server,
    people: Vec<Account>,
    others: Vec<Account>,
    sockets: Vec<Native>,
    group: String,
    epoch: String,
    witness: Native,
    live: Copy,
    dice: Dice,
}

impl Play {
    async fn new(setup: Setup, seed: u64) -> Self {
        let server = setup.start().await;
        let mut people = Account::many(&server, 5).await;
        let others = people.split_off(3);
        let members: Vec<&Account> = people[1..].iter().collect();
        let group = people[0].create_group("group", &members).await;
        let mut witness = server.native_as(&people[0]).await;
        let entry = witness.join(&group).await;
        let mut sockets = Vec::new();
        for account in &people {
            let mut socket = server.native_as(account).await;
            socket.join(&group).await;
            sockets.push(socket);
        }
        let members = people.iter().map(|account| account.id).collect();
        let live = Copy { have: entry.seq(), messages: BTreeMap::new(), members };
        let (epoch, dice) = (entry.epoch().to_owned(), Dice::new(seed));
        Self { server, people, others, sockets, group, epoch, witness, live, dice }
    }

    /// Something that somebody may do, or may not.
    async fn step(&mut self, n: usize) {
        let ids: Vec<&String> = self.live.messages.keys().collect();
        let id = self.dice.one_of(&ids).map(|id| (*id).clone());
        let group = &self.group;
        let frame = match (self.dice.below(20), id) {
            (0, _) => {
                let who = self.dice.one_of(&self.others).expect("some");
                return drop(self.people[0].add_to_chat(group, who).await);
            }
            (1, _) => {
                let who = self.dice.one_of(&self.others).expect("some");
                return drop(self.people[0].remove_from_chat(group, who).await);
            }
            (2..=6, Some(id)) => {
                let message = ["teh", "the", "a text"][n % 3];
                json!({"type": "edit", "room": group, "id": id, "message": message})
            }
            (7 | 8, Some(id)) => json!({"type": "delete", "room": group, "id": id}),
            (9..=14, Some(id)) => {
                let (emoji, on) = (["👍", "🎉"][n % 2], self.dice.below(3) > 0);
                json!({"type": "react", "room": group, "id": id, "emoji": emoji, "on": on})
            }
            (15, Some(id)) => {
                json!({"type": "send", "room": group, "message": format!("re {n}"), "reply_to": id})
            }
            _ => {
                // Now and then one of a client_id that was there.
                let client_id = self.dice.below(60).to_string();
                json!({"type": "send", "room": group, "message": format!("message {n}"),
                       "client_id": client_id})
            }
        };
        let who = usize::try_from(self.dice.below(3)).expect("one of three");
        let answer = self.sockets[who].ask(frame.clone()).await;
        let fine = match answer["code"].as_str() {
            None => answer["type"] == "ok",
            Some(code) => ["forbidden", "not_found"].contains(&code),
        };
        assert!(fine, "{frame}: {answer}");
    }

    /// The live copy, up to everything that was answered.
    async fn catch_up(&mut self) {
        let marker = seq(&self.sockets[0].say(&self.group, "marker").await);
        while self.live.have < marker {
            let event = self.witness.next_durable().await;
            assert!(is_durable(&event));
            self.live.apply(&event);
        }
    }

    async fn members(&self) -> BTreeSet<i64> {
        let path = format!("/api/chats/{}/", self.group);
        let chat = self.people[0].api.get(&path).await.is(200);
        chat["members"]
            .as_array()
            .expect("members")
            .iter()
            .filter_map(|m| m["id"].as_i64())
            .collect()
    }

    /// The texts over REST are those of the copy.
    async fn rest_agrees(&self, copy: &Copy) {
        let path = format!("/api/chats/{}/messages/?limit=500", self.group);
        let rest = self.people[0].api.get(&path).await.is(200);
        for message in rest.as_array().expect("a bare array") {
            let id = word(&message["id"]).expect("an id");
            let held = copy.messages.get(&id).unwrap_or_else(|| panic!("not held: {message}"));
            assert_eq!(message["content"], held.text.as_str(), "{message}");
            assert_eq!(seq(message), held.seq, "{message}");
        }
    }
}

/// One history, with copies of it put away at many points and brought up to date at the end.
async fn play(setup: Setup, seed: u64) {
    println!("seed {seed}");
    let mut play = Play::new(setup, seed).await;
    let mut put_away: Vec<Copy> = vec![play.live.clone()];
    for n in 0..STEPS {
        play.step(n).await;
        if n % 5 == 0 {
            play.catch_up().await;
            put_away.push(play.live.clone());
        }
        if n % 20 == 19 {
            // One that comes back now and once more at the end.
            let which = usize::try_from(play.dice.below(put_away.len() as u64)).expect("a place");
            let mut socket = play.server.native_as(&play.people[1]).await;
            put_away[which].resume(&mut socket, &play.group, &play.epoch).await;
        }
    }
    play.catch_up().await;
    let mut socket = play.server.native_as(&play.people[2]).await;
    let members = play.members().await;
    assert_eq!(play.live.members, members, "as REST has them");
    let first = &put_away[0];
    let mut afresh = Copy { members: first.members.clone(), ..Copy::default() };
    afresh.resume(&mut socket, &play.group, &play.epoch).await;
    assert_eq!(afresh, play.live, "loaded afresh, and seen live");
    let backwards = Copy::backwards(&mut socket, &play.group, members).await;
    assert_eq!(backwards, play.live, "loaded page by page from the newest");
    for copy in &mut put_away {
        let from = copy.have;
        copy.resume(&mut socket, &play.group, &play.epoch).await;
        assert_eq!(*copy, play.live, "from {from} on");
    }
    play.rest_agrees(&play.live).await;
    let messages = play.live.messages.values();
    let shown: Vec<&Message> = messages.filter(|one| one.edited_at.is_some()).collect();
    assert!(shown.len() > 3, "such a history has edits: {}", shown.len());
}

on_both_databases! {
    async fn a_stale_copy_and_the_events_since_are_as_good_as_a_fresh_one(setup: Setup) {
        let rounds = if nightly() { 40 } else { 3 };
        for seed in 0..rounds {
            let setup = setup.of_its_own();
            play(setup, seed).await;
        }
    }
}
