// A message's text as nodes: links, code, line breaks, and emoji that stand alone. Called by row.js.
// Everything becomes a text node or an attribute that was checked: markup of others stays text.

import { el } from "./dom.js";

const FENCE = /```(?:[\w+-]*\n)?([\s\S]*?)```/g;
const INLINE = /`([^`\n]+)`|(https?:\/\/[^\s<>"'`]+)/g;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f\p{Extended_Pictographic}]*\s*){1,5}$/u;
/** Signs at the end of an address that belong to the sentence. */
const TAIL = /[.,;:!?)\]}]+$/;

/** The address when it leads to a web page, else nothing. */
export function address(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch { return null; }
}

function link(text, into) {
  let shown = text.replace(TAIL, "");
  // An address may end in a bracket that it opened itself.
  if (text[shown.length] === ")" && shown.includes("(")) shown += ")";
  const href = address(shown);
  if (!href) return into.append(text);
  into.append(el("a", { href, text: shown, target: "_blank", rel: "noopener noreferrer nofollow" }));
  into.append(text.slice(shown.length));
}

function prose(text, into) {
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    into.append(text.slice(from, found.index));
    if (found[1] !== undefined) into.append(el("code", { text: found[1] }));
    else link(found[2], into);
    from = found.index + found[0].length;
  }
  into.append(text.slice(from));
}

/** The text as a block. */
export function body(text) {
  const block = el("div", { class: ONLY_EMOJI.test(text) ? "body big" : "body", dir: "auto" });
  let from = 0;
  for (const found of text.matchAll(FENCE)) {
    prose(text.slice(from, found.index).replace(/\n$/, ""), block);
    const code = found[1].replace(/\n$/, "");
    block.append(el("pre", { tabindex: "0", role: "region", "aria-label": "Code" }, el("code", { text: code })));
    from = found.index + found[0].length;
    if (text[from] === "\n") from += 1;
  }
  prose(text.slice(from), block);
  return block;
}
