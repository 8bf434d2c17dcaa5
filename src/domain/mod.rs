//! The words every layer speaks: ids, names, texts, events, people, figures and the clock.
//! Everybody imports it; it imports nobody, and knows no actix, no database and no socket.

pub mod clock;
pub mod events;
pub mod figures;
pub mod ids;
pub mod names;
pub mod people;
pub mod room;
pub mod text;

pub use clock::Timestamp;
pub use events::{Event, EventKind, NewEvent, Posted};
pub use ids::{Author, EventId, LoginId, RoomId, SessionId, UserId};
pub use names::{RoomName, UserName};
pub use people::{Identity, Role, SignedIn, UserCard};
pub use room::{RoomKind, RoomRow};
pub use text::MessageText;
