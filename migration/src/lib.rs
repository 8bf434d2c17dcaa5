//! The schema, step by step, on SQLite and PostgreSQL alike. Called by the store, which holds a
//! lock meanwhile. Steps only expand: what an older node still reads goes a release later, and an
//! older node starts on what a newer one left.

mod m0001_tables;
mod m0002_acts;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{EntityTrait, QueryOrder};
use sea_orm_migration::seaql_migrations::{Column, Entity, Model};
pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_tables::Migration), Box::new(m0002_acts::Migration)]
    }

    /// Those of its own steps that are applied: of others the library would say that their files
    /// are missing, and a node that is rolled back, or restarted while others are newer, would not
    /// come up.
    async fn get_migration_models<C>(db: &C) -> Result<Vec<Model>, DbErr>
    where
        C: ConnectionTrait,
    {
        let mut applied = all_applied(db).await?;
        applied.retain(|step| is_known(&step.version));
        Ok(applied)
    }
}

/// Names of steps that are applied and that this release does not know.
///
/// # Errors
/// When the database does not answer.
pub async fn newer_steps<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let applied = all_applied(db).await?.into_iter().map(|step| step.version);
    Ok(applied.filter(|name| !is_known(name)).collect())
}

async fn all_applied<C: ConnectionTrait>(db: &C) -> Result<Vec<Model>, DbErr> {
    Migrator::install(db).await?;
    Entity::find().order_by_asc(Column::Version).all(db).await
}

fn is_known(name: &str) -> bool {
    Migrator::migrations().iter().any(|step| step.name() == name)
}
