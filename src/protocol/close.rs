//! Every code with which the server closes a WebSocket, for plain sockets and for `hubbub.v1`
//! alike, each with its band: what a client does next. Whoever ends a connection names one of
//! these. Numbers of closes stand nowhere else.
//!
//! To add one: a constant here with its reason, its place in [`ALL`], then the row in the document.

/// A reason to close, as each kind of socket numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode {
    /// On plain sockets (CONTRACT section 3, *Closes on plain sockets*).
    pub plain: u16,
    /// On sockets that speak `hubbub.v1`.
    pub native: u16,
    /// For people; at most 123 bytes.
    pub reason: &'static str,
}

/// What a `hubbub.v1` client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// 1xxx and 40xx: connect again and resume.
    Again,
    /// 41xx: put something right, then connect.
    Mend,
    /// 44xx and 45xx: stay away and show the reason.
    Stop,
}

impl Band {
    /// As the document's table has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Mend => "mend",
            Self::Stop => "stop",
        }
    }
}

impl CloseCode {
    /// What a `hubbub.v1` client does next.
    #[must_use]
    pub const fn band(self) -> Band {
        match self.native {
            4100..=4199 => Band::Mend,
            4400..=4599 => Band::Stop,
            _ => Band::Again,
        }
    }
}

const fn close(plain: u16, native: u16, reason: &'static str) -> CloseCode {
    CloseCode { plain, native, reason }
}

/// The client closed in order; its code is answered with this one.
pub const NORMAL: CloseCode = close(1000, 1000, "bye");
/// A frame that RFC 6455 does not allow. Connect again.
pub const PROTOCOL_ERROR: CloseCode = close(1002, 1002, "broken frame");
/// A text that is no UTF-8. Connect again.
pub const BAD_UTF8: CloseCode = close(1007, 1007, "text must be UTF-8");
/// A frame or message over the limit. Connect again, and do not send that one again.
pub const TOO_BIG: CloseCode = close(1009, 1009, "message too big");
/// A fault of the server's, or a lost room that could not be made anew. Connect again.
pub const SERVER_FAULT: CloseCode = close(1011, 4000, "server error, connect again");
/// The room or the store was full for too long. Connect again later.
pub const BUSY: CloseCode = close(1013, 4000, "busy, connect again later");
/// A reader that is too slow. Connect again and resume.
pub const TOO_SLOW: CloseCode = close(1013, 4002, "reading too slowly, connect again");
/// The node drains: connect again, after the wait that `bye` names.
pub const GOING_AWAY: CloseCode = close(1001, 4003, "the server restarts, connect again");
/// Nothing was received for two ping intervals. Connect again.
pub const SILENT: CloseCode = close(1001, 4004, "no sign of life, connect again");
/// Far more than the limits allow. Connect again later, and do less.
pub const RATE_LIMITED: CloseCode = close(1013, 4005, "too much at once, connect again later");
/// The access token is past its time: get a newer one, then connect.
pub const EXPIRED: CloseCode = close(4001, 4100, "token expired, refresh and connect again");
/// What the client holds is of another life of the room: drop it, then connect and load anew.
pub const RESET: CloseCode = close(1011, 4101, "state was reset, reload all");
/// A credential that is wrong, or missing where one is needed: sign in.
pub const UNAUTHORIZED: CloseCode = close(4001, 4401, "no valid credential, sign in");
/// The login has ended: sign in.
pub const SIGNED_OUT: CloseCode = close(4001, 4401, "signed out, sign in again");
/// Not allowed in this room; of an unknown id it is said too. Stay away.
pub const FORBIDDEN: CloseCode = close(4403, 4403, "not allowed in this room");
/// Removed from the room: a `member` frame says so, too. Stay away.
pub const REMOVED: CloseCode = close(4403, 4403, "no longer a member of this room");
/// Put out of the room by an admin. Stay away.
pub const KICKED: CloseCode = close(4403, 4403, "put out of this room by an admin");
/// Banned from the room. Stay away.
pub const BANNED: CloseCode = close(4403, 4403, "banned from this room");
/// The room was deleted or closed. Stay away.
pub const ROOM_CLOSED: CloseCode = close(4404, 4404, "this room was closed");
/// Neither signed in nor joined in time. Stay away: the client is at fault.
pub const AUTH_TIMEOUT: CloseCode = close(1001, 4408, "not authenticated in time");
/// Too many frames that are not of the protocol. Stay away: the client is at fault.
pub const NOT_PROTOCOL: CloseCode = close(1002, 4502, "too many frames that make no sense");
/// More connections than one may hold. Stay away until others were closed.
pub const TOO_MANY: CloseCode = close(1013, 4504, "too many connections");

/// All of the above.
pub const ALL: &[CloseCode] = &[
    NORMAL,
    PROTOCOL_ERROR,
    BAD_UTF8,
    TOO_BIG,
    SERVER_FAULT,
    BUSY,
    TOO_SLOW,
    GOING_AWAY,
    SILENT,
    RATE_LIMITED,
    EXPIRED,
    RESET,
    UNAUTHORIZED,
    SIGNED_OUT,
    FORBIDDEN,
    REMOVED,
    KICKED,
    BANNED,
    ROOM_CLOSED,
    AUTH_TIMEOUT,
    NOT_PROTOCOL,
    TOO_MANY,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_signs_shhs_user_out_and_every_reason_fits_a_control_frame() {
        for close in ALL {
            assert!(!matches!(close.plain, 4000 | 4002), "{close:?}");
            assert!(close.reason.len() <= 123, "{close:?}");
        }
    }

    #[test]
    fn plain_sockets_see_the_contracts_codes_and_native_ones_the_bands() {
        for close in ALL {
            assert!(
                matches!(
                    close.plain,
                    1000 | 1001 | 1002 | 1007 | 1009 | 1011 | 1013 | 4001 | 4403 | 4404
                ),
                "{close:?}"
            );
            assert!(
                matches!(
                    close.native,
                    1000 | 1002 | 1007 | 1009 | 4000..=4005 | 4100..=4101 | 4400..=4599
                ),
                "{close:?}"
            );
        }
    }

    #[test]
    fn the_band_says_whether_to_come_back() {
        for (close, band) in [
            (TOO_BIG, Band::Again),
            (BUSY, Band::Again),
            (RATE_LIMITED, Band::Again),
            (EXPIRED, Band::Mend),
            (RESET, Band::Mend),
            (SIGNED_OUT, Band::Stop),
            (TOO_MANY, Band::Stop),
        ] {
            assert_eq!(close.band(), band, "{close:?}");
        }
    }
}
