//! A model of a room's order, of the pure parts alone: posts, commits whose word comes late, twice
//! or never, gaps that are filled, joins whose rows come late, resumes, restarts and retention, in
//! any order. Whatever happens, each client gets one order without a gap, each event once, nothing
//! falls between its page and live, and in the end its copy is as good as a fresh one.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

mod acts;
mod copy;
mod people;

use acts::{Act, acts};
use copy::Client;

use super::budget::WindowBudget;
use super::kept::Kept;
use super::resume::{self, Page, Resume, Wanted};
use super::state::{Advance, RoomState};
use super::window::Window;
use crate::domain::{
    Author, Bans, Event, EventId, EventKind, RoomId, RoomKind, RoomRow, Timestamp, UserId, ids,
};
use crate::protocol::native::Verdict;

const CLIENTS: usize = 4;
/// Events of a page here: small, so that there are many.
const PAGE: usize = 6;
/// Bytes of a page: three or four frames.
const BYTES: usize = 1_000;
/// Events that the window holds.
const HELD: usize = 8;
const EPOCH: &str = "e";

/// A join that waits for rows, read when it came.
struct Waiting {
    client: usize,
    /// None: the newest events, for the window.
    after: Option<i64>,
    rows: Vec<Event>,
    head: i64,
}

struct House {
    db: Vec<Event>,
    kept_from: i64,
    words: Vec<Arc<Event>>,
    ahead: Vec<Arc<Event>>,
    state: RoomState,
    waiting: Vec<Waiting>,
    clients: Vec<Client>,
}

fn state(head: i64) -> RoomState {
    let row = RoomRow {
        id: RoomId(uuid::Uuid::nil()),
        kind: RoomKind::Named,
        name: None,
        listed: false,
        by_guest: false,
        created_by: None,
        epoch: EPOCH.into(),
        last_seq: head,
        member_rev: 0,
        created_at: Timestamp::default(),
        closed_at: None,
    };
    let window = Window::new(row.id, head, HELD, WindowBudget::new(1 << 20));
    RoomState::new(row, HashMap::new(), Bans::default(), window)
}

impl House {
    fn new() -> Self {
        Self {
            db: Vec::new(),
            kept_from: 1,
            words: Vec::new(),
            ahead: Vec::new(),
            state: state(0),
            waiting: Vec::new(),
            clients: vec![Client::default(); CLIENTS],
        }
    }

    fn top(&self) -> i64 {
        i64::try_from(self.db.len()).expect("few enough")
    }

    /// As the store answers: the oldest after `after`, bounded.
    fn rows_after(&self, after: i64) -> Vec<Event> {
        let from = after.max(self.kept_from - 1);
        let (mut bytes, mut found) = (0, Vec::new());
        for event in self.db.iter().skip(usize::try_from(from).expect("a place")).take(PAGE) {
            bytes += event.text_bytes();
            if bytes > BYTES && !found.is_empty() {
                break;
            }
            found.push(event.clone());
        }
        found
    }

    /// As the store answers: the newest up to the head.
    fn newest_rows(&self) -> Vec<Event> {
        let head = self.state.head();
        let from = (head - i64::try_from(PAGE).expect("small") + 1).max(self.kept_from);
        self.db.iter().filter(|event| (from..=head).contains(&event.seq)).cloned().collect()
    }

    fn store(&mut self, kind: EventKind, target: Option<EventId>, content: &str) {
        let event = Event {
            id: EventId(ids::random()),
            room: RoomId(uuid::Uuid::nil()),
            seq: self.top() + 1,
            kind,
            author: Author::User(UserId(1)),
            sender: None,
            nick_name: None,
            content: content.to_owned(),
            raw: None,
            target,
            client_id: None,
            created_at: Timestamp::default(),
            edited_at: None,
            deleted_at: None,
        };
        // In the same transaction: the message shows its present text, a deletion takes its edits'.
        for row in &mut self.db {
            if Some(row.id) == target
                || (kind == EventKind::Delete
                    && row.target == target
                    && row.kind == EventKind::Edit)
            {
                content.clone_into(&mut row.content);
            }
        }
        self.words.push(Arc::new(event.clone()));
        self.db.push(event);
    }

