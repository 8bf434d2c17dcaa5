//! A store of its own for each test, on either database, and what a room needs to speak with the
//! Writer. Used by every test of the store.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use hubbub::config::StoreSettings;
use hubbub::domain::{
    Author, Deed, EventId, EventKind, NewEvent, Record, Role, RoomId, RoomName, RoomRow, Timestamp,
    UserCard, UserId, UserName, clock, ids,
};
use hubbub::store::{
    Append, ChangeMembers, CheckedRoles, Committed, MemberChange, MembersChanged, NewUser, Outcome,
    Store, UserRow,
};
use sea_orm::sqlx::{self, AssertSqlSafe};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A migrated store and where it is kept.
pub struct Home {
    pub store: Store,
    pub settings: StoreSettings,
    _directory: TempDir,
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[actix::test] async fn $test() {
                super::$test(crate::home::Home::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[actix::test] async fn $test() {
                super::$test(crate::home::Home::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;

impl Home {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("hubbub.db").display());
        Self::at(url, directory).await
    }

    pub async fn postgres() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::at(crate::postgres::fresh_database(), directory).await
    }

    async fn at(database_url: String, directory: TempDir) -> Self {
        let settings = StoreSettings {
            database_url,
            readers: 4,
            max_batch: 500,
            max_waiting: 8192,
            keep_days: 0,
        };
        let store = Store::open(&settings).await.expect("it opens");
        store.migrate().await.expect("it migrates");
        Self { store, settings, _directory: directory }
    }

    /// Another store on the same database, as another process has it.
    pub async fn another(&self) -> Store {
        Store::open(&self.settings).await.expect("it opens")
    }

    /// How the database would go about a query, read past the store.
    pub async fn plan(&self, sql: &str) -> String {
        let url = &self.settings.database_url;
        if url.starts_with("sqlite") {
            let pool = sqlx::SqlitePool::connect(url).await.expect("it opens");
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(sql).fetch_all(&pool).await.expect("a plan");
            rows.into_iter().map(|row| row.3 + "\n").collect()
        } else {
            let pool = sqlx::PgPool::connect(url).await.expect("it opens");
            let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
            let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&pool).await.expect("a plan");
            rows.join("\n")
        }
    }

    /// Keeps every write waiting until it is released: as a checkpoint or another process does.
    pub async fn hold_writes(&self) -> Held {
        let url = &self.settings.database_url;
        if url.starts_with("sqlite") {
            let pool = sqlx::SqlitePool::connect(url).await.expect("it opens");
            Held::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.expect("the lock"))
        } else {
            let pool = sqlx::PgPool::connect(url).await.expect("it opens");
            let mut held = pool.begin().await.expect("a transaction");
            let lock = sqlx::query("SELECT 1 FROM room FOR UPDATE");
            lock.execute(&mut *held).await.expect("the locks");
            Held::Postgres(held)
        }
    }

    pub async fn cutter(&self) -> Cutter {
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
        Cutter(options.connect(&self.settings.database_url).await.expect("it opens"))
    }

    pub async fn ban(&self, room: RoomId, subject: &str, until: Option<Timestamp>) {
        let sqlite = self.settings.database_url.starts_with("sqlite");
        let room = if sqlite { format!("x'{}'", room.0.simple()) } else { format!("'{room}'") };
        let until = until.map_or("NULL".into(), |at| at.micros().to_string());
        self.tell(&format!(
            "INSERT INTO ban (room, subject, until, created_at) \
             VALUES ({room}, '{subject}', {until}, 0)"
        ))
        .await;
    }

    /// Does something past the store.
    pub async fn tell(&self, sql: &str) {
        let url = &self.settings.database_url;
        let sql = AssertSqlSafe(sql.to_owned());
        if url.starts_with("sqlite") {
            let pool = sqlx::SqlitePool::connect(url).await.expect("it opens");
            sqlx::raw_sql(sql).execute(&pool).await.expect("it does");
        } else {
            let pool = sqlx::PgPool::connect(url).await.expect("it opens");
            sqlx::raw_sql(sql).execute(&pool).await.expect("it does");
        }
    }

