// An act of an admin: a button that is asked back once, and what became of it. Called by the other
// admin modules. It must not decide who may: the server does, and writes it down.

import { post } from "./api.js";
import { button, speak } from "./dom.js";

const SURE_MS = 6000;
let told = () => {};

/** Whom acts tell what became of them. */
export function onAct(listener) { told = listener; }

/** A button that does `act` (a promise) at the second press. */
export function act(label, what, run) {
  const first = button(label, () => {
    const sure = button(`Really ${label.toLowerCase()}?`, async () => {
      sure.disabled = true;
      try {
        await run();
        told(`Done: ${what}.`);
        speak(`Done: ${what}.`);
      } catch (error) { told(`Refused: ${what}: ${error.message}`, true); }
      sure.replaceWith(first);
    }, { class: "sure", "aria-label": `Really ${label.toLowerCase()}? ${what}` });
    first.replaceWith(sure);
    sure.focus();
    setTimeout(() => { if (sure.isConnected && !sure.disabled) sure.replaceWith(first); }, SURE_MS);
  }, { "aria-label": `${label}: ${what}` });
  return first;
}

/** The same for a path of the API. */
export const acting = (label, what, path, body) => act(label, what, () => post(path, body));
