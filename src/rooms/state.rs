//! A room without its actor: who sits in it, who may speak, how far its order has got. Pure: the
//! actor in `room.rs` carries out what is decided here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::figures::Rate;
use crate::domain::{Author, Bans, Event, Role, RoomKind, RoomRow, SessionId, Timestamp, UserId};
use crate::protocol::dialect::RoomWords;
use crate::protocol::{CloseCode, Dialect, close};

use super::Refused;
use super::ledger::{Account, Dues};
use super::presence::Presence;
use super::seat::Seat;
use super::window::Window;

/// What an event that the database has means for the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// It is the next one: deliver it.
    Next,
    /// It was delivered before.
    Old,
    /// Others come first: read them.
    Gap,
}

/// A room's state.
#[derive(Debug)]
pub struct RoomState {
    row: RoomRow,
    words: RoomWords,
    members: HashMap<UserId, Role>,
    bans: Bans,
    read: HashMap<UserId, i64>,
    pub(super) seats: HashMap<SessionId, (Arc<Seat>, Account)>,
    pub(super) dues: Dues,
    pub(super) presence: Presence,
    pub(super) dialects: [u32; Dialect::ALL.len()],
    pub(super) workers: Vec<u32>,
    pub(super) head: i64,
    /// The room's newest events.
    pub window: Window,
    /// Messages delivered.
    pub messages: Rate,
}

impl RoomState {
    /// A room as its rows say.
    #[must_use]
    pub fn new(row: RoomRow, members: HashMap<UserId, Role>, bans: Bans, window: Window) -> Self {
        let name = row.name.clone().unwrap_or_else(|| row.id.to_string());
        Self {
            words: RoomWords { id: row.id, name },
            head: row.last_seq,
            row,
            members,
            bans,
            seats: HashMap::new(),
            dues: Dues::default(),
            presence: Presence::default(),
            dialects: [0; Dialect::ALL.len()],
            read: HashMap::new(),
            workers: Vec::new(),
            window,
            messages: Rate::default(),
        }
    }

    /// How far its members have read, as their rows say.
    pub fn set_read(&mut self, read: impl Iterator<Item = (UserId, i64)>) {
        for (user, seq) in read {
            let known = self.read.entry(user).or_default();
            *known = seq.max(*known);
        }
    }

    /// The rows were read anew; the order goes on where it was. Rows older than what is known say
    /// nothing, and a room that was closed stays so.
    pub fn reload(&mut self, row: RoomRow, members: HashMap<UserId, Role>, bans: Bans) {
        if row.member_rev < self.row.member_rev {
            return;
        }
        let row = RoomRow { closed_at: row.closed_at.or(self.row.closed_at), ..row };
        if let Some(name) = &row.name {
            self.words.name.clone_from(name);
        }
        self.row = row;
        self.members = members;
        self.bans = bans;
        self.forget_marks();
    }

    /// Whoever comes back as a member begins anew.
    fn forget_marks(&mut self) {
        self.read.retain(|user, _| self.members.contains_key(user));
    }

    /// The room's row, as far as known.
    #[must_use]
    pub const fn row(&self) -> &RoomRow {
        &self.row
    }

    /// What frames say of the room.
    #[must_use]
    pub const fn words(&self) -> &RoomWords {
        &self.words
    }

    /// `seq` of the newest event that was delivered.
    #[must_use]
    pub const fn head(&self) -> i64 {
        self.head
    }

