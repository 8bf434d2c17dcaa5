//! How the house is kept, held by reading its own source: which way imports point, what each file
//! begins with and how long it may be, what pure files may name, and that links in the pages
//! lead somewhere. Runs nothing of the server.

mod files;
mod imports;
mod layers;
mod links;
mod shape;