    /// A message that is kept and not taken away.
    fn some_message(&self, which: Index) -> Option<EventId> {
        let is_deleted = |id: EventId| {
            let of_it = |event: &Event| event.kind == EventKind::Delete && event.target == Some(id);
            self.db.iter().any(of_it)
        };
        let messages: Vec<EventId> = self
            .db
            .iter()
            .filter(|event| event.kind == EventKind::Message && !is_deleted(event.id))
            .map(|event| event.id)
            .collect();
        (!messages.is_empty()).then(|| *which.get(&messages))
    }

    /// The database has this event; as the room's actor does it.
    fn arrived(&mut self, event: &Arc<Event>) {
        match self.state.place(event.seq) {
            Advance::Old => {}
            Advance::Gap => self.ahead.push(Arc::clone(event)),
            Advance::Next => {
                self.state.advance(event, Timestamp::default());
                self.trim();
                for client in self.clients.iter_mut().filter(|client| client.follows) {
                    client.apply(event);
                }
            }
        }
    }

    fn read_on(&mut self) {
        loop {
            let rows = self.rows_after(self.state.head());
            for event in &rows {
                self.arrived(&Arc::new(event.clone()));
            }
            for event in std::mem::take(&mut self.ahead) {
                self.arrived(&event);
            }
            if rows.is_empty() {
                return;
            }
        }
    }

    fn join(&mut self, client: usize, looked: bool) {
        let one = &self.clients[client];
        let after = one.knows.then_some(one.have);
        let resume = Resume { after, epoch: Some(EPOCH.into()), ..Resume::default() };
        let head = self.state.head();
        let after = match resume::wanted(&resume, EPOCH, head) {
            Wanted::Nothing(verdict) => {
                let page = resume::nothing(verdict, head);
                return self.seat(client, &page);
            }
            Wanted::Ahead => {
                self.read_on();
                let head = self.state.head();
                return if after.is_some_and(|after| after > head) {
                    self.seat(client, &resume::nothing(Verdict::Reset, head));
                } else {
                    self.join(client, looked);
                };
            }
            Wanted::After(after) => after,
        };
        if let Some(rows) = self.state.window.after(after, PAGE) {
            self.shows_nothing_deleted(&rows);
            return self.seat(client, &resume::page(after, &rows, head, BYTES));
        }
        let (after, rows) =
            if looked { (Some(after), self.rows_after(after)) } else { (None, self.newest_rows()) };
        let rows = rows.into_iter().filter(|event| event.seq <= head).collect();
        self.waiting.push(Waiting { client, after, rows, head });
    }

    /// What a window shows of a message whose deletion was delivered.
    fn shows_nothing_deleted(&self, rows: &[Arc<Kept>]) {
        let gone: Vec<_> = self
            .db
            .iter()
            .filter(|event| event.kind == EventKind::Delete && event.seq <= self.state.head())
            .filter_map(|event| event.target)
            .collect();
        for event in rows {
            let about = event.target.unwrap_or(event.id);
            assert!(!gone.contains(&about) || event.content.is_empty(), "{event:?}");
        }
    }

    /// The rows of one who waits.
    fn rows_are_there(&mut self, which: usize) {
        let Waiting { client, after, rows, head } = self.waiting.remove(which);
        if let Some(after) = after {
            let rows: Vec<_> = rows.into_iter().map(|row| Kept::new(Arc::new(row))).collect();
            self.seat(client, &resume::page(after, &rows, self.state.head(), BYTES));
        } else {
            self.state.window.fill(rows, head);
            self.join(client, true);
        }
        self.trim();
    }

    fn trim(&mut self) {
        let keep_after = self.waiting.iter().map(|waiting| waiting.head).min();
        self.state.window.trim(keep_after.unwrap_or(i64::MAX));
    }

