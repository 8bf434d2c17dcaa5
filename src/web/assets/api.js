// REST as the pages use it: JSON in and out, the cookie for a credential, renewed once when it has
// run out. Called by me.js, side.js, people.js and forms.js. It must not keep what it read.

/** What the server refused; `fields` holds its words by field. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.fields = {};
    for (const [name, words] of Object.entries(body ?? {})) {
      if (Array.isArray(words)) this.fields[name] = words.join(" ");
    }
  }
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    text = await answer.text();
  } catch { throw new Error("The server can't be reached just now."); } // a browser's own words help nobody
  let read = null;
  try { read = text ? JSON.parse(text) : null; } catch { /* a proxy's page, not the server's word */ }
  return { status: answer.status, ok: answer.ok, body: read, link: answer.headers.get("Link") };
}

let renewing = null;

/** Renews the cookies: true, or false when this login is over. Rejects when nobody answers. */
export function renew() {
  renewing ??= ask("POST", "/refresh/").then(({ ok, status }) => {
    if (!ok && status >= 500) throw new Refused(status);
    return ok;
  }).finally(() => { renewing = null; });
  return renewing;
}

/** Sends it and gives the body; a Refused when the server says no. */
export async function call(method, path, body) {
  let answer = await ask(method, path, body);
  const mayRenew = answer.status === 401 && !path.startsWith("/log");
  if (mayRenew && await renew()) answer = await ask(method, path, body);
  if (!answer.ok) throw new Refused(answer.status, answer.body);
  return answer.body;
}

/** Reads. */
export const get = (path) => call("GET", path);
/** Posts JSON. */
export const post = (path, body = {}) => call("POST", path, body);

/** A whole list, page by page, at most so many rows. */
export async function all(path, most = 2000) {
  const rows = [];
  for (let next = path; next && rows.length < most;) {
    const answer = await ask("GET", next);
    if (!answer.ok) throw new Refused(answer.status, answer.body);
    rows.push(...answer.body);
    const to = /<([^>]+)>;\s*rel="next"/.exec(answer.link ?? "")?.[1];
    const at = to && new URL(to, location.href);
    next = at && at.pathname + at.search;
  }
  return rows;
}
