//! What becomes of an act on a message (an edit, a delete, a reaction): pure. Called by `plan`,
//! which gives those that are stored their place. Must know no database.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::{Author, EventId, EventKind, NewEvent, RoomId};

/// A stored message that an act of the batch names.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub room: RoomId,
    pub id: EventId,
    pub author: Author,
    pub content: String,
    pub deleted: bool,
}

/// The newest stored reaction of its key.
#[derive(Clone, Debug)]
pub(super) struct Reaction {
    pub room: RoomId,
    pub target: EventId,
    pub author: Author,
    pub emoji: String,
    pub on: bool,
}

/// What the database holds of that which a batch's acts are about.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub messages: Vec<Message>,
    pub reactions: Vec<Reaction>,
}

/// What makes two reactions the same one, set or taken back.
pub(super) type ReactionKey<'a> = (RoomId, EventId, Author, &'a str);

/// What becomes of an event, as far as it is about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Store,
    Unchanged,
    NoTarget,
    NotAllowed,
}

/// The messages that a batch's acts and answers name, each once.
pub(super) fn targets<'a>(events: impl Iterator<Item = &'a NewEvent>) -> Vec<(RoomId, EventId)> {
    let named = events.filter(|event| names_message(event));
    let targets: BTreeSet<_> =
        named.filter_map(|event| event.target.map(|target| (event.room, target))).collect();
    targets.into_iter().collect()
}

/// An act on a message, or a message that answers one.
pub(super) fn names_message(event: &NewEvent) -> bool {
    event.kind.acts_on_message() || (event.kind == EventKind::Message && event.target.is_some())
}

/// The keys of a batch's reactions, each once.
pub(super) fn reactions<'a>(events: impl Iterator<Item = &'a NewEvent>) -> Vec<ReactionKey<'a>> {
    let keys: HashSet<_> = events.filter_map(key).collect();
    keys.into_iter().collect()
}

fn key(event: &NewEvent) -> Option<ReactionKey<'_>> {
    let target = event.target.filter(|_| event.kind == EventKind::Reaction)?;
    Some((event.room, target, event.author, event.content.as_str()))
}

/// How messages stand at one place of a batch: what the database holds, and over it what the
/// batch did to them before.
pub(super) struct Standing<'a> {
    /// None when the batch names no message: then nothing needs to be known of any.
    about: Option<About<'a>>,
}

#[derive(Default)]
struct About<'a> {
    messages: HashMap<(RoomId, EventId), Text<'a>>,
    reactions: HashMap<ReactionKey<'a>, bool>,
}

struct Text<'a> {
    author: Author,
    content: &'a str,
    deleted: bool,
}

impl<'a> Standing<'a> {
    pub(super) fn new(mut events: impl Iterator<Item = &'a NewEvent>, known: &'a Known) -> Self {
        if !events.any(names_message) {
            return Self { about: None };
        }
        let mut about = About::default();
        for Message { room, id, author, content, deleted } in &known.messages {
            let text = Text { author: *author, content, deleted: *deleted };
            about.messages.insert((*room, *id), text);
        }
        for Reaction { room, target, author, emoji, on } in &known.reactions {
            about.reactions.insert((*room, *target, *author, emoji), *on);
        }
        Self { about: Some(about) }
    }

    /// What becomes of the next event. What it changes stands for those after it.
    pub(super) fn judge(&mut self, event: &'a NewEvent, may_moderate: bool) -> Verdict {
        let Some(about) = &mut self.about else { return Verdict::Store };
        if !event.kind.acts_on_message() {
            if event.kind == EventKind::Message {
                let answered = event.target.map(|target| (event.room, target));
                if answered.is_some_and(|target| !about.messages.contains_key(&target)) {
                    return Verdict::NoTarget;
                }
                let text = Text { author: event.author, content: &event.content, deleted: false };
                about.messages.insert((event.room, event.id), text);
            }
            return Verdict::Store;
        }
        let target = event.target.and_then(|id| about.messages.get_mut(&(event.room, id)));
        let Some(text) = target else { return Verdict::NoTarget };
        let own = text.author == event.author;
        match event.kind {
            EventKind::Edit if !own => Verdict::NotAllowed,
            EventKind::Edit if text.deleted => Verdict::NoTarget,
            EventKind::Edit if text.content == event.content => Verdict::Unchanged,
            EventKind::Edit => {
                text.content = &event.content;
                Verdict::Store
            }
            EventKind::Delete if !own && !may_moderate => Verdict::NotAllowed,
            EventKind::Delete if text.deleted => Verdict::Unchanged,
            EventKind::Delete => {
                text.deleted = true;
                Verdict::Store
            }
            _ if text.deleted => Verdict::NoTarget,
            _ => about.react(event),
        }
    }
}

impl<'a> About<'a> {
    fn react(&mut self, event: &'a NewEvent) -> Verdict {
        let Some(key) = key(event) else { return Verdict::NoTarget };
        // Who never reacted has it off.
        let was_on = self.reactions.insert(key, event.is_on()).unwrap_or(false);
        if was_on == event.is_on() { Verdict::Unchanged } else { Verdict::Store }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Timestamp, UserId};

    const ROOM: RoomId = RoomId(Uuid::from_u128(1));
    const OTHER: RoomId = RoomId(Uuid::from_u128(2));
    const ALICE: Author = Author::User(UserId(1));
    const BOB: Author = Author::User(UserId(2));
    const GUEST: Author = Author::Guest(Uuid::from_u128(9));

    fn id(n: u128) -> EventId {
        EventId(Uuid::from_u128(n))
    }

