// The pages that are a form: in as a guest, sign in, register. Called by app.js. It must not keep a
// password longer than its request.

import { button, el, field } from "./dom.js";
import { me, register, setNick, signIn } from "./me.js";

const roomName = (text) => text.normalize("NFC").trim();

function form(title, fields, press, submit, ...more) {
  const trouble = el("p", { class: "trouble", role: "alert" });
  const go = el("button", { text: press });
  const whole = el("form", { class: "card", onsubmit: async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    go.disabled = true;
    try { await submit(); } catch (error) {
      const named = fields.find(({ input }) => error.fields?.[input.name]);
      trouble.textContent = Object.values(error.fields ?? {}).join(" ") || error.message;
      (named?.input ?? fields[0].input).focus();
    } finally { go.disabled = false; }
  } }, el("h2", { text: title }), ...fields.map(({ box }) => box), trouble, go, ...more);
  return whole;
}

const nickField = () => field("Your name", {
  name: "nick", required: true, maxlength: "40", value: me.nick, autocomplete: "nickname", spellcheck: "false",
});

const other = (to, words, link) => el("p", { class: "hint" }, `${words} `, el("a", { href: to, text: link }));

/** The start: into a room, as whom one likes. */
export function home(go) {
  const room = field("Room", { name: "room", required: true, maxlength: "100", value: "lobby", spellcheck: "false", autocapitalize: "none" },
    "A room is made when the first one enters. Whoever knows its name can read along.");
  const nick = nickField();
  const fields = me.user ? [room] : [nick, room];
  const enter = () => {
    const name = roomName(room.input.value);
    if (!name || name.includes("/") || /^\.\.?$/.test(name)) throw new Error("A room's name is 1 to 100 characters without a slash.");
    if (!me.user) setNick(nick.input.value);
    go(`/r/${encodeURIComponent(name)}`);
  };
  return el("div", { class: "page" },
    el("p", { class: "lead", text: "Talk in rooms where nothing is lost and nothing comes twice." }),
    form(me.user ? `Welcome, ${me.user.username}` : "Chat as a guest", fields, "Enter the room", enter,
      !me.user && other("/login", "Private chats and groups need an account:", "sign in")),
    el("p", { class: "hint" }, "For programs: ", el("a", { href: "/api/docs/", text: "the REST API" }), ", ",
      el("a", { href: "/hubbub.js", text: "hubbub.js" }), "."));
}

/** Somebody followed a link to a room and has no name yet. */
export function invited(room, enter) {
  const nick = nickField();
  return el("div", { class: "page" }, form(`You are invited to ${room}`, [nick], "Enter the room", () => {
    setNick(nick.input.value);
    enter();
  }, other(`/login?next=${encodeURIComponent(location.pathname)}`, "You have an account?", "Sign in")));
}

function leave() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  // To a page of this server alone.
  location.assign(/^\/(?![/\\])/.test(next) ? next : "/");
}

const password = (kind, hint) => field("Password", { name: "password", type: "password", required: true, autocomplete: kind }, hint);

export function login() {
  const name = field("User name or e-mail", { name: "username", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const secret = password("current-password");
  return el("div", { class: "page" }, form("Sign in", [name, secret], "Sign in", async () => {
    await signIn(name.input.value.trim(), secret.input.value);
    leave();
  }, other(`/register${location.search}`, "No account yet?", "Register")));
}

export function registration() {
  const name = field("User name", { name: "username", required: true, maxlength: "150", autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const email = field("E-mail (if you like)", { name: "email", type: "email", autocomplete: "email" });
  const secret = password("new-password", "At least 8 characters, none of the common ones.");
  return el("div", { class: "page" }, form("Register", [name, email, secret], "Register", async () => {
    await register(name.input.value.trim(), secret.input.value, email.input.value.trim());
    leave();
  }, other(`/login${location.search}`, "You have an account?", "Sign in")));
}

/** A page that is none, and why. */
export const nothing = (title, words, retry) => el("div", { class: "page" }, el("div", { class: "card" },
  el("h2", { text: title }), el("p", { text: words }), retry && button("Try again", retry)));
