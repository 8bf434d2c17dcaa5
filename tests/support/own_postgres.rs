//! A PostgreSQL of one test's own, which may be stopped and started again: the one that all tests
//! of a process share may not.

use std::path::PathBuf;

use super::postgres::{Cluster, as_postgres, go, home, programs, run};

/// A running server; gone with its files when this is.
pub struct OwnPostgres {
    home: PathBuf,
    cluster: Cluster,
}

impl OwnPostgres {
    /// Starts one.
    pub fn start() -> Self {
        let home = home();
        let cluster = Cluster::start_in(&home);
        Self { home, cluster }
    }

    /// Makes an empty database.
    pub fn fresh_database(&self) -> String {
        self.cluster.fresh_database()
    }

    /// Stops it: who is connected is cut off, what was committed is kept.
    pub fn stop(&self) {
        run(as_postgres(&programs().join("pg_ctl"))
            .args(["stop", "--wait", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.home.join("data")));
    }

    /// After [`OwnPostgres::stop`]: starts it on the same port.
    pub fn start_again(&self) {
        go(&self.home);
    }
}
