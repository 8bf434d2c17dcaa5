//! (being built)
#[allow(missing_docs, clippy::all, clippy::pedantic, unused)]
pub mod docs {
    pub fn openapi() -> utoipa::openapi::OpenApi {
        utoipa::openapi::OpenApi::default()
    }
}