    pub async fn user(&self, name: &str) -> UserRow {
        self.store.create_user(new_user(name, ""), clock::now()).await.expect("a user")
    }

    pub async fn room(&self, name: &str) -> RoomRow {
        self.store.open_named(&room_name(name), None, false, clock::now()).await.expect("a room").0
    }
}

/// Ends other connections to a PostgreSQL database.
pub struct Cutter(sqlx::PgPool);

impl Cutter {
    /// From the server's side, in the middle of whatever they do.
    pub async fn cut(&self) {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&self.0)
        .await
        .expect("cut");
    }
}

/// See [`Home::hold_writes`].
pub enum Held {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Held {
    pub async fn release(self) {
        match self {
            Self::Sqlite(held) => held.rollback().await,
            Self::Postgres(held) => held.rollback().await,
        }
        .expect("released");
    }
}

pub fn user_id(row: &UserRow) -> UserId {
    UserId(row.card.id)
}

pub fn room_name(name: &str) -> RoomName {
    RoomName::parse(name).expect("a name")
}

pub fn new_user(name: &str, email: &str) -> NewUser {
    NewUser {
        username: UserName::parse(name).expect("a name"),
        email: email.into(),
        password_hash: "$argon2id$".into(),
        first_name: String::new(),
        last_name: String::new(),
        is_superuser: false,
    }
}

/// A guest's message.
pub fn guest_event(room: RoomId, content: &str) -> NewEvent {
    event(room, Author::Guest(ids::random()), None, content)
}

/// A user's message.
pub fn user_event(room: RoomId, user: &Arc<UserCard>, content: &str) -> NewEvent {
    event(room, Author::User(UserId(user.id)), Some(Arc::clone(user)), content)
}

fn event(room: RoomId, author: Author, sender: Option<Arc<UserCard>>, content: &str) -> NewEvent {
    let now = clock::now();
    NewEvent {
        id: EventId(ids::at(now)),
        room,
        kind: EventKind::Message,
        author,
        sender,
        nick_name: None,
        content: content.into(),
        raw: None,
        target: None,
        client_id: None,
        created_at: now,
    }
}

/// An act of the same author on a message.
pub fn act(kind: EventKind, on: &NewEvent, content: &str) -> NewEvent {
    let author = (on.author, on.sender.clone());
    NewEvent { kind, target: Some(on.id), ..event(on.room, author.0, author.1, content) }
}

/// A reaction of the same author to a message.
pub fn reaction(to: &NewEvent, emoji: &str, on: bool) -> NewEvent {
    let raw = if on { NewEvent::SET } else { NewEvent::TAKEN_BACK };
    NewEvent { raw: Some(raw.into()), ..act(EventKind::Reaction, to, emoji) }
}

/// Answers that an ear holds until they are asked for: more than any test stores.
const HEARD: usize = 1 << 20;

/// Stands for a room: hears the Writer's answers.
pub struct Ear {
    committed: Recipient<Committed>,
    changed: Recipient<MembersChanged>,
    /// What its changes of members were checked against; by default they may be what they are.
    pub roles: CheckedRoles,
    pub commits: mpsc::Receiver<Committed>,
    pub changes: mpsc::Receiver<MembersChanged>,
}

struct Listener {
    commits: mpsc::Sender<Committed>,
    changes: mpsc::Sender<MembersChanged>,
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Committed> for Listener {
    type Result = ();
    fn handle(&mut self, committed: Committed, _: &mut Self::Context) {
        let _ = self.commits.try_send(committed);
    }
}

impl Handler<MembersChanged> for Listener {
    type Result = ();
    fn handle(&mut self, changed: MembersChanged, _: &mut Self::Context) {
        let _ = self.changes.try_send(changed);
    }
}

impl Ear {
    pub fn new() -> Self {
        let (to_commits, commits) = mpsc::channel(HEARD);
        let (to_changes, changes) = mpsc::channel(HEARD);
        let listener = Listener { commits: to_commits, changes: to_changes }.start();
        let committed = listener.clone().recipient();
        let roles = CheckedRoles { by: None, subject: Some(Role::Owner) };
        Self { committed, changed: listener.recipient(), roles, commits, changes }
    }