    /// `joined` and its page, then what `more` announces, then live.
    fn seat(&mut self, client: usize, page: &Page) {
        let head = self.state.head();
        let mut one = std::mem::take(&mut self.clients[client]);
        match page.verdict {
            Verdict::Full => {
                assert_eq!(page.from, one.have + 1, "{page:?}");
            }
            Verdict::Partial => {
                assert!(page.from > one.have + 1 && self.kept_from > one.have + 1, "{page:?}");
                one.begin_at(page.from - 1);
            }
            Verdict::Fresh => one.begin_at(head),
            Verdict::Reset => {
                assert!(one.have > head, "{page:?}");
                one.begin_at(head);
            }
        }
        page.events.iter().for_each(|event| one.apply(event));
        assert_eq!(one.have, page.to);
        assert_eq!(page.more, page.to < head);
        while one.have < head {
            let rows = self.rows_after(one.have);
            if rows.first().is_none_or(|event| event.seq > one.have + 1) {
                // Past keeping meanwhile: the next join says so.
                one.begin_at(rows.first().map_or(head, |event| event.seq - 1).min(head));
            }
            rows.iter().filter(|event| event.seq <= head).for_each(|event| one.apply(event));
        }
        one.follows = true;
        self.clients[client] = one;
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Post(len) => {
                let text = "x".repeat(usize::from(*len) + 1);
                self.store(EventKind::Message, None, &text);
            }
            Act::Edit(which, len) => {
                if let Some(id) = self.some_message(*which) {
                    let text = "y".repeat(usize::from(*len) + 1);
                    self.store(EventKind::Edit, Some(id), &text);
                }
            }
            Act::Delete(which) => {
                if let Some(id) = self.some_message(*which) {
                    self.store(EventKind::Delete, Some(id), "");
                }
            }
            Act::Word { which, lost, again } => {
                if !self.words.is_empty() {
                    let at = which.index(self.words.len());
                    let word = Arc::clone(&self.words[at]);
                    if !again {
                        self.words.remove(at);
                    }
                    if !lost {
                        self.arrived(&word);
                    }
                }
            }
            Act::ReadOn => self.read_on(),
            Act::Join(client) => {
                let is_on_its_way = self.waiting.iter().any(|waiting| waiting.client == *client);
                if !is_on_its_way {
                    // Joining again, it hears of the room through its new seat alone.
                    self.clients[*client].follows = false;
                    self.join(*client, false);
                }
            }
            Act::Rows(which) => {
                if !self.waiting.is_empty() {
                    self.rows_are_there(which.index(self.waiting.len()));
                }
            }
            Act::Leave(client) => {
                self.clients[*client].follows = false;
                self.waiting.retain(|waiting| waiting.client != *client);
            }
            Act::Forget(count) => {
                // Days old: a live room has long delivered it.
                let most = self.state.head() + 1;
                self.kept_from = (self.kept_from + i64::from(*count)).min(most);
            }
            Act::Restart => {
                self.state = state(self.top());
                self.ahead.clear();
                self.waiting.clear();
                self.clients.iter_mut().for_each(|client| client.follows = false);
            }
        }
    }

    /// Everything on its way arrives; who follows holds what is stored.
    fn settle(&mut self) {
        while !self.waiting.is_empty() {
            self.rows_are_there(0);
        }
        self.read_on();
        assert_eq!(self.state.head(), self.top());
        for client in self.clients.iter().filter(|client| client.follows) {
            assert_eq!(client.have, self.top());
            for (id, text) in &client.texts {
                let row = self.db.iter().find(|row| row.id == *id).expect("it is stored");
                assert_eq!(*text, row.content, "a stale copy: {client:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_interleaving_keeps_one_order_without_gap_or_double(
        acts in prop::collection::vec(acts(), 1..150),
    ) {
        let mut house = House::new();
        for act in &acts {
            house.act(act);
        }
        house.settle();
    }
}
