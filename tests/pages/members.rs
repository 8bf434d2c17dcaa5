//! With accounts: signing in, private chats, groups and their members, what is unread, who is online.

use serde_json::json;

use super::browser::{Browser, stage};
use super::looks::is_accessible;
use super::page::server;
use crate::support::account::PASSWORD;

#[tokio::test]
async fn two_users_talk_in_private_and_see_what_is_unread_and_read() {
    let _stage = stage().await;
    let server = server().await;
    let (alice, bob) = tokio::join!(Browser::open(), Browser::open());
    alice.register(&server, "alice").await;
    bob.register(&server, "bob").await;
    let online = "[...document.querySelectorAll('#side li')].some((one) => \
        one.textContent.startsWith(arguments[0]) && one.querySelector('.dot.on'))";
    alice.until("bob is online", online, json!(["bob"])).await;
    alice.follow("bob").await;
    let placed = "document.querySelector('#room-title')?.textContent === 'bob' && \
        location.pathname === '/chat/bob'";
    alice.until("the chat is open", placed, json!([])).await;
    alice.sees("1 here").await;
    // A link to it would lead nobody in.
    alice.sees_no("Share").await;
    alice.say("psst").await;
    // Bob looks elsewhere: the chat appears, with what is unread.
    let unread = "[...document.querySelectorAll('[aria-label=\"Your chats\"] li')].some((one) => \
        one.textContent.includes('alice') && one.querySelector('.number')?.textContent === '1')";
    bob.until("one unread", unread, json!([])).await;
    bob.until("the title counts", "document.title.startsWith('(1) ')", json!([])).await;
    bob.goto(&format!("{}/chat/alice", server.origin())).await;
    bob.sees("psst").await;
    alice.sees("Seen by bob").await;
    let none = "!document.querySelector('[aria-label=\"Your chats\"] .number')";
    bob.until("nothing unread", none, json!([])).await;
    bob.press("Sign out").await;
    bob.sees("Chat as a guest").await;
    alice.sees("last seen just now").await;
    bob.goto(&format!("{}/chat/alice", server.origin())).await;
    bob.sees("Sign in").await;
    bob.fill("#field-username", "bob").await;
    bob.fill("#field-password", "wrong password").await;
    bob.click("main form button").await;
    bob.sees("Invalid email or password").await;
    bob.fill("#field-password", PASSWORD).await;
    bob.click("main form button").await;
    // Back where he wanted to go.
    bob.sees("psst").await;
    for page in [&alice, &bob] {
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn a_login_that_slept_past_its_token_is_renewed_and_nobody_speaks_as_a_guest() {
    let _stage = stage().await;
    let server = server().await;
    let alice = Browser::open().await;
    alice.register(&server, "alice").await;
    alice.follow_to(&server, "/r/sleepy").await;
    alice.sees("1 here").await;
    alice.say("before").await;
    alice.sees("before").await;
    // As when a laptop wakes after hours: the cookie is gone by its age, and so is the socket.
    alice.drop_cookie("access_token").await;
    let server = server.restart().await;
    alice.say("after").await;
    alice.until("it is sent", "!document.querySelector('.waiting')", json!([])).await;
    alice.shows(&["before", "after"]).await;
    let user = server.account("bob").await;
    let history = user.api.get("/chat/history/sleepy/").await.is(200);
    let senders: Vec<_> =
        history.as_array().expect("rows").iter().map(|one| &one["sender"]).collect();
    assert_eq!(senders, ["alice", "alice"], "{history}");
    // With its refresh token gone as well it is over, and that is said.
    alice.drop_cookie("access_token").await;
    alice.drop_cookie("refresh_token").await;
    let _server = server.restart().await;
    alice.sees("You were signed out.").await;
    alice.is_without_faults().await;
}

/// Makes the group *Book club*, and adds the only other person there is.
async fn fill_book_club(owner: &Browser) {
    owner.write("input[placeholder='New group']", "Book club\u{E007}").await;
    let is_open = "document.querySelector('#room-title')?.textContent === 'Book club'";
    owner.until("it is open", is_open, json!([])).await;
    owner.press("1 here").await;
    owner.sees("Members (1)").await;
    owner.press("Add").await;
    owner.sees("Members (2)").await;
}

#[tokio::test]
async fn a_group_is_made_filled_and_left_and_who_is_removed_sees_why() {
    let _stage = stage().await;
    let server = server().await;
    let (alice, bob) = tokio::join!(Browser::open(), Browser::phone());
    bob.register(&server, "bob").await;
    alice.register(&server, "alice").await;
    fill_book_club(&alice).await;
    alice.press("✕").await;
    alice.say("Chapter one").await;
    bob.follow("Book club").await;
    bob.sees("Chapter one").await;
    bob.sees("2 here").await;
    bob.say("So good").await;
    alice.sees("So good").await;
    alice.press("2 here").await;
    alice.press("Remove").await;
    alice.sees("Members (1)").await;
    bob.sees("You were removed from here.").await;
    alice.press("✕").await;
    alice.sees("bob was removed by you").await;
    for page in [&alice, &bob] {
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn a_group_is_renamed_and_deleted_by_its_owner_alone() {
    let _stage = stage().await;
    let server = server().await;
    let (alice, bob) = tokio::join!(Browser::open(), Browser::phone());
    bob.register(&server, "bob").await;
    alice.register(&server, "alice").await;
    fill_book_club(&alice).await;
    bob.follow("Book club").await;
    bob.press("2 here").await;
    bob.sees("Members (2)").await;
    let text = bob.text().await;
    assert!(!text.contains("Rename") && !text.contains("Delete this group"), "{text}");
    alice.fill("#field-group-name", "Film club").await;
    alice.press("Rename").await;
    let called = "document.querySelector('#room-title').textContent === arguments[0] && \
        document.title.startsWith(arguments[0]) && [...document.querySelectorAll('[aria-label=\"Your chats\"] bdi')]\
        .some((one) => one.textContent === arguments[0])";
    alice.until("it has its new name", called, json!(["Film club"])).await;
    bob.reload().await;
    bob.until("bob reads it, too", called, json!(["Film club"])).await;
    alice.picture("group-owner").await;
    is_accessible(&alice, "a group's owner").await;
    alice.press("Delete this group").await;
    alice.press("Really delete this group?").await;
    for page in [&alice, &bob] {
        page.sees("This room is gone.").await;
        let gone = "!document.querySelector('[aria-label=\"Your chats\"]').textContent.includes('Film club')";
        page.until("it is out of the list", gone, json!([])).await;
        page.is_without_faults().await;
    }
}

#[tokio::test]
async fn guests_are_named_among_the_people() {
    let _stage = stage().await;
    let server = server().await;
    let (ann, ben) = tokio::join!(Browser::open(), Browser::phone());
    ann.enter_as_guest(&server, "Ann", "names").await;
    ben.enter_as_guest(&server, "Ben", "names").await;
    ann.press("2 here").await;
    let named = "JSON.stringify([...document.querySelectorAll('.sheet .people bdi')].map((one) => \
        one.textContent)) === '[\"Ann\",\"Ben\"]'";
    ann.until("both are named", named, json!([])).await;
    ann.picture("people-guests").await;
    is_accessible(&ann, "people").await;
    ann.is_without_faults().await;
}