    fn event(kind: EventKind, author: Author, target: u128, content: &str) -> NewEvent {
        NewEvent {
            id: id(99),
            room: ROOM,
            kind,
            author,
            sender: None,
            nick_name: None,
            content: content.into(),
            raw: None,
            target: Some(id(target)),
            client_id: None,
            created_at: Timestamp::from_micros(5),
        }
    }

    fn react(author: Author, target: u128, emoji: &str, on: &str) -> NewEvent {
        let raw = Some(on.into());
        NewEvent { raw, ..event(EventKind::Reaction, author, target, emoji) }
    }

    fn known() -> Known {
        let message = |room, n, author, content: &str| {
            let deleted = content.is_empty();
            Message { room, id: id(n), author, content: content.into(), deleted }
        };
        let reaction =
            |author, on| Reaction { room: ROOM, target: id(10), author, emoji: "+".into(), on };
        Known {
            messages: vec![
                message(ROOM, 10, ALICE, "hi"),
                message(ROOM, 11, GUEST, "ho"),
                message(ROOM, 12, ALICE, ""),
                message(OTHER, 13, ALICE, "there"),
            ],
            reactions: vec![reaction(ALICE, true), reaction(BOB, false)],
        }
    }

    fn verdicts(acts: &[(NewEvent, bool)]) -> Vec<Verdict> {
        let known = known();
        let mut standing = Standing::new(acts.iter().map(|(event, _)| event), &known);
        acts.iter().map(|(event, may_moderate)| standing.judge(event, *may_moderate)).collect()
    }

    #[test]
    fn who_may_do_what_to_which_message() {
        use EventKind::{Delete, Edit};
        use Verdict::{NoTarget, NotAllowed, Store, Unchanged};
        let no_target = NewEvent { target: None, ..event(Edit, ALICE, 10, "x") };
        for (act, may_moderate, expected) in [
            (event(Edit, ALICE, 10, "new"), false, Store),
            (event(Edit, GUEST, 11, "new"), false, Store),
            (event(Edit, ALICE, 10, "hi"), false, Unchanged),
            (event(Edit, BOB, 10, "new"), true, NotAllowed),
            (event(Edit, GUEST, 10, "new"), false, NotAllowed),
            (event(Edit, ALICE, 12, "new"), false, NoTarget),
            (event(Edit, BOB, 12, "new"), false, NotAllowed),
            (event(Edit, ALICE, 13, "new"), false, NoTarget),
            (event(Edit, ALICE, 14, "new"), true, NoTarget),
            (no_target, false, NoTarget),
            (event(Delete, ALICE, 10, ""), false, Store),
            (event(Delete, BOB, 10, ""), false, NotAllowed),
            (event(Delete, BOB, 10, ""), true, Store),
            (event(Delete, ALICE, 12, ""), false, Unchanged),
            (event(Delete, BOB, 12, ""), true, Unchanged),
            (event(Delete, BOB, 12, ""), false, NotAllowed),
            (event(Delete, ALICE, 13, ""), true, NoTarget),
            (event(EventKind::Message, BOB, 10, "re"), false, Store),
            (event(EventKind::Message, BOB, 12, "re"), false, Store),
            (event(EventKind::Message, BOB, 13, "re"), false, NoTarget),
            (react(ALICE, 10, "+", "true"), false, Unchanged),
            (react(ALICE, 10, "+", "false"), false, Store),
            (react(ALICE, 10, "-", "true"), false, Store),
            (react(BOB, 10, "+", "true"), false, Store),
            (react(BOB, 10, "+", "false"), false, Unchanged),
            (react(GUEST, 10, "+", "false"), false, Unchanged),
            (react(GUEST, 12, "+", "true"), false, NoTarget),
            (react(GUEST, 13, "+", "true"), false, NoTarget),
        ] {
            let said = format!("{act:?} {may_moderate}");
            assert_eq!(verdicts(&[(act, may_moderate)]), [expected], "{said}");
        }
    }

    #[test]
    fn what_a_batch_did_stands_for_what_follows_in_it() {
        use EventKind::{Delete, Edit};
        use Verdict::{NoTarget, Store, Unchanged};
        let mut said = event(EventKind::Message, BOB, 0, "said");
        (said.id, said.target) = (id(20), None);
        let acts = [
            (event(Edit, ALICE, 10, "new"), Store),
            (event(Edit, ALICE, 10, "new"), Unchanged),
            (event(Edit, ALICE, 10, "hi"), Store),
            (react(BOB, 10, "+", "true"), Store),
            (react(BOB, 10, "+", "true"), Unchanged),
            (react(BOB, 10, "+", "false"), Store),
            (event(Delete, ALICE, 10, ""), Store),
            (event(Delete, ALICE, 10, ""), Unchanged),
            (event(Edit, ALICE, 10, "again"), NoTarget),
            (react(BOB, 10, "+", "true"), NoTarget),
            (event(Edit, BOB, 20, "too early"), NoTarget),
            (said, Store),
            (event(Edit, BOB, 20, "better"), Store),
        ];
        let (acts, expected): (Vec<_>, Vec<_>) =
            acts.into_iter().map(|(act, verdict)| ((act, false), verdict)).unzip();
        assert_eq!(verdicts(&acts), expected);
    }

    #[test]
    fn what_is_looked_up_is_looked_up_once_and_only_when_named() {
        let mut said = event(EventKind::Message, BOB, 10, "a reply");
        said.id = id(20);
        assert_eq!(targets([&said].into_iter()), [(ROOM, id(10))]);
        let alone = NewEvent { target: None, ..said.clone() };
        assert!(targets([&alone].into_iter()).is_empty());
        let acts = [said, react(BOB, 10, "+", "true"), react(BOB, 10, "+", "false")];
        assert_eq!(targets(acts.iter()), [(ROOM, id(10))]);
        assert_eq!(reactions(acts.iter()), [(ROOM, id(10), BOB, "+")]);
    }
}
