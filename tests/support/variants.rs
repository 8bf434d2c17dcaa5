//! One test, several servers: a test is written once, for a `Setup`, and runs on each.

/// Runs each test on the direct engine and on actix-web-actors.
macro_rules! on_both_engines {
    ($($(#[$doc:meta])* async fn $name:ident($setup:ident: Setup $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn test($setup: Setup) $body

            #[tokio::test]
            async fn direct() {
                test(Setup::direct()).await;
            }

            #[tokio::test]
            async fn actix_web_actors() {
                test(Setup::actix_web_actors()).await;
            }
        }
    )*};
}

/// Runs each test on both engines, and on both databases.
macro_rules! on_both_databases {
    ($($(#[$doc:meta])* async fn $name:ident($setup:ident: Setup $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn test($setup: Setup) $body

            #[tokio::test]
            async fn sqlite() {
                test(Setup::direct()).await;
            }

            #[tokio::test]
            async fn postgres() {
                test(Setup::on_postgres()).await;
            }

            #[tokio::test]
            async fn sqlite_on_actix_web_actors() {
                test(Setup::actix_web_actors()).await;
            }
        }
    )*};
}
