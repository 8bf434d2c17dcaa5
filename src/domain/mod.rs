//! The words every layer speaks: ids, names, texts, events, people, deeds, fates, figures, nodes
//! and the clock.
//! Everybody imports it; it imports nobody, and knows no actix, no database and no socket.

pub mod bans;
pub mod clock;
pub mod deeds;
pub mod events;
pub mod fates;
pub mod figures;
pub mod ids;
pub mod names;
pub mod nodes;
pub mod people;
pub mod room;
pub mod text;

pub use bans::{Ban, Bans, Subject, Whom};
pub use clock::Timestamp;
pub use deeds::{Action, Deed, Record, Target};
pub use events::{Event, EventKind, NewEvent, Posted};
pub use ids::{Author, EventId, LoginId, NotAnAuthor, RoomId, SessionId, UserId};
pub use names::{RoomName, UserName};
pub use nodes::NodeId;
pub use people::{Identity, Role, SignedIn, UserCard};
pub use room::{RoomKind, RoomRow};
pub use text::MessageText;
