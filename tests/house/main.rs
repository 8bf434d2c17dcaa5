//! How the house is kept, held by reading its own source: which way imports point, what each file
//! begins with and how long it may be, what pure files may name, that links in the pages lead
//! somewhere, that no bytes get through the door that should not, and that the page on the native
//! protocol lists what the code has. And what the commands say; the server itself is not started.

mod bytes;
mod commands;
mod files;
mod image;
mod imports;
mod layers;
mod links;
mod protocol;
mod shape;
