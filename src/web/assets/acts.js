// What can be done with a message: react, answer, change, take away. One bar for all rows, put where
// the pointer or the keyboard is, and the keys that do the same. Called by room.js. It must not ask the server.

import { button, el, icon, sure } from "./dom.js";
import { emojiPanel } from "./composer.js";

const QUICK = ["👍", "❤️", "😂", "🎉"];

export class Acts {
  #view;
  #item = null;

  constructor(view) {
    this.#view = view;
    this.bar = el("div", { class: "acts", role: "group", "aria-label": "With this message" });
    const { log } = view;
    log.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse" && !this.bar.contains(document.activeElement)) this.#at(event.target);
    });
    log.addEventListener("focusin", (event) => this.#at(event.target));
    log.addEventListener("keydown", (event) => this.#key(event));
  }

  #of(target) {
    const article = target.closest?.("article");
    const id = article?.dataset.id;
    return { article, item: id && this.#view.timeline.byId(id) };
  }

  #at(target) {
    const { article, item } = this.#of(target);
    if (!item || item.deleted) return this.bar.remove();
    if (this.#item === item && article.contains(this.bar)) return;
    this.#item = item;
    this.bar.replaceChildren(
      ...QUICK.map((sign) => icon(sign, `React with ${sign}`, () => this.#react(sign))),
      icon("☺", "Another reaction", () => this.#choose()),
      button("Answer", () => this.#view.composer.about({ reply: item })));
    if (item.own) this.bar.append(button("Edit", () => this.#view.composer.about({ edit: item })));
    if (this.#view.mayRemove(item)) this.bar.append(this.#remover(item));
    article.lastElementChild.append(this.bar);
  }

  #react(sign) {
    const item = this.#item;
    const there = this.#view.timeline.reactions(item.id).find(({ emoji }) => emoji === sign);
    this.#view.react(item, sign, !there || !this.#view.hasReacted(item, sign, there.users));
  }

  #choose() {
    const back = this.bar.closest("article");
    const panel = emojiPanel((sign) => { panel.remove(); this.#react(sign); back.focus(); },
      () => { panel.remove(); back.focus(); });
    this.bar.append(panel);
    panel.firstElementChild.focus();
  }

  #remover(item) {
    return sure("Delete", () => {
      this.bar.remove();
      this.#view.remove(item);
      this.#view.composer.focus();
    }, { class: "remove" });
  }

  #key(event) {
    const { article, item } = this.#of(event.target);
    const rows = [...this.#view.inner.querySelectorAll("article")];
    const at = rows.indexOf(article);
    const go = (to) => { event.preventDefault(); rows[to]?.focus(); };
    if (event.target.closest(".emoji")) return;
    if (event.key === "ArrowUp") go(at < 0 ? rows.length - 1 : Math.max(0, at - 1));
    else if (event.key === "ArrowDown" && at >= 0) go(Math.min(rows.length - 1, at + 1));
    else if (event.key === "Escape") this.#view.composer.focus();
    else if (event.target === article && item && !item.deleted && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (event.key === "r") { event.preventDefault(); this.#view.composer.about({ reply: item }); }
      if (event.key === "e" && item.own) { event.preventDefault(); this.#view.composer.about({ edit: item }); }
      if (event.key === "Delete" && this.#view.mayRemove(item)) this.bar.querySelector(".remove")?.click();
    }
  }
}
