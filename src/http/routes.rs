//! The one route table of REST. Each path answers with and without its trailing slash, HEAD where
//! GET does, OPTIONS with what is allowed, and any other method with 405.

use actix_web::dev::Handler;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, HttpResponse, Resource, Responder, guard, web};

use super::error::ApiError;
use super::{
    accounts, admin, chats, docs, history, named_rooms, online, ops, pages, shh, tickets, tokens,
    users,
};

/// Every route.
pub fn configure(config: &mut ServiceConfig) {
    at("/register/").get(pages::chat).post(accounts::register).into(config);
    at("/accounts/registration/").post(accounts::registration).into(config);
    at("/login/").get(pages::chat).post(tokens::login).into(config);
    at("/api/token/").post(tokens::pair).into(config);
    at("/accounts/login/").post(tokens::accounts_login).into(config);
    at("/api/token/refresh/").post(tokens::refresh).into(config);
    at("/refresh/").post(tokens::refresh_cookies).into(config);
    at("/logout/").post(tokens::logout).into(config);
    at("/api/ws-ticket/").post(tickets::mint).into(config);
    at("/api/users/").get(users::list).into(config);
    at("/api/me/").get(accounts::me).into(config);
    at("/api/me/password/").post(accounts::password).into(config);

    at("/list_rooms/").get(named_rooms::list).into(config);
    at("/create_room/").post(named_rooms::create).into(config);
    at("/chat/history/{room_name}/").get(history::named).into(config);
    at("/api/online/").get(online::list).into(config);

    at("/rooms/").get(shh::list).into(config);
    at("/rooms/create/").post(shh::create).into(config);
    at("/room/join/").post(shh::join).into(config);
    at("/room/delete/{room_id}/").delete(shh::delete).into(config);
    at("/messages/{room}/").get(shh::history).into(config);
    at("/messages/{room}/send/").post(shh::send).into(config);

    at("/api/chats/").get(chats::list).into(config);
    at("/api/chats/private/").post(chats::private).into(config);
    at("/api/chats/group/").post(chats::group).into(config);
    at("/api/chats/{id}/").get(chats::one).patch(chats::rename).delete(chats::delete).into(config);
    at("/api/chats/{id}/add-member/").post(chats::traffic::add_member).into(config);
    at("/api/chats/{id}/remove-member/").post(chats::traffic::remove_member).into(config);
    at("/api/chats/{id}/messages/")
        .get(chats::traffic::history)
        .post(chats::traffic::send)
        .into(config);

    at("/api/admin/stats/").get(admin::stats).into(config);
    at("/api/admin/stats/stream/").get(admin::stream::stream).into(config);
    at("/api/admin/rooms/").get(admin::rooms).into(config);
    at("/api/admin/rooms/{id}/").get(admin::room).into(config);
    at("/api/admin/rooms/{id}/delivery/").get(admin::delivery::delivery).into(config);
    at("/api/admin/rooms/{id}/close/").post(admin::rooms::close).into(config);
    at("/api/admin/rooms/{id}/kick/").post(admin::rooms::kick).into(config);
    at("/api/admin/rooms/{id}/ban/").get(admin::rooms::bans).post(admin::rooms::ban).into(config);
    at("/api/admin/rooms/{id}/unban/").post(admin::rooms::unban).into(config);
    at("/api/admin/messages/{id}/").delete(admin::words::delete_message).into(config);
    at("/api/admin/announce/").post(admin::words::announce).into(config);
    at("/api/admin/users/{id}/disable/").post(admin::users::disable).into(config);
    at("/api/admin/users/{id}/enable/").post(admin::users::enable).into(config);
    at("/api/admin/users/{id}/sign-out/").post(admin::users::sign_out).into(config);
    at("/api/admin/audit/").get(admin::audit::audit).into(config);

    at("/admin/").get(pages::admin).into(config);
    at("/").get(pages::chat).into(config);
    at("/r/{name}/").get(pages::chat).into(config);
    at("/chat/{username}/").get(pages::private_chat).into(config);
    at("/hubbub.js").get(pages::hubbub_js).into(config);
    at("/hubbub-room.js").get(pages::hubbub_room_js).into(config);
    at("/assets/{release}/{file}").get(pages::file).into(config);

    at("/healthz").get(ops::healthz).into(config);
    at("/readyz").get(ops::readyz).into(config);
    at("/metrics").get(ops::metrics).into(config);
    at("/api/schema/").get(docs::schema).into(config);
    at("/api/docs/").get(docs::index).into(config);
    at("/api/docs/{file}").get(docs::file).into(config);
}

/// What the addresses of sockets answer where no engine takes them: registered last.
pub fn sockets(config: &mut ServiceConfig) {
    at("/ws/chat/{name}/").get(ops::upgrade_required).into(config);
}

/// A path with its methods, on the way into the App.
pub struct At {
    resource: Resource,
    allowed: Vec<&'static str>,
}

/// Begins a path.
pub fn at(path: &'static str) -> At {
    let bare = path.trim_end_matches('/');
    let resource = web::resource(vec![bare.to_owned(), format!("{bare}/")]);
    At { resource, allowed: Vec::new() }
}

macro_rules! method {
    ($name:ident, $constant:ident) => {
        #[doc = concat!("Answers ", stringify!($constant), ".")]
        pub fn $name<F, Args>(mut self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.allowed.push(stringify!($constant));
            let route = web::method(Method::$constant).to(handler);
            Self { resource: self.resource.route(route), ..self }
        }
    };
}

impl At {
    /// Answers GET, and HEAD without the body.
    pub fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.allowed.extend(["GET", "HEAD"]);
        let either = guard::Any(guard::Get()).or(guard::Head());
        Self { resource: self.resource.route(web::route().guard(either).to(handler)), ..self }
    }

    method!(post, POST);
    method!(patch, PATCH);
    method!(delete, DELETE);

    /// Adds OPTIONS and the 405, and registers it.
    pub fn into(mut self, config: &mut ServiceConfig) {
        self.allowed.push("OPTIONS");
        // One short text a route and worker, for the life of the process.
        let allowed: &'static str = self.allowed.join(", ").leak();
        let options = move || async move {
            HttpResponse::NoContent().insert_header((ALLOW, allowed)).finish()
        };
        let refused = move || async move { Err::<HttpResponse, _>(ApiError::Method(allowed)) };
        config.service(
            self.resource
                .route(web::method(Method::OPTIONS).to(options))
                .default_service(web::to(refused)),
        );
    }
}