    /// Hands over without waiting for the answer.
    pub async fn append(&self, store: &Store, event: NewEvent, member_rev: i64) {
        self.append_as(store, event, member_rev, false).await;
    }

    /// The same, by one who may or may not take away what others wrote.
    pub async fn append_as(
        &self,
        store: &Store,
        event: NewEvent,
        member_rev: i64,
        may_moderate: bool,
    ) {
        let permit = store.writer().permit().await;
        let reply = self.committed.clone();
        let record = None;
        store.writer().append(Append { event, member_rev, may_moderate, record, permit, reply });
    }

    /// The next `count` outcomes, of whatever rooms.
    pub async fn outcomes(&mut self, count: usize) -> Vec<(EventId, Outcome)> {
        let mut outcomes = Vec::new();
        while outcomes.len() < count {
            let committed = tokio::time::timeout(Duration::from_mins(1), self.commits.recv());
            let committed = committed.await.expect("an answer within a minute");
            outcomes.extend(committed.expect("an answer").outcomes);
        }
        assert_eq!(outcomes.len(), count, "answered more than once");
        outcomes
    }

    /// Hands one over and waits.
    pub async fn post(&mut self, store: &Store, event: NewEvent, member_rev: i64) -> Outcome {
        self.append(store, event, member_rev).await;
        self.outcomes(1).await.remove(0).1
    }

    /// Hands over an admin's act with its record, and waits.
    pub async fn post_with(
        &mut self,
        store: &Store,
        event: NewEvent,
        member_rev: i64,
        record: Record,
    ) -> Outcome {
        let permit = store.writer().permit().await;
        let (reply, record) = (self.committed.clone(), Some(Box::new(record)));
        let may_moderate = true;
        store.writer().append(Append { event, member_rev, may_moderate, record, permit, reply });
        self.outcomes(1).await.remove(0).1
    }

    /// Hands a change over without waiting for the answer.
    pub async fn send_change(
        &self,
        store: &Store,
        room: RoomId,
        change: MemberChange,
        by: UserId,
        at: Timestamp,
    ) {
        let permit = store.writer().permit().await;
        store.writer().change_members(ChangeMembers {
            room,
            change,
            id: EventId(ids::at(at)),
            at,
            by: Author::User(by),
            roles: self.roles,
            deed: None,
            permit,
            reply: self.changed.clone(),
        });
    }

    /// A change by an admin, with its record.
    pub async fn act(
        &mut self,
        store: &Store,
        room: RoomId,
        change: MemberChange,
        deed: Deed,
    ) -> MembersChanged {
        let permit = store.writer().permit().await;
        store.writer().change_members(ChangeMembers {
            room,
            change,
            id: EventId(ids::at(deed.at)),
            at: deed.at,
            by: Author::User(deed.by.expect("an admin")),
            roles: self.roles,
            deed: Some(deed),
            permit,
            reply: self.changed.clone(),
        });
        self.changes.recv().await.expect("an answer")
    }

    pub async fn change(
        &mut self,
        store: &Store,
        room: RoomId,
        change: MemberChange,
        by: UserId,
    ) -> MembersChanged {
        self.send_change(store, room, change, by, clock::now()).await;
        self.changes.recv().await.expect("an answer")
    }
}

/// The `seq` of a stored one.
pub fn seq(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Stored(seq) => *seq,
        other => panic!("not stored: {other:?}"),
    }
}
