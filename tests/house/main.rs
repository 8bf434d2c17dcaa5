//! How the house is kept, held by reading its own source: which way imports point, what each file
//! begins with and how long it may be, what pure files may name, and that links in the pages
//! lead somewhere. And what the commands say; the server itself is not started.

mod commands;
mod files;
mod imports;
mod layers;
mod links;
mod shape;
