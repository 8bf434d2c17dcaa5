// The list of messages: shows a window of a timeline's items, however many there are, and keeps the
// reader's place. Called by room.js. It must not know what an item means: `row` makes and updates one.

/** Rows in the document at most, and how many come and go at once. */
const WINDOW = 160;
const STEP = 60;
/** Of these, so many stay while the newest are followed. */
const TAIL = 80;
/** This close to an end counts as there. */
const NEAR_END = 80;
const NEAR_EDGE = 800;

export class List {
  #box;
  #inner;
  #timeline;
  #row;
  #older;
  #rows = new Map(); // item → element
  #from = 0;
  #to = 0;
  #shown = [];
  #drawn = 0;
  #pending = [];
  #unseen = 0;
  #jump = null;

  /** `row(item, before, element?)` gives the item's element; `older()` fetches what came before;
   *  `seen(n)` hears how many new ones are below. */
  constructor(box, timeline, { row, older, seen }) {
    this.#box = box;
    this.#inner = box.firstElementChild;
    this.#timeline = timeline;
    this.#row = row;
    this.#older = older;
    this.seen = seen;
    this.following = true;
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.watcher = new ResizeObserver(() => { if (this.following) this.#toEnd(); });
    this.watcher.observe(box);
    this.watcher.observe(this.#inner);
  }

  /** What stands below all others: messages that are on their way. */
  set pending(items) {
    this.#pending = items;
    this.draw();
  }

  /** The document follows with the next frame, once for all that happened until then. */
  draw() { this.#drawn ||= requestAnimationFrame(() => { this.#drawn = 0; this.#show(); }); }

  /** Something was added at the end. */
  added(own) {
    if (own) this.following = true;
    else if (!this.following) this.#unseen += 1;
    this.draw();
  }

  toEnd() {
    this.following = true;
    this.draw();
  }

  /** Shows an item and gives its element once it is there. */
  async reveal(item) {
    const at = this.#timeline.items.indexOf(item);
    if (at < 0) return null;
    this.following = false;
    if (at < this.#from || at >= this.#to) {
      this.#from = Math.max(0, at - WINDOW / 2);
      this.#to = this.#from + WINDOW;
    }
    this.#jump = item;
    this.#show();
    return this.#rows.get(item);
  }

  element(item) { return this.#rows.get(item); }

  /** Draws an item anew, if it is shown. */
  changed() { this.draw(); }

  close() {
    this.watcher.disconnect();
    cancelAnimationFrame(this.#drawn);
  }

  #show() {
    const { items } = this.#timeline;
    if (this.following) {
      // What goes at the top goes in a frame of its own: then nothing that is seen moves by it.
      if (this.#to - this.#from > 2 * TAIL) this.draw();
      else this.#to = items.length;
      if (this.#to - this.#from > 2 * TAIL || this.#from > this.#to) this.#from = Math.max(0, this.#to - TAIL);
      this.#unseen = 0;
    } else {
      this.#to = Math.min(Math.max(this.#to, this.#from + WINDOW), items.length);
    }
    const anchor = this.following ? null : this.#anchor();
    const tail = this.#to === items.length ? this.#pending : [];
    const wanted = this.#shown = [...items.slice(this.#from, this.#to), ...tail];
    const keep = new Set(wanted);
    for (const [item, element] of this.#rows) {
      if (keep.has(item)) continue;
      element.remove();
      this.#rows.delete(item);
    }
    let next = this.#inner.firstElementChild;
    let before = items[this.#from - 1];
    for (const item of wanted) {
      const element = this.#row(item, before, this.#rows.get(item));
      const old = this.#rows.get(item);
      if (old && old !== element) {
        if (next === old) next = next.nextElementSibling;
        old.remove();
      }
      this.#rows.set(item, element);
      if (element === next) next = next.nextElementSibling;
      else this.#inner.insertBefore(element, next);
      before = item;
    }
    if (this.following) this.#toEnd();
    else if (this.#jump) {
      this.#rows.get(this.#jump)?.scrollIntoView({ block: "center" });
      this.#jump = null;
    } else if (anchor && this.#rows.has(anchor.item)) {
      // By its end: what stands above its text may have come or gone.
      const { offsetTop, offsetHeight } = this.#rows.get(anchor.item);
      this.#box.scrollTop += offsetTop + offsetHeight - anchor.bottom;
    }
    this.seen(this.#unseen);
  }

  // The first item that is seen, and where it ends.
  #anchor() {
    const top = this.#box.scrollTop;
    for (const item of this.#shown) {
      const { offsetTop, offsetHeight } = this.#rows.get(item);
      if (offsetTop + offsetHeight > top) return { item, bottom: offsetTop + offsetHeight };
    }
    return null;
  }

  #toEnd() { this.#box.scrollTop = this.#box.scrollHeight; }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const below = scrollHeight - scrollTop - clientHeight;
    const all = this.#timeline.items.length;
    // What has come since the last frame is not drawn yet: whoever followed still does.
    const atEnd = below < NEAR_END && (this.following || this.#to >= all);
    if (atEnd !== this.following) {
      this.following = atEnd;
      if (atEnd) this.draw();
    }
    if (atEnd) return;
    if (scrollTop < NEAR_EDGE) {
      if (this.#from > 0) this.#move(-STEP);
      else this.#older();
    } else if (below < NEAR_EDGE && this.#to < all) this.#move(STEP);
  }

  #move(by) {
    this.#from = Math.max(0, Math.min(this.#from + by, this.#timeline.items.length - WINDOW));
    this.#to = this.#from + WINDOW;
    this.draw();
  }

  /** So many items came at the front, or (negative) went from there. */
  shifted(by) {
    this.#from = Math.max(0, this.#from + by);
    this.#to = Math.max(0, this.#to + by);
    // Some of them are shown at once: a reader who stands at the edge already moves no further.
    if (by > 0 && !this.following) this.#from = Math.max(0, this.#from - STEP);
    this.draw();
  }
}
