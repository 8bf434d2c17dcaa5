//! Every code with which the server closes a WebSocket, each with its band: what a client does
//! next. Plain sockets see the codes of CONTRACT section 3 (*Closes on plain sockets*).
//!
//! To add one: a constant here with its reason, then the row in the document.

/// A close code and the reason that goes over the wire with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode {
    /// As RFC 6455 numbers them.
    pub code: u16,
    /// For people; at most 123 bytes.
    pub reason: &'static str,
}

const fn close(code: u16, reason: &'static str) -> CloseCode {
    CloseCode { code, reason }
}

/// The client closed in order; its code is answered with this one.
pub const NORMAL: CloseCode = close(1000, "bye");
/// The node drains: connect again.
pub const GOING_AWAY: CloseCode = close(1001, "the server restarts, connect again");
/// A frame that RFC 6455 does not allow.
pub const PROTOCOL_ERROR: CloseCode = close(1002, "broken frame");
/// A text that is no UTF-8.
pub const BAD_UTF8: CloseCode = close(1007, "text must be UTF-8");
/// A frame or message over the limit.
pub const TOO_BIG: CloseCode = close(1009, "message too big");
/// A fault of the server's: connect again.
pub const SERVER_FAULT: CloseCode = close(1011, "server error, connect again");
/// A reader that is too slow.
pub const TOO_SLOW: CloseCode = close(1013, "reading too slowly, connect again");
/// The room or the store was full for too long.
pub const BUSY: CloseCode = close(1013, "busy, connect again later");
/// Nothing was received for two ping intervals.
pub const SILENT: CloseCode = close(1001, "no sign of life, connect again");
/// The access token is past its time, or its login has ended: refresh, then connect.
pub const SIGNED_OUT: CloseCode = close(4001, "signed out or expired, refresh and connect again");
/// Removed from the room, or banned: do not come back.
pub const REMOVED: CloseCode = close(4403, "no longer a member of this room");
/// The room was deleted or closed: do not come back.
pub const ROOM_CLOSED: CloseCode = close(4404, "this room was closed");

/// All of the above.
pub const ALL: &[CloseCode] = &[
    NORMAL,
    GOING_AWAY,
    PROTOCOL_ERROR,
    BAD_UTF8,
    TOO_BIG,
    SERVER_FAULT,
    TOO_SLOW,
    BUSY,
    SILENT,
    SIGNED_OUT,
    REMOVED,
    ROOM_CLOSED,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_signs_shhs_user_out_and_every_reason_fits_a_control_frame() {
        for close in ALL {
            assert!(!matches!(close.code, 4000 | 4002), "{close:?}");
            assert!(close.reason.len() <= 123, "{close:?}");
            assert!(matches!(close.code, 1000..=1013 | 4000..=4999), "{close:?}");
        }
    }
}
