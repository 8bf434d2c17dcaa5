//! What rooms tell a session, kept by its outlet until its engine hands it on.

use crate::domain::{Posted, RoomId};
use crate::protocol::CloseCode;
use crate::rooms::Refused;

/// Something for the session.
#[derive(Debug)]
pub enum Note {
    /// The post with this tag was answered.
    Settled(u64, Result<Posted, Refused>),
    /// It has its seat in this room.
    Seated(RoomId),
    /// It has none there, or no longer. Only sessions that may follow several rooms are told;
    /// the others' sockets are closed. `true`: whatever event made it so reached the socket.
    Parted(RoomId, CloseCode, bool),
}
