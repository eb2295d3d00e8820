// Who chats: a visitor, or the person whom the site's server vouches for. Tokens, no cookies; in another site's frame the
// browser keeps this storage for that site alone.

import { call, show } from "../shared/api";

export type Session = {
  person: { id: string; name: string };
  known: boolean;
  /** Empty while the form wants an answer first. */
  token: string;
  renewal: string;
  visit: string;
  email: string;
  conversation_id: string | null;
};

/** Storage, or a moment's memory where the browser keeps none for frames of other sites. */
const store = (name: "localStorage" | "sessionStorage"): Pick<Storage, "getItem" | "setItem" | "removeItem"> => {
  try {
    const found = window[name];
    found.getItem("");
    return found;
  } catch {
    const memory = new Map<string, string>();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => void memory.set(key, value),
      removeItem: (key) => void memory.delete(key),
    };
  }
};

export const lasting = store("localStorage");
const passing = store("sessionStorage");

/** The end of a signed token tells it from any other, and is not the token. */
const markOf = (identity: string): string => identity.slice(-24);

export class Door {
  private current: Session | null = null;
  private identity = "";

  /** `onOther` hears that the calls go on as somebody else. */
  constructor(
    private readonly site: string,
    private readonly onOther: (session: Session) => void,
  ) {
    show({
      init: () => ({
        headers: this.current?.token ? { Authorization: `Bearer ${this.current.token}` } : ({} as Record<string, string>),
        credentials: "omit",
      }),
      renew: () => this.renew(),
      lost: () => undefined,
    });
  }

  /**
   * Come in with the word of the site's server, or without. A word counts once: the page that was loaded again brings
   * the one that this browser has used, and goes on as that person. Without one nobody stays who was vouched for.
   */
  async enter(identity: string, answers?: Record<string, string>): Promise<Session> {
    this.identity = identity;
    const [mark, renewal] = (lasting.getItem(this.key("person")) ?? "").split(" ");
    const isSame = identity !== "" && mark === markOf(identity);
    if (!isSame) lasting.removeItem(this.key("person"));
    return this.ask({
      site: this.site,
      renewal: (isSame && renewal) || (lasting.getItem(this.key("visitor")) ?? ""),
      visit: passing.getItem(this.key("visit")) ?? "",
      ...(identity && !isSame ? { identity: { token: identity } } : {}),
      ...(answers ? { answers } : {}),
    });
  }

  private async renew(): Promise<boolean> {
    const before = this.current;
    const fresh = await this.enter(this.identity);
    if (before && fresh.person.id !== before.person.id) this.onOther(fresh);
    return fresh.token !== "";
  }

  /** The old token stands until there is a new one: other calls may be on their way meanwhile. */
  private async ask(body: object): Promise<Session> {
    const session = await call<Session>("/api/v1/widget/session", { method: "POST", body });
    this.current = session;
    if (session.known) {
      lasting.setItem(this.key("person"), `${markOf(this.identity)} ${session.renewal}`);
      lasting.removeItem(this.key("visitor"));
      passing.removeItem(this.key("visit"));
    } else {
      lasting.setItem(this.key("visitor"), session.renewal);
      passing.setItem(this.key("visit"), session.visit);
    }
    return session;
  }

  private key(name: string): string {
    return `frontdesk.${this.site}.${name}`;
  }
}
