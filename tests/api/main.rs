//! The contract from outside: HTTP and WebSocket to the real binary, nothing of its inside.
//! `docs/TESTS.md` says which test stands for which row of the contract.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod admin;
mod admin_rooms;
mod admin_users;
mod admin_words;
mod admission;
mod audit;
mod bad_frames;
mod bad_input;
mod bounds;
mod chats;
mod closes;
mod commands;
mod contents;
mod cookies_and_origin;
mod dialects;
mod durability;
mod everywhere;
mod hostile_frames;
mod mistakes;
mod multi;
mod naming;
mod native_acts;
mod native_closes;
mod native_doors;
mod native_errors;
mod native_faults;
mod native_frames;
mod native_guests;
mod native_kill;
mod native_light;
mod native_limits;
mod native_lists;
mod native_load;
mod native_members;
mod native_mixed;
mod native_once;
mod native_recovery;
mod native_resume;
mod native_slow;
mod native_stale_copy;
mod native_store_away;
mod native_storm;
mod native_tickets;
mod nodes;
mod nodes_admin;
mod nodes_chaos;
mod nodes_chats;
mod nodes_figures;
mod nodes_postgres;
mod openapi;
mod ops;
mod paces;
mod pair;
mod presence;
mod races;
mod random;
mod rest_to_socket;
mod security;
mod shh;
mod tokens;
