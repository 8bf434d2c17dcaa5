// What reaches somebody who looks elsewhere: the number in the tab's title and, when allowed,
// notifications. Called by room.js and side.js. It must not ask for leave unless pressed.

const waiting = new Map(); // room → unread

/** So many messages of a room are unread. */
export function unread(room, number) {
  if ((waiting.get(room) ?? 0) === number) return;
  if (number) waiting.set(room, number);
  else waiting.delete(room);
  badge();
}

/** One more is. */
export const oneMore = (room) => unread(room, (waiting.get(room) ?? 0) + 1);

/** Writes the number before the title. */
export function badge() {
  let sum = 0;
  for (const number of waiting.values()) sum += number;
  const bare = document.title.replace(/^\(\d+\+?\) /, "");
  const number = sum > 99 ? "99+" : sum;
  document.title = sum ? `(${number}) ${bare}` : bare;
}

export const canAsk = () => "Notification" in globalThis && Notification.permission === "default";

export const ask = () => Notification.requestPermission();

/** Tells of one message; a later one of the same room takes its place. */
export function notify(title, body, room) {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
  try {
    const shown = new Notification(title, { body: body.slice(0, 200), tag: room });
    shown.onclick = () => { globalThis.focus(); shown.close(); };
  } catch { /* phones allow it to service workers alone */ }
}
