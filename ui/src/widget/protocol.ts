// What the page and the panel in its frame tell each other: each its whole state whenever it changes, to one exact origin,
// and each believes one exact origin and window alone. Nothing that a page says makes the panel act but this.

/** The page's state. `identity` is the word of the site's server about its visitor, or empty. */
export type ToPanel = { dir: string; identity: string; open: boolean };

/**
 * The panel's state: how high it would be, what the launcher shows, whether a conversation goes on that the site's next
 * page should look after; and what it asks for.
 */
export type ToPage = { height: number; unread: string; kept: "yes" | ""; ask: "" | "state" | "close" };
