import { useState, type FormEvent } from "react";
import { call } from "../shared/api";
import type { LinkLine, LinkOffer } from "../shared/contract";
import { When } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import { Outcome, useAct } from "./act";
import { words } from "./strings";

const LINKS = "/api/v1/me/links";

const nameOf = (channel: string): string => words.linkNames[channel] ?? channel;

/** The reader's other channels. A link is made only by proof: a code that is sent from the one to the other. */
export function Links() {
  const { value, reload } = useAnswer<{ items: LinkLine[] }>(LINKS);
  const [offer, setOffer] = useState<LinkOffer | null>(null);
  const [connected, setConnected] = useState("");
  const act = useAct();
  const start = (): void => void act.run(async () => setOffer(await call<LinkOffer>(LINKS, { method: "POST" })));
  const enter = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const code = String(new FormData(form).get("code")).trim();
    void act.run(async () => {
      const { channel } = await call<{ channel: string }>(LINKS, { method: "PUT", body: { code } });
      setConnected(words.linkDone(nameOf(channel)));
      form.reset();
      reload();
    });
  };
  const remove = (channel: string): void =>
    void act.run(async () => {
      await call(`${LINKS}/${encodeURIComponent(channel)}`, { method: "DELETE" });
      setConnected("");
      reload();
    });

  return (
    <section aria-labelledby="account-links">
      <h2 id="account-links">{words.links}</h2>
      <p className="muted">{words.linksIntro}</p>
      {value && value.items.length > 0 && (
        <ul className="plain lines">
          {value.items.map(({ channel, since }) => (
            <li key={channel}>
              <span>
                {nameOf(channel)}{" "}
                <span className="small muted">
                  {words.linkSince} <When at={since} />
                </span>
              </span>
              <button type="button" className="button" disabled={act.isBusy} onClick={() => remove(channel)}>
                {words.linkRemove(nameOf(channel))}
              </button>
            </li>
          ))}
        </ul>
      )}
      {offer ? (
        <Offer offer={offer} />
      ) : (
        <button type="button" className="button" disabled={act.isBusy} onClick={start}>
          {words.linkConnect(nameOf("telegram"))}
        </button>
      )}
      <form onSubmit={enter}>
        <label className="field">
          <span>{words.linkEnter}</span>
          <input className="input" name="code" required maxLength={40} autoComplete="one-time-code" autoCapitalize="characters" spellCheck={false} />
        </label>
        <button className="button" type="submit" disabled={act.isBusy}>
          {words.linkUse}
        </button>
        <Outcome act={act} done={connected} />
      </form>
    </section>
  );
}

/** A code to send from elsewhere, and where to send it. */
const Offer = ({ offer }: { offer: LinkOffer }) =>
  offer.channels.length === 0 ? (
    <p role="status">{words.linkNone}</p>
  ) : (
    <div className="offer" role="status">
      {offer.channels.map(({ id, name, address }) => (
        <p key={id}>
          {words.linkHow(name)}
          {address && (
            <>
              {" "}
              <a href={address} target="_blank" rel="noopener">
                {words.linkOpen(name)}
              </a>
            </>
          )}
        </p>
      ))}
      <code tabIndex={0}>{words.linkCode(offer.code)}</code>
      <p className="small muted">
        {words.linkUntil} <When at={offer.expires_at} />.
      </p>
    </div>
  );
