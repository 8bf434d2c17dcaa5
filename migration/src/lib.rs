//! The schema, step by step, on SQLite and PostgreSQL alike. Called by the store, which holds a
//! lock meanwhile. Steps only expand: what an older node still reads goes a release later.

mod m0001_tables;
mod m0002_acts;

use sea_orm_migration::prelude::*;
pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_tables::Migration), Box::new(m0002_acts::Migration)]
    }
}
