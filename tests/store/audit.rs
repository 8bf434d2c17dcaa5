//! The audit: what admins did, appended to and read newest first.

use std::net::IpAddr;

use hubbub::domain::{Action, Deed, EventId, Record, RoomId, Target, UserId, clock, ids};
use hubbub::store::StoreError;
use serde_json::json;

use crate::home::{Home, on_both, user_id};

on_both!(
    records_are_kept_as_they_were_and_read_newest_first,
    an_account_is_turned_off_and_on_with_its_records,
    a_user_is_signed_out_everywhere_with_a_record,
);

async fn records_are_kept_as_they_were_and_read_newest_first(home: Home) {
    let (store, now) = (&home.store, clock::now());
    assert!(store.records(None, 10).await.expect("rows").is_empty());
    let boss = user_id(&home.user("root").await);
    let ip: IpAddr = "2001:db8::7".parse().expect("an address");
    let (room, message) = (RoomId(ids::random()), EventId(ids::random()));
    let by_root = Deed { by: Some(boss), ip: Some(ip), at: now };
    let by_command = Deed { by: None, ip: None, at: now };
    let all: [Record; 4] = [
        by_command.was(
            Action::DisableUser,
            Target::User(boss),
            Some(json!({"disabled_at": null})),
            Some(json!({"disabled_at": now})),
        ),
        by_root.was(Action::CloseRoom, Target::Room(room), None, Some(json!({"closed_at": now}))),
        by_root.was(Action::DeleteMessage, Target::Message(message), None, None),
        by_root.was(Action::Announce, Target::Everybody, None, Some(json!({"bytes": 3}))),
    ];
    for record in &all {
        store.note(record).await.expect("kept");
    }
    let rows = store.records(None, 10).await.expect("rows");
    assert_eq!(rows.len(), all.len());
    assert!(rows.is_sorted_by(|a, b| a.id > b.id), "{rows:?}");
    for (row, record) in rows.iter().zip(all.iter().rev()) {
        assert_eq!((row.at, row.actor), (now, record.deed.by), "{row:?}");
        assert_eq!(row.actor_name.as_deref(), record.deed.by.map(|_| "root"), "{row:?}");
        assert_eq!(row.action, record.action.as_str());
        assert_eq!(row.target, record.target.to_string());
        assert_eq!((&row.before, &row.after), (&record.before, &record.after));
        assert_eq!(row.ip, record.deed.ip.map(|ip| ip.to_string()));
    }
    let older = store.records(Some(rows[1].id), 1).await.expect("rows");
    assert_eq!(older, [rows[2].clone()]);
}

async fn an_account_is_turned_off_and_on_with_its_records(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let (boss, alice) = (user_id(&home.user("root").await), user_id(&home.user("alice").await));
    let login = store.start_login(alice, now).await.expect("a login");
    let deed = Deed { by: Some(boss), ip: None, at: now };
    let later = Deed { at: now.plus_secs(5), ..deed };
    store.disable_user(alice, &deed).await.expect("off");
    store.disable_user(alice, &later).await.expect("off as before");
    let row = store.user(alice).await.expect("an answer").expect("there");
    assert_eq!(row.disabled_at, Some(now));
    let revoked = store.login(login).await.expect("an answer").expect("there").revoked_at;
    assert_eq!(revoked, Some(now));
    store.enable_user(alice, &later).await.expect("on");
    let row = store.user(alice).await.expect("an answer").expect("there");
    assert_eq!(row.disabled_at, None);
    let records = store.records(None, 10).await.expect("rows");
    let told: Vec<_> = records
        .into_iter()
        .rev()
        .map(|row| (row.action, row.target, row.before, row.after))
        .collect();
    let (on, off) = (json!({"disabled_at": null}), json!({"disabled_at": now}));
    let target = format!("user:{alice}");
    let expected =
        [("user.disable", &on, &off), ("user.disable", &off, &off), ("user.enable", &off, &on)]
            .map(|(action, before, after)| {
                (action.to_owned(), target.clone(), Some(before.clone()), Some(after.clone()))
            });
    assert_eq!(told, expected);
    let nobody = UserId(999);
    for refused in [store.disable_user(nobody, &deed).await, store.enable_user(nobody, &deed).await]
    {
        assert!(matches!(refused, Err(StoreError::Missing("user"))), "{refused:?}");
    }
    assert_eq!(store.records(None, 10).await.expect("rows").len(), 3, "no act, no record");
}

async fn a_user_is_signed_out_everywhere_with_a_record(home: Home) {
    let (store, now) = (&home.store, clock::now());
    let alice = user_id(&home.user("alice").await);
    let deed = Deed { by: None, ip: None, at: now };
    let mut logins = Vec::new();
    for _ in 0..2 {
        logins.push(store.start_login(alice, now).await.expect("a login"));
    }
    let mut ended = store.sign_out_user(alice, &deed).await.expect("ended");
    ended.sort();
    logins.sort();
    assert_eq!(ended, logins);
    assert!(store.sign_out_user(alice, &deed).await.expect("none left").is_empty());
    let record = store.records(None, 10).await.expect("rows").remove(1);
    assert_eq!((record.action.as_str(), record.actor), ("user.sign_out", None));
    assert_eq!(
        (record.before, record.after),
        (Some(json!({"logins": 2})), Some(json!({"logins": 0})))
    );
    let refused = store.sign_out_user(UserId(999), &deed).await;
    assert!(matches!(refused, Err(StoreError::Missing("user"))), "{refused:?}");
}
