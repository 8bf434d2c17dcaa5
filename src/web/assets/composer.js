// Where one writes: the field with its draft, what is being answered or edited, and the emoji. Called by
// room.js. It must not send by itself: `say` and `edit` do.

import { button, el, icon } from "./dom.js";

const TEXT_MAX = 8192; // bytes, as the server counts
const LINES_MAX = 8;
const TYPING_MS = 3000;
const DRAFT_MS = 250;

const EMOJI = ("😀 😄 😂 🙂 😉 😍 😘 😎 🤔 🙄 😴 😢 😭 😡 😱 🥳 👍 👎 👏 🙏 💪 👋 🤝 ✌️ ❤️ 💔 🔥 ✨ 🎉 "
  + "⭐ 💡 ✅ ❌ ❓ ❗ 👀 🚀 🐛 ☕ 🍵 🍰 🍕 🌍 🌧️ ☀️ 🌙 🎵 📷").split(" ");

/** The emoji as a panel; `pick` hears which. */
export function emojiPanel(pick, close) {
  const panel = el("div", { class: "emoji", role: "group", "aria-label": "Emoji" },
    ...EMOJI.map((sign) => button(sign, () => pick(sign))));
  panel.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    if (event.key === "Escape") { event.stopPropagation(); close(); }
    if (!step) return;
    event.preventDefault();
    const all = [...panel.children];
    all[all.indexOf(document.activeElement) + step]?.focus();
  });
  return panel;
}

export class Composer {
  #text;
  #about;
  #picker = null;
  #mode = null; // {edit | reply: item}
  #typed = 0;
  #drafting = 0;
  #verbs;

  /** Verbs: say(text, replyTo), edit(item, text), typing(on), draft(text), last(). */
  constructor(verbs, draft) {
    this.#verbs = verbs;
    this.#text = el("textarea", {
      id: "text", rows: "1", placeholder: "Message", enterkeyhint: "send", "aria-describedby": "keys",
      dir: "auto", oninput: () => this.#changed(), onkeydown: (event) => this.#key(event),
    });
    this.#text.value = draft;
    this.#about = el("div", { class: "about", hidden: true });
    this.emoji = icon("☺", "Emoji", () => this.#toggle(), { "aria-expanded": "false" });
    this.element = el("form", { class: "composer", autocomplete: "off", onsubmit: (event) => this.#submit(event) },
      this.#about,
      el("label", { for: "text", class: "unseen", text: "Message" }), this.emoji, this.#text,
      el("button", { type: "submit", class: "send", text: "Send" }),
      el("p", { id: "keys", class: "unseen", text: "Enter sends, Shift and Enter starts a new line." }));
    this.#fit();
  }

  focus() { this.#text.focus(); }

  /** Answers a message, or changes one's own; none of both ends it. */
  about(mode) {
    const was = this.#mode;
    this.#mode = mode;
    if (mode?.edit) this.#text.value = mode.edit.text;
    else if (was?.edit) this.#text.value = "";
    const item = mode?.edit ?? mode?.reply;
    this.#about.hidden = !item;
    if (item) {
      const cut = item.text.slice(0, 120);
      this.#about.replaceChildren(el("p", { dir: "auto" }, mode.edit ? "Editing: " : "Answering ",
        mode.reply && el("bdi", { text: item.who }), mode.reply && ": ", cut),
      icon("✕", "Leave it", () => this.about(null)));
    }
    this.#fit();
    this.focus();
  }

  /** The item that is being changed or answered went. */
  gone(item) { if ((this.#mode?.edit ?? this.#mode?.reply) === item) this.about(null); }

  #submit(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text) return;
    const over = new TextEncoder().encode(text).length - TEXT_MAX;
    this.#text.setCustomValidity(over > 0 ? `This is ${over} bytes too long for one message.` : "");
    if (over > 0) return this.#text.reportValidity();
    const mode = this.#mode;
    const taken = mode?.edit ? this.#verbs.edit(mode.edit, text) : this.#verbs.say(text, mode?.reply?.id);
    if (taken === false) return;
    this.#text.value = "";
    this.#mode = null;
    this.#about.hidden = true;
    this.#stopTyping();
    this.#save();
    this.#fit();
    this.focus();
  }

  #changed() {
    this.#text.setCustomValidity("");
    this.#fit();
    clearTimeout(this.#drafting);
    this.#drafting = setTimeout(() => this.#save(), DRAFT_MS);
    if (!this.#text.value) return this.#stopTyping();
    if (Date.now() - this.#typed < TYPING_MS) return;
    this.#typed = Date.now();
    this.#verbs.typing(true);
  }

  #stopTyping() {
    if (this.#typed) this.#verbs.typing(false);
    this.#typed = 0;
  }

  #save() { if (!this.#mode?.edit) this.#verbs.draft(this.#text.value); }

  #fit() { this.#text.rows = Math.min(LINES_MAX, this.#text.value.split("\n").length); }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.element.requestSubmit();
    } else if (event.key === "Escape" && this.#mode) {
      event.stopPropagation();
      this.about(null);
    } else if (event.key === "ArrowUp" && !this.#text.value) {
      const last = this.#verbs.last();
      if (last) { event.preventDefault(); this.about({ edit: last }); }
    }
  }

  #toggle() {
    if (this.#picker) {
      this.#picker.remove();
      this.#picker = null;
    } else {
      this.#picker = emojiPanel((sign) => {
        const { selectionStart: from, selectionEnd: to } = this.#text;
        this.#text.setRangeText(sign, from, to, "end");
        this.#changed();
        this.#toggle();
        this.focus();
      }, () => { this.#toggle(); this.focus(); });
      this.element.prepend(this.#picker);
      this.#picker.firstElementChild.focus();
    }
    this.emoji.setAttribute("aria-expanded", String(Boolean(this.#picker)));
  }
}