    /// Who is here.
    #[must_use]
    pub const fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Its sockets.
    pub fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.values().map(|(seat, _)| seat)
    }

    /// A member's role; none for everybody in rooms without members.
    #[must_use]
    pub fn role(&self, user: UserId) -> Option<Role> {
        self.members.get(&user).copied()
    }

    /// Whether he may take away what others wrote.
    #[must_use]
    pub fn moderates(&self, user: UserId) -> bool {
        self.role(user).is_some_and(|role| role >= Role::Admin)
    }

    /// How many members it has.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Whether he may enter, coming from there.
    ///
    /// # Errors
    /// The code with which his socket is closed.
    pub fn may_enter(&self, who: Author, from: IpAddr, now: Timestamp) -> Result<(), CloseCode> {
        match self.may_post(who, Some(from), now) {
            Ok(()) => Ok(()),
            Err(Refused::NotFound) => Err(close::ROOM_CLOSED),
            Err(_) if self.bans.hold(who, Some(from), now) => Err(close::BANNED),
            Err(_) => Err(close::REMOVED),
        }
    }

    /// Whether anything may happen here.
    ///
    /// # Errors
    /// `NotFound` in a closed room.
    pub const fn is_open(&self) -> Result<(), Refused> {
        if self.row.closed_at.is_some() { Err(Refused::NotFound) } else { Ok(()) }
    }

    /// Whether he may say something here now, coming from there.
    ///
    /// # Errors
    /// `NotFound` in a closed room, `Forbidden` for who is no member or banned.
    pub fn may_post(
        &self,
        who: Author,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.is_open()?;
        match who {
            _ if self.bans.hold(who, from, now) => Err(Refused::Forbidden),
            Author::User(user) if self.members.contains_key(&user) => Ok(()),
            _ if !self.row.kind.has_members() => Ok(()),
            _ => Err(Refused::Forbidden),
        }
    }

    /// Whether `by` may change the membership of `subject`; CONTRACT section 2, *chats*. Coming
    /// is free in shh rooms; in groups any member adds. Leaving is free; others are removed by the
    /// owner and by admins, the owner by nobody else.
    ///
    /// # Errors
    /// Why not.
    pub fn may_change(
        &self,
        by: UserId,
        subject: UserId,
        adds: bool,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.is_open()?;
        if adds && self.bans.hold(Author::User(subject), None, now) {
            return Err(Refused::Forbidden);
        }
        match (self.row.kind, self.role(by)) {
            (RoomKind::Named | RoomKind::Control, _) => {
                Err(Refused::Invalid("This room has no members."))
            }
            (RoomKind::Room, _) if adds && by == subject => Ok(()),
            (_, None) => Err(Refused::Forbidden),
            (RoomKind::Pair, _) => {
                Err(Refused::Invalid("Members of a private chat can't be changed."))
            }
            (_, Some(_)) if adds || by == subject => Ok(()),
            (_, Some(Role::Owner)) => Ok(()),
            (_, Some(Role::Admin)) if self.role(subject) != Some(Role::Owner) => Ok(()),
            (_, Some(_)) => Err(Refused::Forbidden),
        }
    }

    /// The membership or the bans changed in the database; nothing when the rows were read since.
    pub fn set_members(&mut self, members: HashMap<UserId, Role>, bans: Bans, member_rev: i64) {
        if member_rev >= self.row.member_rev {
            self.members = members;
            self.bans = bans;
            self.row.member_rev = member_rev;
            self.forget_marks();
        }
    }

    /// He is no member any more; the rows, which say so too, are still to be read.
    pub fn forget_member(&mut self, user: UserId) {
        self.members.remove(&user);
    }

    /// The room was closed for good.
    pub fn close(&mut self, at: Timestamp) {
        self.row.closed_at = Some(at);
    }

    /// How far a member has read.
    #[must_use]
    pub fn read_seq(&self, user: UserId) -> i64 {
        self.read.get(&user).copied().unwrap_or(0)
    }

    /// A member has read up to `seq`; whether that is news.
    pub fn read_to(&mut self, user: UserId, seq: i64) -> bool {
        let seq = seq.min(self.head);
        let read = self.read.entry(user).or_default();
        let is_news = seq > *read && self.members.contains_key(&user);
        if is_news {
            *read = seq;
        }
        is_news
    }

    /// Its members.
    pub fn members(&self) -> impl Iterator<Item = UserId> {
        self.members.keys().copied()
    }

    /// What an event with this `seq` means.
    #[must_use]
    pub const fn place(&self, seq: i64) -> Advance {
        if seq <= self.head {
            Advance::Old
        } else if seq == self.head + 1 {
            Advance::Next
        } else {
            Advance::Gap
        }
    }

    /// Takes the next event into the order.
    pub fn advance(&mut self, event: &Arc<Event>, now: Timestamp) {
        debug_assert_eq!(self.place(event.seq), Advance::Next);
        self.head = event.seq;
        self.messages.add(now, 1);
        self.window.amend(event);
        self.window.push(Arc::clone(event));
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::WindowBudget;
    use super::*;
    use std::net::Ipv4Addr;

    use crate::domain::{Ban, RoomId, Subject, ids};

    const OWNER: UserId = UserId(1);
    const ADMIN: UserId = UserId(2);
    const MEMBER: UserId = UserId(3);
    const STRANGER: UserId = UserId(4);
    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

    fn room(kind: RoomKind) -> RoomState {
        let row = RoomRow {
            id: RoomId(ids::random()),
            kind,
            name: Some("x".into()),
            listed: false,
            by_guest: false,
            created_by: None,
            epoch: String::new(),
            last_seq: 0,
            member_rev: 0,
            created_at: Timestamp::default(),
            closed_at: None,
        };
        let members = if kind.has_members() {
            HashMap::from([(OWNER, Role::Owner), (ADMIN, Role::Admin), (MEMBER, Role::Member)])
        } else {
            HashMap::new()
        };
        let window = Window::new(row.id, 0, 10, WindowBudget::new(1_000));
        RoomState::new(row, members, Bans::default(), window)
    }

    #[test]
    fn only_members_speak_where_there_are_members_and_nobody_in_a_closed_room() {
        let stranger = Author::User(STRANGER);
        let guest = Author::Guest(ids::random());
        for kind in [RoomKind::Room, RoomKind::Chat, RoomKind::Pair] {
            let room = room(kind);
            assert_eq!(room.may_post(stranger, None, NOW), Err(Refused::Forbidden));
            assert_eq!(room.may_post(guest, None, NOW), Err(Refused::Forbidden));
            assert_eq!(room.may_post(Author::User(MEMBER), None, NOW), Ok(()));
            assert_eq!(room.may_enter(stranger, HERE, NOW), Err(close::REMOVED));
        }
        let mut named = room(RoomKind::Named);
        assert_eq!(named.may_post(guest, None, NOW), Ok(()));
        named.close(NOW);
        assert_eq!(named.may_post(guest, None, NOW), Err(Refused::NotFound));
        assert_eq!(named.may_enter(guest, HERE, NOW), Err(close::ROOM_CLOSED));
    }

    #[test]
    fn who_is_banned_neither_enters_nor_speaks_until_the_ban_ends() {
        let ends = NOW.plus_secs(60);
        let ban = |subject| Ban { subject, until: Some(ends) };
        let bans = [ban(Subject::User(MEMBER)), ban(Subject::Address(HERE))];
        for kind in [RoomKind::Named, RoomKind::Chat] {
            let mut room = room(kind);
            room.set_members(room.members.clone(), bans.into_iter().collect(), 1);
            let member = Author::User(MEMBER);
            assert_eq!(room.may_post(member, None, NOW), Err(Refused::Forbidden));
            assert_eq!(room.may_enter(member, HERE, NOW), Err(close::BANNED));
            assert_eq!(room.may_enter(member, HERE, ends), Ok(()));
            assert_eq!(room.may_post(Author::User(OWNER), Some(HERE), NOW), Ok(()));
            let refused = room.may_change(OWNER, MEMBER, true, NOW).is_err();
            assert!(refused || kind == RoomKind::Named, "{kind:?}");
        }
        let mut named = room(RoomKind::Named);
        named.set_members(HashMap::new(), bans.into_iter().collect(), 1);
        let guest = Author::Guest(ids::random());
        assert_eq!(named.may_enter(guest, HERE, NOW), Err(close::BANNED));
        assert_eq!(named.may_enter(guest, [192, 0, 2, 1].into(), NOW), Ok(()));
        let row = RoomRow { member_rev: 2, ..named.row().clone() };
        named.reload(row, HashMap::new(), Bans::default());
        assert_eq!(named.may_enter(guest, HERE, NOW), Ok(()));
    }

    #[test]
    fn who_may_change_whose_membership() {
        let (chat, shh) = (room(RoomKind::Chat), room(RoomKind::Room));
        for (by, subject, adds, allowed) in [
            (MEMBER, STRANGER, true, true),
            (STRANGER, STRANGER, true, false),
            (STRANGER, MEMBER, false, false),
            (MEMBER, MEMBER, false, true),
            (MEMBER, ADMIN, false, false),
            (ADMIN, MEMBER, false, true),
            (ADMIN, OWNER, false, false),
            (OWNER, ADMIN, false, true),
            (OWNER, OWNER, false, true),
        ] {
            assert_eq!(
                chat.may_change(by, subject, adds, NOW).is_ok(),
                allowed,
                "{by} {subject} {adds}"
            );
        }
        assert_eq!(shh.may_change(STRANGER, STRANGER, true, NOW), Ok(()));
        let pair = room(RoomKind::Pair);
        assert!(matches!(pair.may_change(OWNER, STRANGER, true, NOW), Err(Refused::Invalid(_))));
        assert_eq!(pair.may_change(STRANGER, STRANGER, true, NOW), Err(Refused::Forbidden));
    }

    #[test]
    fn the_order_takes_each_event_once_and_sees_gaps() {
        let state = room(RoomKind::Named);
        assert_eq!(state.place(0), Advance::Old);
        assert_eq!(state.place(1), Advance::Next);
        assert_eq!(state.place(2), Advance::Gap);
    }
}
