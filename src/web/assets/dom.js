// Building elements, and small things kept in this browser. Used by every module that shows
// something. Text only ever becomes a text node: nothing here may parse HTML.

/** An element. `props` are attributes; "on…" a listener, "text" its text, false and null nothing. */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "text") made.textContent = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

/** A button that submits nothing. */
export const button = (text, onclick, props = {}) =>
  el("button", { type: "button", text, onclick, ...props });

/** A button that is asked back once: the second press does it. */
export function sure(label, run, props) {
  const really = button(`Really ${label.toLowerCase()}?`, run, { class: "sure" });
  const first = button(label, () => { first.replaceWith(really); really.focus(); }, props);
  return first;
}

/** A sign with a name for those who can't see it. */
export const icon = (sign, label, onclick, props = {}) =>
  el("button", { type: "button", text: sign, "aria-label": label, title: label, onclick, class: "icon", ...props });

/** A field under its label. */
export function field(label, props, hint) {
  const id = `field-${props.name}`;
  const note = hint && el("small", { id: `${id}-hint`, class: "hint", text: hint });
  const input = el("input", { id, "aria-describedby": hint ? note.id : null, ...props });
  return { input, box: el("div", { class: "field" }, el("label", { for: id, text: label }), input, note) };
}

/** What this browser remembers under a name; nothing where storage is off or full. */
export const kept = {
  get(name) {
    try { return JSON.parse(localStorage.getItem(`hubbub.${name}`)); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value == null) localStorage.removeItem(`hubbub.${name}`);
      else localStorage.setItem(`hubbub.${name}`, JSON.stringify(value));
      return true;
    } catch { return false; }
  },
};

const live = () => document.getElementById("spoken");

/** Says something to screen readers, when they have time. */
export function speak(words) { live().textContent = words; }

/** A moment ago, or when. */
export function ago(time) {
  const minutes = Math.round((Date.now() - new Date(time)) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.round(minutes / 60)} h ago`;
  return new Date(time).toLocaleDateString([], { dateStyle: "medium" });
}
