//! Tests of acts that come from another node: it has the same database, and nobody tells this one
//! but the fence, an event that it reads, or the word to read its rows anew.

use super::recovery::{House, house};
use super::room::Recovered;
use super::{Post, Refused, Rooms};
use crate::domain::{
    Author, Ban, Deed, Identity, RoomId, RoomName, Subject, UserId, UserName, clock, ids,
};
use crate::store::{MemberChange, NewUser, Store};

/// Another node on the same database.
async fn another(house: &House) -> (Rooms, Store) {
    let store = Store::open(&house.settings.store).await.expect("a store");
    let rooms = Rooms::start(store.clone(), &house.settings, "other").await.expect("rooms");
    (rooms, store)
}

async fn user(house: &House, name: &str) -> UserId {
    let new = NewUser {
        username: UserName::parse(name).expect("a name"),
        email: String::new(),
        password_hash: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        is_superuser: false,
    };
    UserId(house.store.create_user(new, clock::now()).await.expect("a user").card.id)
}

fn ban(subject: Subject) -> MemberChange {
    MemberChange::Ban(Ban { subject, until: None })
}

fn deed(by: UserId) -> Deed {
    Deed { by: Some(by), ip: None, at: clock::now() }
}

async fn say(node: &Rooms, room: RoomId, text: &str) {
    let by = Identity::Guest(ids::random());
    let (content, nick_name, raw, client_id) = (text.into(), None, None, None);
    node.post(room, Post { by, content, nick_name, raw, client_id }).await.expect("it is stored");
}

#[test]
fn a_ban_from_another_node_holds_at_the_next_post_and_puts_its_socket_out() {
    actix::System::new().block_on(async {
        let house = house().await;
        let (other, store) = another(&house).await;
        let admin = user(&house, "root").await;
        let room = house.room("x").await;
        let banned = ids::random();
        let (his, _) = house.enter_as(room, Author::Guest(banned)).await;
        let (hers, _) = house.enter_as(room, Author::Guest(ids::random())).await;
        house.post_as(room, banned, "one").await.expect("it is stored");
        his.hears(1).await;
        let change = ban(Subject::Guest(banned));
        other.change_bans(room, change, deed(admin)).await.expect("banned");
        assert_eq!(house.post_as(room, banned, "two").await.err(), Some(Refused::Forbidden));
        assert_eq!(his.is_closed().await, 4403);
        assert_eq!(house.say(room, "three").await, 2);
        assert_eq!(hers.hears(2).await.len(), 2);
        assert_eq!(hers.closed.get(), None);

        let unban = MemberChange::Unban(Subject::Guest(banned));
        other.change_bans(room, unban, deed(admin)).await.expect("unbanned");
        house.rooms.reload(room);
        house.post_as(room, banned, "four").await.expect("it is stored");
        store.close().await;
        house.store.close().await;
    });
}

#[test]
fn rows_read_anew_put_out_who_is_banned_and_everybody_of_a_closed_room() {
    actix::System::new().block_on(async {
        let house = house().await;
        let (other, store) = another(&house).await;
        let admin = user(&house, "root").await;
        let room = house.room("x").await;
        let (his, _) = house.enter_as(room, Author::User(admin)).await;
        let (hers, _) = house.enter_as(room, Author::Guest(ids::random())).await;
        other.change_bans(room, ban(Subject::User(admin)), deed(admin)).await.expect("banned");
        house.rooms.reload(room);
        assert_eq!(his.is_closed().await, 4403);
        house.say(room, "one").await;
        hers.hears(1).await;
        assert!(other.close(room, None).await.expect("an answer"));
        house.rooms.reload(room);
        assert_eq!(hers.is_closed().await, 4404);
        let name = RoomName::parse("x").expect("a name");
        assert_eq!(house.rooms.live_named(&name), None, "its name is free");
        store.close().await;
        house.store.close().await;
    });
}

#[test]
fn who_was_removed_on_another_node_changes_no_members_here() {
    actix::System::new().block_on(async {
        let house = house().await;
        let (other, store) = another(&house).await;
        let (alice, bob) = (user(&house, "alice").await, user(&house, "bob").await);
        let (carol, dave) = (user(&house, "carol").await, user(&house, "dave").await);
        let name = RoomName::parse("group").expect("a name");
        let group = house.store.create_group(&name, alice, &[bob, carol], clock::now()).await;
        let room = group.expect("a group").id;
        let (hers, _) = house.enter_as(room, Author::User(alice)).await;
        other.change_members(room, alice, MemberChange::Remove(bob)).await.expect("removed");
        let adds = MemberChange::Add(dave);
        assert_eq!(house.rooms.change_members(room, bob, adds).await, Err(Refused::Forbidden));
        house.rooms.change_members(room, carol, adds).await.expect("she may");
        assert_eq!(house.store.members(room).await.expect("members").len(), 3);
        assert_eq!(hers.closed.get(), None);
        store.close().await;
        house.store.close().await;
    });
}

#[test]
fn what_is_past_keeping_before_it_was_read_is_waited_for_no_longer() {
    actix::System::new().block_on(async {
        let house = house().await;
        let (other, store) = another(&house).await;
        let room = house.room("x").await;
        let (ear, handle) = house.enter_as(room, Author::Guest(ids::random())).await;
        say(&other, room, "one").await;
        say(&other, room, "two").await;
        let then = clock::now();
        say(&other, room, "three").await;
        assert_eq!(house.store.forget_events(then).await.expect("removed"), 2);
        handle.addr.send(Recovered).await.expect("it lives");
        assert_eq!(ear.hears(1).await, [r#"{"message":"three"}"#]);

        say(&other, room, "four").await;
        say(&other, room, "five").await;
        assert_eq!(house.store.forget_events(clock::now()).await.expect("removed"), 3);
        assert_eq!(house.say(room, "six").await, 6);
        // Unless the room happened to look between the two, it never hears of those before.
        ear.hears_at_last(r#"{"message":"six"}"#).await;
        let (late, _) = house.enter_as(room, Author::Guest(ids::random())).await;
        assert_eq!(house.say(room, "seven").await, 7);
        late.hears(1).await;

        say(&other, room, "eight").await;
        say(&other, room, "nine").await;
        assert_eq!(house.store.forget_events(clock::now()).await.expect("removed"), 4);
        handle.addr.send(Recovered).await.expect("it lives");
        while house.rooms.detail(room, 1).await.expect("a live room").load.seq < 9 {
            tokio::task::yield_now().await;
        }
        store.close().await;
        house.store.close().await;
    });
}

#[test]
fn an_event_of_another_node_puts_out_whom_it_is_about() {
    actix::System::new().block_on(async {
        let house = house().await;
        let (other, store) = another(&house).await;
        let (alice, bob) = (user(&house, "alice").await, user(&house, "bob").await);
        let name = RoomName::parse("group").expect("a name");
        let group = house.store.create_group(&name, alice, &[bob], clock::now()).await;
        let room = group.expect("a group").id;
        let (hers, handle) = house.enter_as(room, Author::User(alice)).await;
        let (his, _) = house.enter_as(room, Author::User(bob)).await;
        other.change_bans(room, ban(Subject::User(bob)), deed(alice)).await.expect("banned");
        // Reads on from where it is, as when the bus says that there is more.
        handle.addr.send(Recovered).await.expect("it lives");
        assert_eq!(his.is_closed().await, 4403);
        assert_eq!(hers.closed.get(), None);
        store.close().await;
        house.store.close().await;
    });
}
